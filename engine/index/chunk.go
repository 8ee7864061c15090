package index

import (
	"encoding/binary"
	"hash/crc32"
	"sort"
)

// On disk, never change.
const (
	// HeaderBytes is the size of a chunk's header.
	HeaderBytes = 72

	magic          = "puroidx1"
	crcOffset      = HeaderBytes - 4
	directoryBytes = 8

	flagWalk = 1 << 0
	flagLast = 1 << 1
	flagBare = 1 << 2
)

// SpanBytes is how much of a segment a chunk covers, and at most one block more. Smaller chunks
// would repeat names more often, and a topic that is rare would need more of them; larger ones take
// longer to complete when a process has to begin in the middle.
const SpanBytes = 16 << 20

// BodyBytesMax bounds what a chunk's topics take. Names and lists are smaller than the records that
// they are made of, but for hostile ones.
const BodyBytesMax = 64 << 20

// ProofBytes is how many bytes of the segment at each end of a chunk are in its header, as a check,
// or as many as the chunk covers.
const ProofBytes = 64

// A Header is the beginning of a chunk.
type Header struct {
	Order uint32 // number of the segment
	// Walk means that something in the span is not covered by the lists, as damage: whoever comes
	// by has to walk over it.
	Walk bool
	// Bare means that some block has no header, and thus the time of one before it in the chunk.
	Bare bool
	Last bool // the chunk ends with the segment, which is complete

	From, To int64 // the span of the segment
	// Time is that of the last block with a header before From, LastTime that of the last one before
	// To; Unix nanoseconds, 0 if there is none.
	Time, LastTime int64
	// Head and Tail are Proof of the ProofBytes behind From and before To, or of the whole span.
	Head, Tail uint32

	topics    uint32
	bodyBytes uint32
	bodyCRC   uint32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Proof is the check of bytes of a segment that Header.Head and Header.Tail hold.
func Proof(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// Size is that of the whole chunk in bytes.
func (h *Header) Size() int64 { return HeaderBytes + int64(h.bodyBytes) }

// put completes the header of the chunk whose bytes are b, and writes it there.
func (h *Header) put(b []byte) {
	body := b[HeaderBytes:]
	h.bodyBytes, h.bodyCRC = uint32(len(body)), Proof(body)
	flags := uint32(0)
	if h.Walk {
		flags |= flagWalk
	}
	if h.Last {
		flags |= flagLast
	}
	if h.Bare {
		flags |= flagBare
	}
	w := append(b[:0], magic...)
	w = binary.BigEndian.AppendUint32(w, h.Order)
	w = binary.BigEndian.AppendUint32(w, flags)
	for _, v := range [...]int64{h.From, h.To, h.Time, h.LastTime} {
		w = binary.BigEndian.AppendUint64(w, uint64(v))
	}
	for _, v := range [...]uint32{h.Head, h.Tail, h.topics, h.bodyBytes, h.bodyCRC} {
		w = binary.BigEndian.AppendUint32(w, v)
	}
	binary.BigEndian.AppendUint32(w, Proof(w))
}

// ParseHeader decodes the header of a chunk from its first HeaderBytes bytes.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderBytes || string(b[:len(magic)]) != magic ||
		binary.BigEndian.Uint32(b[crcOffset:]) != Proof(b[:crcOffset]) {
		return Header{}, ErrUnsound
	}
	u32 := func(at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
	i64 := func(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }
	flags := u32(12)
	h := Header{
		Order: u32(8),
		Walk:  flags&flagWalk != 0, Last: flags&flagLast != 0, Bare: flags&flagBare != 0,
		From: i64(16), To: i64(24), Time: i64(32), LastTime: i64(40),
		Head: u32(48), Tail: u32(52), topics: u32(56), bodyBytes: u32(60), bodyCRC: u32(64),
	}
	directory := int64(h.topics) * directoryBytes
	if h.From < 0 || h.To < h.From || h.bodyBytes > BodyBytesMax || directory > int64(h.bodyBytes) {
		return Header{}, ErrUnsound
	}
	return h, nil
}

// A Chunk is one that was sealed.
type Chunk struct {
	Header
	bytes []byte
}

// Bytes are those of the chunk, which must not be changed.
func (c *Chunk) Bytes() []byte { return c.bytes }

// ParseChunk decodes a chunk, which b has to hold to the byte, and keeps b.
func ParseChunk(b []byte) (*Chunk, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return nil, err
	}
	body := b[HeaderBytes:]
	if uint64(len(body)) != uint64(h.bodyBytes) || Proof(body) != h.bodyCRC {
		return nil, ErrUnsound
	}
	return &Chunk{h, b}, nil
}

// Find returns the extents of a topic, and whether there are any. The error is ErrUnsound.
func (c *Chunk) Find(topic string) (List, bool, error) {
	broken := false
	n := int(c.topics)
	i := sort.Search(n, func(i int) bool {
		name, _, ok := c.entry(i)
		broken = broken || !ok
		return string(name) >= topic
	})
	if broken {
		return List{}, false, ErrUnsound
	}
	if i == n {
		return List{}, false, nil
	}
	name, list, ok := c.entry(i)
	if !ok {
		return List{}, false, ErrUnsound
	}
	if string(name) != topic {
		return List{}, false, nil
	}
	l, err := parseList(list, c.From, c.To)
	return l, err == nil, err
}

// Each calls f for each topic with its points before its first block and behind its last one. The
// error is ErrUnsound.
func (c *Chunk) Each(f func(topic []byte, first, after Point)) error {
	for i := range int(c.topics) {
		name, list, ok := c.entry(i)
		if !ok {
			return ErrUnsound
		}
		l, err := parseList(list, c.From, c.To)
		if err != nil {
			return err
		}
		f(name, l.First, l.After)
	}
	return nil
}

// entry returns the name and the list of the topic with that index in the directory.
func (c *Chunk) entry(i int) (name, list []byte, ok bool) {
	n := int(c.topics)
	nameFrom, listFrom := uint32(0), uint32(0)
	if i > 0 {
		nameFrom, listFrom = c.ends(i - 1)
	}
	nameEnd, listEnd := c.ends(i)
	namesEnd, _ := c.ends(n - 1)
	names := c.bytes[HeaderBytes+directoryBytes*n:]
	if uint64(namesEnd) > uint64(len(names)) {
		return nil, nil, false
	}
	names, lists := names[:namesEnd], names[namesEnd:]
	if nameFrom > nameEnd || nameEnd > namesEnd ||
		listFrom > listEnd || uint64(listEnd) > uint64(len(lists)) {
		return nil, nil, false
	}
	return names[nameFrom:nameEnd], lists[listFrom:listEnd], true
}

// ends returns what the directory says of where a name and a list end.
func (c *Chunk) ends(i int) (name, list uint32) {
	entry := c.bytes[HeaderBytes+directoryBytes*i:]
	return binary.BigEndian.Uint32(entry), binary.BigEndian.Uint32(entry[4:])
}
