package engine

import (
	"fmt"
	"time"

	"purofs/engine/format"
)

// batchBytesKeep is how large a batch's buffer may be to survive Reset.
const batchBytesKeep = 4 << 20

// A Batch is the records of one Append, of one or several topics, encoded as they are added. After
// Reset it can be filled again; reusing one saves its allocations. A batch is used by one goroutine
// at a time, and must not be touched during Append.
type Batch struct {
	// Sync makes the append return only when the records are on the disk, whatever the log's mode is.
	Sync bool
	// NoWait makes the append fail with ErrLocked at once when another process holds the log's lock.
	NoWait bool

	enc     format.Encoder
	topics  []batchTopic
	current int            // index of the last record's topic
	byName  map[string]int // of the topics, once there are many
	records []batchRecord  // only if there is more than one topic
	count   int

	control  []byte // a control record that stands before the records
	valueMax int    // largest value
	keyMax   int    // largest key
	err      error  // what Append will say

	time int64
	done chan error // the leader's answer
}

// A batchTopic is the part of a batch that one topic has in it.
type batchTopic struct {
	name       []byte
	records    uint64
	valueBytes uint64
	first      uint64 // offset of its first record, once appended
}

type batchRecord struct{ topic, nth uint32 }

// batchTopicsLinear is how many topics of a batch are looked through one by one.
const batchTopicsLinear = 8

// Reset empties the batch, and its options.
func (b *Batch) Reset() {
	b.enc.Reset(batchBytesKeep)
	b.topics, b.records, b.control = b.topics[:0], b.records[:0], b.control[:0]
	clear(b.byName)
	b.current, b.count, b.valueMax, b.keyMax, b.err = 0, 0, 0, 0, nil
	b.Sync, b.NoWait = false, false
}

// Len is the number of records.
func (b *Batch) Len() int { return b.count }

// Offset is the offset that record i, counted from 0 in the order of Add, got in its topic. It is
// known after a successful Append.
func (b *Batch) Offset(i int) uint64 {
	if i < 0 || i >= b.count {
		panic(fmt.Sprintf("BUG: record %d of a batch of %d", i, b.count))
	}
	if len(b.topics) == 1 {
		return b.topics[0].first + uint64(i)
	}
	r := b.records[i]
	return b.topics[r.topic].first + uint64(r.nth)
}

// Time is when the records were written. It is known after a successful Append.
func (b *Batch) Time() time.Time { return time.Unix(0, b.time) }

// Add adds a record whose value is the parts, joined. Nothing of the arguments is kept. A name that
// no topic can have and a record over its limit are reported by Append.
func (b *Batch) Add(topic string, key []byte, value ...[]byte) {
	if len(b.topics) == 0 || string(b.topics[b.current].name) != topic {
		b.turnTo(topic)
	}
	valueBytes := 0
	for _, part := range value {
		valueBytes += len(part)
	}
	b.valueMax, b.keyMax = max(b.valueMax, valueBytes), max(b.keyMax, len(key))
	if b.err != nil || b.enc.Len()+valueBytes+len(key) > format.BlockBytesMax {
		b.refuse(fmt.Errorf("%w: a batch holds at most %d bytes", ErrTooLarge, batchBytesMax))
		return
	}
	t := &b.topics[b.current]
	if len(b.topics) > 1 {
		b.records = append(b.records, batchRecord{uint32(b.current), uint32(t.records)})
	}
	b.enc.Add(t.name, key, valueBytes, value)
	t.records++
	t.valueBytes += uint64(valueBytes)
	b.count++
}

// refuse keeps the first error, which Append returns.
func (b *Batch) refuse(err error) {
	if b.err == nil {
		b.err = err
	}
}

// turnTo makes topic the current one.
func (b *Batch) turnTo(topic string) {
	if err := CheckTopicName(topic); err != nil {
		b.refuse(err)
	}
	b.current = b.find(topic)
	if b.current < 0 {
		b.current = len(b.topics)
		b.topics = append(b.topics, b.spare(topic))
		if b.current == 1 { // from now on each record says whose it is
			for i := range b.count {
				b.records = append(b.records, batchRecord{0, uint32(i)})
			}
		}
		if b.current >= batchTopicsLinear {
			b.indexTopics()
		}
	}
	b.enc.SetTopic(b.topics[b.current].name)
}

// spare returns an entry for topic whose name reuses the buffer of an earlier use of the batch.
func (b *Batch) spare(topic string) batchTopic {
	var name []byte
	if n := len(b.topics); n < cap(b.topics) {
		name = b.topics[:n+1][n].name[:0]
	}
	return batchTopic{name: append(name, topic...)}
}

func (b *Batch) find(topic string) int {
	if len(b.topics) > batchTopicsLinear {
		if i, ok := b.byName[topic]; ok {
			return i
		}
		return -1
	}
	for i := range b.topics {
		if string(b.topics[i].name) == topic {
			return i
		}
	}
	return -1
}

// indexTopics brings byName up to date.
func (b *Batch) indexTopics() {
	if b.byName == nil {
		b.byName = make(map[string]int)
	}
	for i := len(b.byName); i < len(b.topics); i++ {
		b.byName[string(b.topics[i].name)] = i
	}
}

// blockOverheadMax is room for the start, the end, and the header with the runs of a batch of one
// topic; batches of more topics count their runs on top.
const (
	blockOverheadMax = 128
	runBytesMax      = 3 * 10
	// batchBytesMax bounds a batch so that it fits into a block behind a segment header.
	batchBytesMax = format.BlockBytesMax - segmentHeaderBytesMax
)

// size is how many bytes of a block the batch takes at most.
func (b *Batch) size() int {
	return b.enc.Len() + len(b.control) + blockOverheadMax + runBytesMax*len(b.topics)
}

// check tells what Append has to refuse.
func (b *Batch) check(valueBytesMax int) error {
	switch {
	case b.err != nil:
		return b.err
	case b.count == 0 && len(b.control) == 0:
		return ErrEmptyBatch
	case b.valueMax > valueBytesMax:
		return fmt.Errorf("%w: a value of %d bytes, at most %d are allowed (option max_record)",
			ErrTooLarge, b.valueMax, valueBytesMax)
	case b.keyMax > format.KeyBytesMax:
		return fmt.Errorf("%w: a key of %d bytes, at most %d are allowed",
			ErrTooLarge, b.keyMax, format.KeyBytesMax)
	case b.size() > batchBytesMax:
		return fmt.Errorf("%w: a batch of %d bytes, at most %d are allowed: append it in parts",
			ErrTooLarge, b.size(), batchBytesMax)
	}
	return nil
}
