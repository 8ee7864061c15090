// Package format holds the bytes of a log and nothing else: records, blocks, control records and
// their checks. It does no I/O, reads no clock and logs nothing.
//
// # Layout
//
// A segment is an optional magic and then blocks, one after the other:
//
//	segment = [magic] block* [tombstone block]
//	block   = start [header] record* end
//	record  = check<1b> length<varint> topic_length<varint> topic key_length<varint> key value
//
// A record with a topic of one byte below 0x20 is a control record; readers skip those they do not
// know. The start record's signal byte is the commit point: 0 while a block is being written, 1
// from the moment it counts.
//
//	start   08 01 02 00 signal<1b> length<4b>       10 bytes with the check in front
//	header  .. 01 04 00 version flags time<8b> crc<4b> topics<varint> (offset records bytes)*
//	end     07 01 03 00 length<4b>                  9 bytes with the check in front
//
// # Promises
//
// Decoding never panics, never allocates in proportion to a length that was read, and never looks
// beyond the bytes it was given. Encoding what was decoded gives the same bytes again, as long as
// the varints were as short as they can be.
//
// The bytes are those of Puro and must never change; FORMAT.md and the golden tests of this package
// are the reference.
package format
