package format

import (
	"encoding/binary"
	"fmt"
)

// Versions and operations of our control records. On disk, never change.
const (
	segmentHeaderVersion = 1
	topicVersion         = 1

	topicOpSet    = 1
	topicOpDelete = 2

	topicStateDeleted = 1 << 0
)

// A TopicState is what a segment header says of a topic: all that a reader has to know of the
// segments before.
type TopicState struct {
	Name           string
	Mode, UID, GID uint32
	Time           int64  // of its newest record, or of its making; Unix nanoseconds
	Next           uint64 // offset of its next record
	Text           uint64 // place of its next byte in the plain text
	// First and FirstText are the same of the oldest record that may be shown: above 0 after the
	// topic was deleted. Deleted means that it does not exist at the moment.
	First, FirstText uint64
	Deleted          bool
}

// A SegmentHeader is the first record of each segment that we start.
type SegmentHeader struct {
	StoreID [16]byte
	Order   uint32 // number of the segment
	Time    int64  // Unix nanoseconds
	Topics  []TopicState
}

// AppendSegmentHeader appends the value of a segment header. Behind the topics stand, for those
// that were deleted once, their index, state and first offset; readers that do not know this ignore
// it.
func AppendSegmentHeader(b []byte, h *SegmentHeader) []byte {
	b = append(b, segmentHeaderVersion)
	b = append(b, h.StoreID[:]...)
	b = binary.BigEndian.AppendUint32(b, h.Order)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Time))
	b = appendVarint(b, uint64(len(h.Topics)))
	cut := 0
	for i := range h.Topics {
		t := &h.Topics[i]
		b = appendVarint(b, uint64(len(t.Name)))
		b = append(b, t.Name...)
		b = appendOwner(b, t.Mode, t.UID, t.GID, t.Time)
		b = appendVarint(b, t.Next)
		b = appendVarint(b, t.Text)
		if t.cut() {
			cut++
		}
	}
	if cut == 0 {
		return b
	}
	b = appendVarint(b, uint64(cut))
	for i := range h.Topics {
		t := &h.Topics[i]
		if !t.cut() {
			continue
		}
		state := byte(0)
		if t.Deleted {
			state = topicStateDeleted
		}
		b = appendVarint(b, uint64(i))
		b = append(b, state)
		b = appendVarint(b, t.First)
		b = appendVarint(b, t.FirstText)
	}
	return b
}

// cut tells whether something of the topic's beginning is not to be shown.
func (t *TopicState) cut() bool { return t.Deleted || t.First > 0 || t.FirstText > 0 }

func appendOwner(b []byte, mode, uid, gid uint32, time int64) []byte {
	b = binary.BigEndian.AppendUint32(b, mode)
	b = binary.BigEndian.AppendUint32(b, uid)
	b = binary.BigEndian.AppendUint32(b, gid)
	return binary.BigEndian.AppendUint64(b, uint64(time))
}

// ParseSegmentHeader decodes the value of a segment header.
func ParseSegmentHeader(value []byte) (*SegmentHeader, error) {
	d := decoder{rest: value}
	if version := d.u8(); d.err == nil && version != segmentHeaderVersion {
		return nil, fmt.Errorf("segment header: %w", ErrVersion)
	}
	h := new(SegmentHeader)
	copy(h.StoreID[:], d.bytes(len(h.StoreID)))
	h.Order = d.u32()
	h.Time = d.i64()
	topics := d.varint()
	for range topics {
		if d.err != nil { // also what ends a loop over a wrong number
			break
		}
		t := TopicState{Name: string(d.bytes(d.length(TopicBytesMax)))}
		t.Mode, t.UID, t.GID, t.Time = d.u32(), d.u32(), d.u32(), d.i64()
		t.Next, t.Text = d.offset(), d.offset()
		h.Topics = append(h.Topics, t)
	}
	if d.err == nil && len(d.rest) > 0 {
		d.cutTopics(h.Topics)
	}
	if d.err != nil {
		return nil, fmt.Errorf("segment header: %w", d.err)
	}
	return h, nil
}

// cutTopics reads what stands behind the topics of a segment header.
func (d *decoder) cutTopics(topics []TopicState) {
	for range d.varint() {
		i := d.varint()
		state, first, text := d.u8(), d.offset(), d.offset()
		if d.err == nil && i >= uint64(len(topics)) {
			d.err = ErrLength
		}
		if d.err != nil {
			return
		}
		topics[i].Deleted = state&topicStateDeleted != 0
		topics[i].First, topics[i].FirstText = first, text
	}
}

// A TopicChange makes, changes or deletes a topic.
type TopicChange struct {
	Delete         bool
	Name           []byte
	Mode, UID, GID uint32
	Time           int64
}

// AppendTopicChange appends the value of a topic record.
func AppendTopicChange(b []byte, c *TopicChange) []byte {
	op := byte(topicOpSet)
	if c.Delete {
		op = topicOpDelete
	}
	b = append(b, topicVersion, op)
	b = appendVarint(b, uint64(len(c.Name)))
	b = append(b, c.Name...)
	return appendOwner(b, c.Mode, c.UID, c.GID, c.Time)
}

// ParseTopicChange decodes the value of a topic record. The name points into value. Versions and
// operations that are not known are ErrVersion.
func ParseTopicChange(value []byte) (TopicChange, error) {
	d := decoder{rest: value}
	version, op := d.u8(), d.u8()
	if d.err == nil && (version != topicVersion || op != topicOpSet && op != topicOpDelete) {
		return TopicChange{}, fmt.Errorf("topic record: %w", ErrVersion)
	}
	c := TopicChange{Delete: op == topicOpDelete}
	c.Name = d.bytes(d.length(TopicBytesMax))
	c.Mode, c.UID, c.GID, c.Time = d.u32(), d.u32(), d.u32(), d.i64()
	if d.err == nil && len(c.Name) == 0 {
		d.err = ErrLength
	}
	if d.err != nil {
		return TopicChange{}, fmt.Errorf("topic record: %w", d.err)
	}
	return c, nil
}

// A decoder takes fields off the front of rest. The first error stays; what comes after it is zero.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) bytes(n int) []byte {
	if d.err == nil && len(d.rest) < n {
		d.err = ErrLength
	}
	if d.err != nil {
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) u8() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if b := d.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if b := d.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) i64() int64 { return int64(d.u64()) }

func (d *decoder) varint() uint64 {
	if d.err != nil {
		return 0
	}
	v, n := varint(d.rest, valueVarintBytesMax)
	if n <= 0 {
		d.err = ErrLength
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// length reads a length of at most limit.
func (d *decoder) length(limit int) int { return int(d.number(uint64(limit))) }

// offset reads an offset of a topic, or a place in its plain text.
func (d *decoder) offset() uint64 { return d.number(OffsetMax) }

// number reads a varint of at most limit.
func (d *decoder) number(limit uint64) uint64 {
	v := d.varint()
	if v > limit {
		d.err = ErrLength
		return 0
	}
	return v
}
