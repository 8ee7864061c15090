// Package index holds bytes that say where in a segment the blocks of each topic stand, so that one
// topic can be read without a walk over all.
//
// # Chunks
//
// The index of a segment is a row of chunks. Each covers a span of the segment, from the end of
// the one before to the first end of a block that is SpanBytes or more behind it, and stands on
// its own:
//
//	chunk = header directory names lists
//	header     "puroidx1" order<4b> flags<4b> from<8b> to<8b> time<8b> last_time<8b>
//	           head<4b> tail<4b> topics<4b> body<4b> body_crc<4b> crc<4b>
//	directory  name_end<4b> list_end<4b>, counted from where the names, and the lists, begin
//	list       offset<varint> text<varint> records<varint> bytes<varint>
//	           { gap<varint> length<varint> records<varint> bytes<varint> }*
//
// Numbers are big endian, varints unsigned LEB128. body is the size of all behind the header; the
// checks are CRC-32C. head and tail are those of up to 64 bytes of the segment at from and before
// to: start records, times and end records, which no other segment has at the same places. time is
// that of the last block before the chunk, last_time that of its own last one.
//
// A list begins with the topic's point, the offset and the place in the plain text of its next
// record, before its first block in the chunk, and how far that goes until the chunk's end. Then
// come its extents: parts of the segment in which its blocks stand close together, each with its
// distance from the end of the one before (or from the chunk's beginning), its length, and how far
// the topic has got since the beginning of the one before. An extent costs 5 to 9 bytes.
//
// # What it promises
//
// A Builder makes the same bytes of the same blocks, in whatever process. Parsing takes any bytes:
// what is not sound is ErrUnsound, and nothing is allocated by a length that was not compared with
// what is there. It is never trusted over the log: whoever follows an extent looks at what stands
// there, and can throw the index away and build it again at any time.
//
// The package knows no files and no locks. A Chunk can be used by several goroutines; a Builder and
// a List by one.
package index
