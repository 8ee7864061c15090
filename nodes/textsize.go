package nodes

import (
	"errors"
	"sync"

	"purofs/engine"
	"purofs/nodes/codec"
)

// countBytesMax is how much of a topic one stat goes over to find out the size of its text in a
// format: a second's work at most.
const countBytesMax = 1 << 30

// A textSize is the size of a topic's text in a format in which it has to be counted, as far as it
// was. Since what is there does not change, only what is new is counted again. It is safe for
// concurrent use; its zero value is that of a topic that was not counted yet.
type textSize struct {
	mu          sync.Mutex // guards what follows, also while it is counted
	first, next uint64     // offsets of the first record that was counted, and of the next
	bytes       uint64
}

// sizeFormatted returns the size of the topic's text in a format besides the plain one: exact, so
// that tools which begin at the end of a file find it, and which read up to its size miss nothing.
// As long as there is too much to be counted it is 0, as that of files in /proc is; each further
// stat then counts on.
func (t *Tree) sizeFormatted(tp *topic, f codec.Format, info *engine.TopicInfo) uint64 {
	s := &tp.sizes[f]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first != info.First {
		s.first, s.next, s.bytes = info.First, info.First, 0
	}
	if s.next < info.Next {
		if err := s.count(t.log, tp.name, f, info.Next); err != nil {
			t.refused(tp.name, "stat of log"+f.Suffix(), err)
		}
	}
	if s.next < info.Next {
		return 0
	}
	return s.bytes
}

// count counts on, at least up to the offset end if that is not too far.
func (s *textSize) count(log Log, topic string, f codec.Format, end uint64) error {
	reader, err := log.OpenReader(topic, engine.AtOffset(s.next))
	if err != nil {
		return err
	}
	defer reader.Close()
	text, counted := codec.NewText(f), 0
	for s.next < end && counted < countBytesMax {
		record, err := reader.TryNext()
		switch {
		case errors.Is(err, engine.ErrNoRecord):
			s.next = end // what is not there has no text
			return nil
		case errors.Is(err, engine.ErrDamaged):
			continue
		case err != nil:
			return err
		}
		text.Set(record.Offset, record.Time, record.Key, record.Value)
		s.next, s.bytes = record.Offset+1, s.bytes+text.Len()
		counted += len(record.Key) + len(record.Value)
	}
	return nil
}
