package engine

import (
	"context"
	"fmt"
	"slices"

	"purofs/engine/format"
	"purofs/engine/segment"
)

// mend does what the look at the store has shown to be needed.
func (r *repairer) mend(ctx context.Context) error {
	for _, order := range r.needs {
		if r.wanted[order] == problemNoFile {
			continue
		}
		if err := r.mendSegment(ctx, order); err != nil {
			return err
		}
	}
	wanted := make([]uint32, 0, len(r.wanted))
	for order := range r.wanted {
		wanted = append(wanted, order)
	}
	slices.Sort(wanted)
	for _, order := range wanted {
		if err := r.mendName(order); err != nil {
			return err
		}
	}
	return nil
}

// mendSegment locks a segment, looks at it again, and mends what it finds.
func (r *repairer) mendSegment(ctx context.Context, order uint32) error {
	seg, err := segment.Open(r.dir, order, true)
	if err != nil {
		return err
	}
	defer seg.Close()
	if err := r.lock(ctx, seg); err != nil {
		return err
	}
	defer seg.UnlockTail()
	last, damaged := int64(0), false
	s := sweep{
		seg:  seg,
		tell: func(int64) {},
		block: func(b *segment.Block, _ error) {
			if b.Header {
				last = b.Time
			}
			if r.newest(order) {
				_ = r.table.apply(b, nil) // others may have appended since the first look
			}
		},
		damage: func(d *DamageError) error {
			damaged = true
			if !r.canMend(d) {
				return nil
			}
			return r.replace(seg, d.Pos, d.End, d.Reason)
		},
	}
	end, err := s.run(ctx)
	if err != nil {
		return err
	}
	if end.pos, err = r.mendEnd(seg, end, last); err != nil {
		return err
	}
	if r.newest(order) && end.state != "sealed" && (damaged || end.damage != nil) {
		return r.keepOffsets(seg, end.pos, last)
	}
	return nil
}

// lock locks a segment, if there are still the same ones as at the first look.
func (r *repairer) lock(ctx context.Context, seg *segment.Segment) error {
	// Below the end of the newest segment nobody but a repair writes; of a complete one retention and
	// compaction may want the whole.
	from := int64(0)
	if r.newest(seg.Order()) {
		var err error
		if from, err = seg.Size(); err != nil {
			return err
		}
	}
	if err := lockError(seg.LockTail(ctx, from, r.opts.LockTimeout)); err != nil {
		return fmt.Errorf("%s: %w", segment.Name(seg.Order()), err)
	}
	now, err := segmentsOf(r.dir)
	if err == nil && !slices.Equal(now, r.segments) {
		err = fmt.Errorf("%w: segments came or went meanwhile; start again", ErrLocked)
	}
	if err != nil {
		seg.UnlockTail()
	}
	return err
}

// replace puts blocks in the place of damaged bytes.
func (r *repairer) replace(seg *segment.Segment, pos, end int64, why string) error {
	kept, err := seg.Replace(r.dir, pos, end)
	if err != nil {
		return err
	}
	r.step(seg.Order(), pos, end, why, replaced, kept)
	return nil
}

// mendEnd mends the end of a segment, before which all is mended, and returns where it ends then.
// last is the time of the last block that has one.
func (r *repairer) mendEnd(seg *segment.Segment, e ending, last int64) (int64, error) {
	order := seg.Order()
	cut := e.state == "torn" || e.state == "sealed" && e.pos < e.size
	why := "bytes stand behind the end of the segment"
	switch {
	case e.damage != nil && segment.CanReplace(e.pos, e.size):
		if err := r.replace(seg, e.pos, e.size, e.damage.Reason); err != nil {
			return 0, err
		}
		e.pos = e.size
	case e.damage != nil:
		cut, why = true, e.damage.Reason
	}
	if cut {
		kept, err := seg.Repair(r.dir, e.pos)
		if err != nil {
			return 0, err
		}
		r.step(order, e.pos, e.size, why, cutOff, kept)
	}
	if !r.newest(order) && e.state != "sealed" && (e.magic || e.state != "clean") {
		if err := seg.Append(e.pos, [][]byte{sealBlock(last)}, 0, true); err != nil {
			return 0, err
		}
		if err := seg.Sync(); err != nil {
			return 0, err
		}
		r.step(order, e.pos, e.pos, "it has no tombstone", sealed, "")
	}
	return e.pos, nil
}

// keepOffsets sees to it that the offsets of records that were lost at the end of the log are not
// given out again, as far as the checkpoint knows of them: readers that had seen those records
// would take the new ones for them.
func (r *repairer) keepOffsets(seg *segment.Segment, pos, last int64) error {
	b, err := r.dir.ReadFile(checkpointName, checkpointBytesMax)
	if err != nil {
		return nil // there is none
	}
	c, err := format.ParseCheckpoint(b)
	if err != nil || c.Log.StoreID != r.table.storeID {
		return nil
	}
	known := &format.SegmentHeader{StoreID: c.Log.StoreID, Order: seg.Order(), Time: last}
	for _, t := range c.Log.Topics {
		if s := r.table.topics[t.Name]; s == nil || t.Next > s.Next {
			known.Topics = append(known.Topics, t)
		}
	}
	if len(known.Topics) == 0 {
		return nil
	}
	body := format.AppendRecord(nil, []byte{format.TopicSegmentHeader}, nil,
		format.AppendSegmentHeader(nil, known))
	header := format.AppendHeader(nil, max(last, c.Log.Time)+1, nil, body)
	if err := seg.Append(pos, [][]byte{blockOf(header, body)}, 0, true); err != nil {
		return err
	}
	if err := seg.Sync(); err != nil {
		return err
	}
	r.step(seg.Order(), pos, pos, "records were lost at the end of the log",
		fmt.Sprintf("their offsets, in %d topics, noted as used", len(known.Topics)), "")
	return nil
}

// mendName sees to a segment that is missing, or whose name something else has.
func (r *repairer) mendName(order uint32) error {
	kept := ""
	action := standIn
	found := "it is missing"
	if r.wanted[order] == problemNoFile {
		var err error
		if kept, err = segment.MoveToLost(r.dir, segment.Name(order)); err != nil {
			return err
		}
		found, action = "it is not a regular file", movedOut+", "+standIn
	}
	if kept != "" && r.newest(order) {
		action = movedOut // the next append starts it again
	} else if err := r.makeStandIn(order); err != nil {
		return err
	}
	r.step(order, -1, -1, found, action, kept)
	return nil
}

// makeStandIn makes a segment that says that the one of its number is lost, and ends.
func (r *repairer) makeStandIn(order uint32) error {
	seg, err := segment.Create(r.dir, order, r.table.filePerm())
	if err != nil {
		return err
	}
	defer seg.Close()
	const note = "all of it"
	block := format.AppendLost(slices.Clone(format.Magic[:]), format.LostBytesMin+len(note), note)
	start := int64(len(format.Magic))
	if err := seg.Append(0, [][]byte{block}, start, true); err != nil {
		return err
	}
	if err := seg.Append(int64(len(block)), [][]byte{sealBlock(0)}, 0, true); err != nil {
		return err
	}
	return seg.Sync()
}
