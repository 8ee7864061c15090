// Package index finds the places of a topic in one segment, without a walk over the segment.
//
// An Index is built while the blocks of a segment are hopped over. It promises that a lookup gives
// a block at or before what is looked for, at most markGapBytes of the segment before it; a reader
// goes on from there. It holds nothing but marks, so it can be thrown away and built again at any
// time: it is never trusted over the log.
//
// It is not safe for concurrent use.
package index

import "sort"

// A Mark is the place of a block, and of one topic at its beginning.
type Mark struct {
	Pos    int64  // of the block in the segment
	Offset uint64 // of the topic's first record in the block
	Text   uint64 // place in the topic's plain text of that record
	Time   int64  // of the block; Unix nanoseconds
}

// markGapBytes is how far two marks of a topic are apart in the segment, or more. A hop over that
// much takes about as long as a read from a disk's cache; smaller gaps would cost memory.
const markGapBytes = 32 << 10

// An Index holds the marks of one segment. The zero value is empty and ready.
type Index struct {
	topics map[string][]Mark
}

// Add adds a block that has records of the topic. Blocks come in the order of their places.
func (x *Index) Add(topic string, m Mark) {
	marks := x.topics[topic]
	if n := len(marks); n > 0 && m.Pos-marks[n-1].Pos < markGapBytes {
		return
	}
	if x.topics == nil {
		x.topics = make(map[string][]Mark)
	}
	x.topics[topic] = append(marks, m)
}

// ByOffset returns the last mark that is not behind the record with that offset, and whether the
// topic has one.
func (x *Index) ByOffset(topic string, offset uint64) (Mark, bool) {
	return x.last(topic, func(m Mark) bool { return m.Offset <= offset })
}

// ByText returns the last mark that is not behind byte text of the topic's plain text.
func (x *Index) ByText(topic string, text uint64) (Mark, bool) {
	return x.last(topic, func(m Mark) bool { return m.Text <= text })
}

// ByTime returns the last mark that is before that time.
func (x *Index) ByTime(topic string, time int64) (Mark, bool) {
	return x.last(topic, func(m Mark) bool { return m.Time < time })
}

// last returns the last mark for which before holds, or the topic's first one.
func (x *Index) last(topic string, before func(Mark) bool) (Mark, bool) {
	marks := x.topics[topic]
	if len(marks) == 0 {
		return Mark{}, false
	}
	i := sort.Search(len(marks), func(i int) bool { return !before(marks[i]) })
	return marks[max(0, i-1)], true
}
