package index

import (
	"encoding/binary"
	"errors"
	"io"
)

// ErrUnsound is returned for bytes that are not an index, or not a whole one.
var ErrUnsound = errors.New("the index is not sound")

// A Point is how far a topic has got at some place of the log.
type Point struct {
	Offset uint64 // of its next record
	Text   uint64 // where that record starts in the topic's plain text
}

// pointMax is the largest offset, or place in a plain text, that is believed; twice what a block
// can say.
const pointMax = 1<<63 - 1

func (p Point) valid() bool { return p.Offset <= pointMax && p.Text <= pointMax }

// An Extent is a part of a segment that begins and ends with a block of a topic. In between may
// stand blocks of others, at most gapBytesMax in a row.
type Extent struct {
	Pos, End int64 // in the segment
	At       Point // of the topic before the first block
}

const (
	// gapBytesMax is how far a topic's blocks are apart in an extent at most. To read over that much
	// takes no longer than to seek behind it.
	gapBytesMax = 4 << 10
	// extentBytesMax is how long an extent gets before the topic's next block begins a new one, for
	// whoever looks for a place inside has to hop there.
	extentBytesMax = 64 << 10
)

// A List holds the extents of a topic in one chunk, in their order.
type List struct {
	First Point // before the topic's first block in the chunk
	After Point // behind its last one

	rest   []byte // encoded extents
	before Extent // the one that came last
	from   int64  // of the chunk
	to     int64
	open   Extent // one more behind rest, if it has an end
}

// Next returns the next extent. At the end the error is io.EOF.
func (l *List) Next() (Extent, error) {
	if len(l.rest) == 0 {
		e := l.open
		l.open = Extent{}
		if e.End == 0 {
			return Extent{}, io.EOF
		}
		return e, nil
	}
	if l.before.End == 0 {
		l.before = Extent{End: l.from, At: l.First}
	}
	fields, rest, err := takeFields(l.rest)
	if err != nil {
		return Extent{}, err
	}
	l.rest = rest
	room := uint64(l.to - l.before.End)
	if fields[0] > room || fields[1] > room-fields[0] || fields[1] == 0 {
		return Extent{}, ErrUnsound
	}
	e := Extent{Pos: l.before.End + int64(fields[0])}
	e.End = e.Pos + int64(fields[1])
	e.At = Point{l.before.At.Offset + fields[2], l.before.At.Text + fields[3]}
	if !e.At.valid() {
		return Extent{}, ErrUnsound
	}
	l.before = e
	return e, nil
}

// takeFields takes the four numbers off the front of b with which a list, or an extent, begins.
func takeFields(b []byte) (fields [4]uint64, rest []byte, err error) {
	for i := range fields {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > pointMax {
			return fields, b, ErrUnsound
		}
		fields[i], b = v, b[n:]
	}
	return fields, b, nil
}

// appendExtent encodes an extent that comes behind another one.
func appendExtent(b []byte, before, e Extent) []byte {
	b = binary.AppendUvarint(b, uint64(e.Pos-before.End))
	b = binary.AppendUvarint(b, uint64(e.End-e.Pos))
	return appendPoint(b, before.At, e.At)
}

// appendPoint encodes a point as its distance from another one.
func appendPoint(b []byte, before, p Point) []byte {
	b = binary.AppendUvarint(b, p.Offset-before.Offset)
	return binary.AppendUvarint(b, p.Text-before.Text)
}

// parseList decodes the beginning of a list.
func parseList(b []byte, from, to int64) (List, error) {
	fields, rest, err := takeFields(b)
	if err != nil {
		return List{}, err
	}
	l := List{First: Point{fields[0], fields[1]}, rest: rest, from: from, to: to}
	l.After = Point{fields[0] + fields[2], fields[1] + fields[3]}
	if !l.After.valid() {
		return List{}, ErrUnsound
	}
	return l, nil
}
