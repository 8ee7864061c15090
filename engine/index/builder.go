package index

import (
	"encoding/binary"
	"maps"
	"slices"
)

// A Builder makes a chunk of the blocks of a segment.
type Builder struct {
	from   int64
	to     int64 // end of the last block
	topics map[string]*posting
}

// A posting is what a Builder has of one topic: all extents but the last, encoded, and that one.
type posting struct {
	first, after Point
	bytes        []byte
	before       Extent // the last one in bytes
	last         Extent
}

// NewBuilder returns a builder of the chunk that begins at from.
func NewBuilder(from int64) *Builder {
	return &Builder{from: from, to: from, topics: make(map[string]*posting)}
}

// Add adds the part that a topic has in the block [pos, end): at is its point before the block,
// after behind it. Blocks come in their order, and none has a topic twice. Points do not decrease.
func (b *Builder) Add(topic []byte, pos, end int64, at, after Point) {
	b.to = end
	p := b.topics[string(topic)]
	if p == nil {
		p = &posting{first: at, before: Extent{End: b.from, At: at}, last: Extent{pos, end, at}}
		b.topics[string(topic)] = p
	} else if pos-p.last.End <= gapBytesMax && pos-p.last.Pos < extentBytesMax {
		p.last.End = end
	} else {
		p.bytes = appendExtent(p.bytes, p.before, p.last)
		p.before, p.last = p.last, Extent{pos, end, at}
	}
	p.after = after
}

// List returns the extents of a topic that were added so far, and whether there are any. It stays
// as it is while more are added.
func (b *Builder) List(topic string) (List, bool) {
	p := b.topics[topic]
	if p == nil {
		return List{}, false
	}
	return List{
		First: p.first, After: p.after, rest: p.bytes, from: b.from, to: b.to, open: p.last,
	}, true
}

// Seal returns the chunk. What the header says of the body is filled in. A chunk whose topics would
// take more than BodyBytesMax becomes one without topics, to be walked over.
func (b *Builder) Seal(h Header) *Chunk {
	names := slices.Sorted(maps.Keys(b.topics))
	out := make([]byte, HeaderBytes+directoryBytes*len(names), b.bytes())
	for _, name := range names {
		out = append(out, name...)
	}
	lists, nameEnd := len(out), 0
	for i, name := range names {
		p := b.topics[name]
		out = appendPoint(out, Point{}, p.first)
		out = appendPoint(out, p.first, p.after)
		out = append(out, p.bytes...)
		out = appendExtent(out, p.before, p.last)
		nameEnd += len(name)
		entry := out[HeaderBytes+directoryBytes*i:]
		binary.BigEndian.PutUint32(entry, uint32(nameEnd))
		binary.BigEndian.PutUint32(entry[4:], uint32(len(out)-lists))
	}
	if len(out)-HeaderBytes > BodyBytesMax {
		names, out, h.Walk = nil, out[:HeaderBytes], true
	}
	h.topics = uint32(len(names))
	h.put(out)
	return &Chunk{h, out}
}

// bytes is about how many bytes the chunk takes.
func (b *Builder) bytes() int {
	n := HeaderBytes
	for name, p := range b.topics {
		n += directoryBytes + len(name) + len(p.bytes) + 48
	}
	return n
}
