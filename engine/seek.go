package engine

import (
	"fmt"
	"math"
	"slices"
	"time"

	"purofs/engine/segment"
)

// A point is how far one topic had got at some place of the log.
type point struct{ next, text uint64 }

// A base is the state of all topics at the beginning of a segment.
type base struct {
	time   int64 // no record in the segment is older
	topics map[string]point
}

// A start is where a reader begins: a block, and the state of the topic there. Records before
// floor, and those that end at or before floorText, or are older than since, are skipped.
type start struct {
	place
	point
	time      int64 // of the last block with a header before the place, in the same segment
	floor     uint64
	floorText uint64
	since     int64
	end       place // of the log when that was found out
}

// cachedMax is how many bases, and how many segments' indexes, are kept.
const cachedMax = 8

// baseOf returns the state at the beginning of a segment: what its header says, or, if it was
// started by Puro, what the segments before it add up to.
func (l *Log) baseOf(order uint32) (*base, error) {
	l.mu.Lock()
	if b := l.bases[order]; b != nil {
		l.mu.Unlock()
		return b, nil
	}
	h, err := l.hold(order)
	before, lowest := l.before(order)
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	defer l.giveBack(h)
	b, err := l.readBase(h, before, lowest)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	evict(l.bases)
	l.bases[order] = b
	return b, nil
}

func (l *Log) readBase(h *handle, before uint32, lowest bool) (*base, error) {
	header, err := firstHeader(h.Segment)
	if err != nil {
		return nil, err
	}
	if header != nil {
		b := &base{time: header.Time, topics: make(map[string]point, len(header.Topics))}
		for i := range header.Topics {
			t := &header.Topics[i]
			b.topics[t.Name] = point{t.Next, t.Text}
		}
		return b, nil
	}
	if lowest {
		return &base{}, nil
	}
	return l.places.of(l, before).totals()
}

// before returns the number of the segment before order, or that there is none. Log.mu is held.
func (l *Log) before(order uint32) (uint32, bool) {
	found := false
	previous := uint32(0)
	for _, o := range l.segments {
		if o < order {
			previous, found = o, true
		}
	}
	return previous, !found
}

// giveBack drops a handle.
func (l *Log) giveBack(h *handle) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(h)
}

// evict makes room for one more entry; which one goes does not matter much.
func evict[V any](cache map[uint32]V) {
	for order := range cache {
		if len(cache) < cachedMax {
			return
		}
		delete(cache, order)
	}
}

// resolve finds where a reader of the topic begins.
func (l *Log) resolve(topic string, p Position) (start, error) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return start{}, ErrClosed
	}
	err := l.refresh()
	var now topicState
	if t := l.table.topics[topic]; t != nil {
		now = *t
	}
	end := start{place: l.place(), point: point{now.Next, now.Text}, end: l.place()}
	end.time = l.scan.Time()
	segments := slices.Clone(l.segments)
	l.unlockAndWake()
	for len(segments) > 1 && segments[len(segments)-1] > end.place.order {
		segments = segments[:len(segments)-1] // made ahead of time, the log does not go on there yet
	}
	if err != nil {
		return start{}, err
	}
	s := start{floor: now.First, end: end.end}
	switch p.kind {
	case atOffset:
		s.floor = max(now.First, p.n)
	case atLast:
		s.floor = max(now.First, now.Next-min(now.Next, p.n))
	case atText:
		s.floorText = p.n
	case atTime:
		s.since = unixNano(p.time)
	}
	if p.kind == atEnd || s.floor >= now.Next || s.floorText > 0 && s.floorText >= now.Text {
		end.floor, end.since = s.floor, s.since
		return end, nil
	}
	return s, l.find(topic, segments, &s)
}

// unixNano is t.UnixNano for any time: those that it cannot hold, before 1678 and after 2262, are
// before and after all records.
func unixNano(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, 0)):
		return 0
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// find sets the place of s: a block at or before the first record that is wanted.
func (l *Log) find(topic string, segments []uint32, s *start) error {
	early := func(b *base) bool { // nothing that is wanted stands before the segment
		p := b.topics[topic]
		switch {
		case s.since != 0:
			return b.time < s.since
		case s.floorText > 0:
			return p.text <= s.floorText
		}
		return p.next <= s.floor
	}
	low, high := 0, len(segments)-1
	for low < high {
		middle := (low + high + 1) / 2
		b, err := l.baseOf(segments[middle])
		if err != nil {
			return fmt.Errorf("looking for a place in %s: %w", segment.Name(segments[middle]), err)
		}
		if early(b) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	b, err := l.baseOf(segments[low])
	if err != nil {
		return err
	}
	s.place, s.point = place{order: segments[low]}, b.topics[topic]
	if s.floor == s.next && s.floorText == s.text && s.since == 0 {
		return nil // from its beginning on: no index needed
	}
	return l.locate(topic, s)
}
