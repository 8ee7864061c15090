package engine

import (
	"fmt"
	"time"

	"purofs/engine/format"
	"purofs/engine/segment"
)

// segmentHeaderBytesMax bounds a segment header: TopicsMax topics with names of average length. A
// table that would not fit refuses new topics; what other programs have made of them is taken.
const segmentHeaderBytesMax = 24 << 20

// topicStateBytesMax is how much a topic takes in a segment header at most, besides its name.
const topicStateBytesMax = 2 + 3*4 + 8 + 2*10 + (4 + 1 + 2*10)

// A topicState is what the log knows of a topic at its tail.
type topicState struct {
	format.TopicState
	exists  bool // it has a record, or was made, and is not deleted
	watches []*watch

	// Scratch of building a block: that block's serial, and the index of the topic's run in it.
	block    uint64
	run      int
	building bool // a block with records of it is being written
}

// A table holds the topics of a log at its tail. It is guarded by Log.mu.
type table struct {
	topics  map[string]*topicState
	last    *topicState // that get was asked for: blocks of one topic follow each other mostly
	bytes   int         // of a segment header with all of them, at most
	records uint64      // of all topics
	live    int         // topics that exist
	storeID [16]byte
	mode    uint32 // of topics that nobody made
	uid     uint32
	gid     uint32
}

// get returns the topic's state, which is made if it is not there yet.
func (t *table) get(name []byte) *topicState {
	if t.last != nil && t.last.Name == string(name) {
		return t.last
	}
	if s := t.topics[string(name)]; s != nil {
		t.last = s
		return s
	}
	s := &topicState{TopicState: format.TopicState{
		Name: string(name), Mode: t.mode, UID: t.uid, GID: t.gid,
	}}
	t.topics[s.Name] = s
	t.bytes += len(name) + topicStateBytesMax
	return s
}

// forget drops a topic that nothing is known of but that someone waited for it, or that an append
// named it.
func (t *table) forget(s *topicState) {
	unknown := !s.exists && !s.Deleted && s.Next == 0
	if unknown && !s.building && len(s.watches) == 0 && t.topics[s.Name] == s {
		delete(t.topics, s.Name)
		t.last = nil
		t.bytes -= len(s.Name) + topicStateBytesMax
	}
}

// room tells whether one more topic of that name fits.
func (t *table) room(name []byte) error {
	if len(t.topics) >= TopicsMax || t.bytes+len(name)+topicStateBytesMax > segmentHeaderBytesMax {
		return fmt.Errorf("%w: the log has %d, which is all that a segment header holds",
			ErrTooManyTopics, len(t.topics))
	}
	return nil
}

// add counts records that stand at the tail. A zero time is not known.
func (t *table) add(s *topicState, next, records, valueBytes uint64, time int64) {
	t.records += records
	s.Next = next
	s.Text += valueBytes + records
	s.Time = max(s.Time, time)
	t.setExists(s, true)
}

func (t *table) setExists(s *topicState, exists bool) {
	if s.exists == exists {
		return
	}
	s.exists, s.Deleted = exists, !exists
	if exists {
		t.live++
	} else {
		t.live--
	}
}

// control applies a control record.
func (t *table) control(kind byte, value []byte) error {
	switch kind {
	case format.TopicSegmentHeader:
		h, err := format.ParseSegmentHeader(value)
		if err != nil {
			return err
		}
		t.adopt(h)
	case format.TopicTopic:
		c, err := format.ParseTopicChange(value)
		if err != nil {
			return err
		}
		t.change(&c)
	}
	return nil
}

// adopt takes over what a segment header, or a checkpoint, says. It is explicit, so that damage in
// the segments before does not renumber anything.
func (t *table) adopt(h *format.SegmentHeader) {
	t.storeID = h.StoreID
	for i := range h.Topics {
		s := t.get([]byte(h.Topics[i].Name))
		known := s.exists || s.Deleted
		if !known {
			t.records += h.Topics[i].Next - min(h.Topics[i].First, h.Topics[i].Next)
		}
		deleted := h.Topics[i].Deleted
		s.TopicState = h.Topics[i]
		t.setExists(s, !deleted)
		s.Deleted = deleted
	}
}

// change applies a topic record.
func (t *table) change(c *format.TopicChange) {
	s := t.get(c.Name)
	if c.Delete {
		if s.exists {
			t.records -= s.Next - s.First
			t.setExists(s, false)
		}
		s.First, s.FirstText = s.Next, s.Text
		return
	}
	s.Mode, s.UID, s.GID = c.Mode&0o777, c.UID, c.GID
	s.Time = max(s.Time, c.Time)
	t.setExists(s, true)
}

// header is the table as a segment header.
func (t *table) header(order uint32, time int64) *format.SegmentHeader {
	h := &format.SegmentHeader{StoreID: t.storeID, Order: order, Time: time}
	h.Topics = make([]format.TopicState, 0, len(t.topics))
	for _, s := range t.topics {
		if s.exists || s.Deleted {
			h.Topics = append(h.Topics, s.TopicState)
		}
	}
	return h
}

// info is what the public knows of a topic.
func (s *topicState) info() TopicInfo {
	i := TopicInfo{
		Name: s.Name, First: s.First, Next: s.Next, FirstText: s.FirstText, NextText: s.Text,
		Mode: s.Mode, UID: s.UID, GID: s.GID,
	}
	if s.Time != 0 {
		i.Time = time.Unix(0, s.Time)
	}
	return i
}

// apply brings the table up to date with a block, and calls found, if there is one, for
// each topic in it.
func (t *table) apply(b *segment.Block, found func(s *topicState, m segment.Run)) error {
	var refused error
	for _, c := range b.Controls {
		if err := t.control(c.Kind, c.Value); err != nil {
			refused = err
		}
	}
	for _, run := range b.Runs {
		s := t.get(run.Topic)
		if !b.Header {
			run.Offset = s.Next
		}
		if found != nil {
			found(s, run)
		}
		t.add(s, run.Next(), run.Records, run.ValueBytes, b.Time)
	}
	return refused
}
