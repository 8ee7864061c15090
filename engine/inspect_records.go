package engine

import (
	"errors"
	"iter"
	"time"

	"purofs/engine/format"
)

// A PieceRecord is a record, or what seems to be one, in a piece of a segment file. Its slices are
// valid as long as the piece is.
type PieceRecord struct {
	Pos, End int64
	Check    bool // its own check is right
	// Control is 0x00 to 0x1f for a control record, -1 for a record of a topic.
	Control           int
	Topic, Key, Value []byte
	// Offset is the record's number in its topic, -1 if nothing here tells it.
	Offset int64
	// Segment, Change and Lost are what a control record says, if it is of that kind and can be
	// understood.
	Segment *SegmentInfo
	Change  *TopicChange
	Lost    string // the file that keeps what stood here before a repair
}

// A SegmentInfo is what a segment's first block says of all that was before it.
type SegmentInfo struct {
	StoreID [16]byte
	Order   uint32
	Time    time.Time
	Topics  []TopicInfo
}

// A TopicChange is a topic that was made, changed or deleted.
type TopicChange struct {
	Name   string
	Delete bool
	Attr   TopicAttr
	Time   time.Time
}

// Records returns the records of a piece one after the other, the header's left out. Of a piece
// that is not sound they are what can be made out from its beginning on; their checks tell how far
// to trust them. An error ends it: of reading, or of bytes that are no record.
func (p *Piece) Records() iter.Seq2[PieceRecord, error] {
	return func(yield func(PieceRecord, error) bool) {
		if !p.mayHaveRecords() {
			return
		}
		inside, err := p.inside()
		if err != nil {
			yield(PieceRecord{}, err)
			return
		}
		c := p.counter(inside)
		for at := 0; at < len(inside); {
			r, n, err := format.ParseRecord(inside[at:])
			pos := p.Pos + format.StartBytes + int64(at)
			if err != nil {
				yield(PieceRecord{Pos: pos, End: p.End}, err)
				return
			}
			record := describe(r)
			record.Pos, record.End = pos, pos+int64(n)
			record.Check = format.CheckRecord(inside[at:at+n]) == nil
			at += n
			if record.Control == format.TopicHeader {
				continue
			}
			record.Offset = c.offset(&record)
			if !yield(record, nil) {
				return
			}
		}
	}
}

// describe fills in what a record says by itself.
func describe(r format.Record) PieceRecord {
	d := PieceRecord{Control: -1, Topic: r.Topic, Key: r.Key, Value: r.Value}
	kind, control := r.Control()
	if !control {
		return d
	}
	d.Control = int(kind)
	switch kind {
	case format.TopicSegmentHeader:
		if h, err := format.ParseSegmentHeader(r.Value); err == nil {
			d.Segment = &SegmentInfo{StoreID: h.StoreID, Order: h.Order, Time: time.Unix(0, h.Time)}
			for _, t := range h.Topics {
				s := topicState{TopicState: t}
				d.Segment.Topics = append(d.Segment.Topics, s.info())
			}
		}
	case format.TopicTopic:
		if c, err := format.ParseTopicChange(r.Value); err == nil {
			d.Change = &TopicChange{
				Name: string(c.Name), Delete: c.Delete,
				Attr: TopicAttr{c.Mode, c.UID, c.GID}, Time: time.Unix(0, c.Time),
			}
		}
	case format.TopicLost:
		d.Lost = format.LostNote(r.Value)
	}
	return d
}

// An offsetCounter gives the records of a block their offsets.
type offsetCounter struct {
	runs   []HeaderRun
	sparse bool
	skips  format.Header // of a sparse block
	next   map[string]uint64
}

func (p *Piece) counter(inside []byte) *offsetCounter {
	c := &offsetCounter{runs: p.Header.Runs, sparse: p.Header.Sparse, next: make(map[string]uint64)}
	if c.sparse {
		h, _, _ := seemingHeader(inside)
		var err error
		if c.skips, err = h.Skips(); err != nil {
			c.runs = nil // without its skips no record has an offset
		}
	}
	return c
}

// offset is that of the next record, -1 if it cannot be told.
func (c *offsetCounter) offset(r *PieceRecord) int64 {
	if r.Control >= 0 {
		return -1
	}
	next, known := c.next[string(r.Topic)]
	if !known {
		if len(c.runs) == 0 {
			return -1
		}
		next, c.runs = c.runs[0].Offset, c.runs[1:]
	}
	if c.sparse {
		skip, err := c.skips.NextSkip()
		if err != nil {
			c.runs = nil
			return -1
		}
		next += skip
	}
	c.next[string(r.Topic)] = next + 1
	return int64(next)
}

// IsNoRecord tells whether an error of Records is about the bytes, and not about reading them.
func IsNoRecord(err error) bool {
	return errors.Is(err, format.ErrShort) || errors.Is(err, format.ErrLength) ||
		errors.Is(err, format.ErrVarint)
}
