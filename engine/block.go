package engine

import (
	"fmt"

	"purofs/engine/format"
)

// A blockBuilder puts a block together from the batches of a group. It belongs to the leader; its
// buffers are used again for each block.
type blockBuilder struct {
	group []*Batch

	pieces    [][]byte // the block's bytes, low, and before them the magic of a new segment
	start     int64    // how many bytes stand before the start record
	bytes     int64    // of all pieces
	time      int64
	sync      bool // some batch asks for a sync
	runs      []format.Run
	runTopics []*topicState // of runs

	serial uint64 // of the block, see topicState.block
	head   []byte
	header []byte
	intro  []byte // the segment header, as a record
	end    []byte
	joined []byte
}

// joinBytesMax is up to which size a block is copied together: below it, one pwrite(2) of a copy is
// faster than a pwritev(2).
const joinBytesMax = 64 << 10

// bytesOf is how many bytes a block of the group takes at most.
func (w *blockBuilder) bytesOf(group []*Batch) int {
	n := 0
	for _, b := range group {
		n += b.size()
	}
	return n
}

// build makes the block of a group for the place pos. Log.mu is held.
func (w *blockBuilder) build(l *Log, group []*Batch, pos int64) error {
	w.begin(l)
	for _, b := range group {
		for i := range b.topics {
			if err := w.count(&l.table, b, i); err != nil {
				return err
			}
		}
		if err := w.room(&l.table, b); err != nil {
			return err
		}
		b.time = w.time
		w.sync = w.sync || b.Sync
	}
	if pos <= int64(len(format.Magic)) {
		w.introduce(l)
	}
	for _, b := range group {
		if len(b.control) > 0 {
			w.pieces = append(w.pieces, b.control)
		}
	}
	for _, b := range group {
		if b.count > 0 {
			w.pieces = append(w.pieces, b.enc.Finish())
		}
	}
	w.frame(pos)
	return nil
}

// introduce begins the first block of a segment with its header. One that no block can hold is left
// out: another program may make any number of topics, and without a header, as in segments of Puro,
// the segments before are gone by.
func (w *blockBuilder) introduce(l *Log) {
	header := format.AppendSegmentHeader(nil, l.table.header(l.active.Order(), w.time))
	if len(header) <= segmentHeaderBytesMax {
		w.intro = format.AppendRecord(w.intro[:0], []byte{format.TopicSegmentHeader}, nil, header)
		w.pieces = append(w.pieces, w.intro)
	}
}

// buildTombstone makes the block that ends a segment. Log.mu is held.
func (w *blockBuilder) buildTombstone(l *Log, order uint32, pos int64) {
	w.begin(l)
	w.intro = format.AppendRecord(w.intro[:0], []byte{format.TopicTombstone}, nil, nil)
	w.pieces = append(w.pieces, w.intro)
	w.frame(pos)
}

func (w *blockBuilder) begin(l *Log) {
	w.serial++
	w.time = l.now()
	w.sync = false
	w.runs, w.runTopics = w.runs[:0], w.runTopics[:0]
	w.pieces = append(w.pieces[:0], nil) // the head comes last
}

// count adds topic i of a batch to the block's runs, and gives its records their offsets.
func (w *blockBuilder) count(t *table, b *Batch, i int) error {
	part := &b.topics[i]
	s := t.topics[string(part.name)]
	if s == nil {
		if err := t.room(part.name); err != nil {
			return err
		}
		s = t.get(part.name)
	}
	if s.block != w.serial {
		s.block, s.run, s.building = w.serial, len(w.runs), true
		w.runs = append(w.runs, format.Run{Offset: s.Next})
		w.runTopics = append(w.runTopics, s)
	}
	run := &w.runs[s.run]
	part.first = run.Offset + run.Records
	run.Records += part.records
	run.ValueBytes += part.valueBytes
	next, text := run.Offset+run.Records, s.Text+run.ValueBytes+run.Records
	if next > format.OffsetMax || text > format.OffsetMax { // which nobody would believe
		return fmt.Errorf("%w: topic %.64q has used up its offsets", ErrTooLarge, s.Name)
	}
	return nil
}

// done lets go of the block's topics, whether it was written or not: those that came up for nothing
// are forgotten. Log.mu is held.
func (w *blockBuilder) done(t *table) {
	for _, s := range w.runTopics {
		s.building = false
		t.forget(s)
	}
	w.runTopics = w.runTopics[:0]
}

// room tells whether the topic that a control record makes still fits.
func (w *blockBuilder) room(t *table, b *Batch) error {
	if len(b.control) == 0 {
		return nil
	}
	record, _, err := format.ParseRecord(b.control)
	if err != nil {
		return err
	}
	change, err := format.ParseTopicChange(record.Value)
	if err != nil || t.topics[string(change.Name)] != nil {
		return err
	}
	return t.room(change.Name)
}

// frame puts the start record, the header and the end record around the pieces.
func (w *blockBuilder) frame(pos int64) {
	inside := w.pieces[1:]
	w.header = format.AppendHeader(w.header[:0], w.time, w.runs, inside...)
	length := format.StartBytes + len(w.header)
	for _, piece := range inside {
		length += len(piece)
	}
	w.head = w.head[:0]
	if pos == 0 {
		w.head = append(w.head, format.Magic[:]...)
	}
	w.start = int64(len(w.head))
	w.head = append(format.AppendStart(w.head, length), w.header...)
	w.end = format.AppendEnd(w.end[:0], length)
	w.pieces[0] = w.head
	w.pieces = append(w.pieces, w.end)
	w.bytes = w.start + int64(length) + format.EndBytes
	if w.bytes <= joinBytesMax {
		w.joined = w.joined[:0]
		for _, piece := range w.pieces {
			w.joined = append(w.joined, piece...)
		}
		w.pieces = append(w.pieces[:0], w.joined)
	}
}
