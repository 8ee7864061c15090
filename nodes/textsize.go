package nodes

import (
	"errors"
	"math"
	"sync"

	"purofs/engine"
	"purofs/nodes/codec"
)

// countBytesMax is how much of a topic one stat goes over to find out the size of its text in a
// format: a second's work at most.
const countBytesMax = 1 << 30

// A textSize is the size of a topic's text in a format in which it has to be counted, as far as it
// was, and where in it records are. Since what is there does not change, only what is new is
// counted again. It is safe for concurrent use; its zero value is that of a topic that was not
// counted yet.
type textSize struct {
	mu    sync.Mutex // guards what follows, also while it is counted
	end   mark       // of what was counted
	marks *markSet   // from the oldest record on; nil if nothing was counted
	lost  bool       // the topic has losses: none of marks is behind the first
}

// sizeFormatted returns the size of the topic's text in a format besides the plain one: exact, so
// that tools which begin at the end of a file find it, and which read up to its size miss nothing.
// As long as there is too much to be counted it is 0, as that of files in /proc is; each further
// stat then counts on.
func (t *Tree) sizeFormatted(tp *topic, f codec.Format, info *engine.TopicInfo) uint64 {
	s := &tp.sizes[f]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(info.First)
	if s.end.record < info.Next {
		if err := s.count(t.log, tp.name, f, math.MaxUint64, info.Next); err != nil {
			t.refused(tp.name, "stat of log"+f.Suffix(), err)
		}
	}
	if s.end.record < info.Next {
		return 0
	}
	return s.end.place
}

// begin has it count from the oldest record on. mu is held, as below.
func (s *textSize) begin(first uint64) {
	if s.marks != nil && s.marks.first.record == first {
		return
	}
	s.end, s.marks, s.lost = mark{record: first}, new(markSet), false
	s.marks.reset(s.end, topicMarksMax)
}

// count counts on, up to the record that holds the byte at place or to the offset end, if that is
// not too far.
func (s *textSize) count(
	log Log, topic string, f codec.Format, place, end uint64,
) error {
	reader, err := log.OpenReader(topic, engine.AtOffset(s.end.record))
	if err != nil {
		return err
	}
	defer reader.Close()
	text, counted := codec.NewText(f), 0
	for s.end.place <= place && s.end.record < end && counted < countBytesMax {
		record, err := reader.TryNext()
		switch {
		case errors.Is(err, engine.ErrNoRecord):
			s.end.record, s.lost = end, true // what is not there has no text
			return nil
		case errors.Is(err, engine.ErrDamaged):
			s.lost = true
			continue
		case err != nil:
			return err
		}
		s.lost = s.lost || record.Offset > s.end.record
		text.Set(record.Offset, record.Time, record.Key, record.Value)
		s.end = mark{s.end.place + text.Len(), record.Offset + 1}
		if !s.lost {
			s.marks.add(s.end)
		}
		counted += len(record.Key) + len(record.Value)
	}
	return nil
}

// nearest returns the nearest known place of a record that is not behind place, in a file that
// begins with first, and counts as far as that if it was not yet: then all who look for places
// there later have them. There is none if the topic's text does not begin like the file. Who goes
// on from there meets what was lost, if something was.
func (s *textSize) nearest(
	log Log, topic string, f codec.Format, first mark, place uint64, info *engine.TopicInfo,
) (mark, bool) {
	for {
		m, found, more := s.step(log, topic, f, first, place, info)
		if !more {
			return m, found
		}
	}
}

// step is a part of nearest: so much that a stat can wait for it.
func (s *textSize) step(
	log Log, topic string, f codec.Format, first mark, place uint64, info *engine.TopicInfo,
) (m mark, found, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(info.First)
	if s.marks.first != first {
		return mark{}, false, false
	}
	switch {
	case s.lost || s.end.place > place:
		m, found = s.marks.before(place)
	case s.end.record >= info.Next:
		return s.end, true, false
	default:
		// Who reads on meets the error, if there is one.
		more = s.count(log, topic, f, place, info.Next) == nil
	}
	return m, found, more
}
