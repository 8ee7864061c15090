package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"purofs/engine"
	"purofs/engine/faults"
	"purofs/engine/format"
)

// The cursor of the scripts, and its topic.
const cursorTopic, cursorName = "all", "c"

// A cursorBook is what is known of the cursor at some moment, as a ledger is of a producer.
type cursorBook struct {
	made bool // acknowledged; without it, it may be there or not
	// least is where a power cut puts the cursor back at most. No record behind most is done.
	least, most uint64
}

// takeCursor returns the cursor, which is taken once for each log.
func (p *player) takeCursor() (*engine.Cursor, error) {
	l, err := p.log()
	if err != nil || p.cursor != nil {
		return p.cursor, err
	}
	p.cursor, err = l.OpenCursor(cursorTopic, cursorName)
	return p.cursor, err
}

// leaveCursor gives the cursor back, if it was taken.
func (p *player) leaveCursor() error {
	if p.cursor == nil {
		return nil
	}
	cursor := p.cursor
	p.cursor = nil
	return cursor.Close()
}

// makesCursor makes the cursor.
func makesCursor() step {
	return func(p *player) error {
		l, err := p.log()
		if err != nil {
			return err
		}
		if err := l.CreateCursor(context.Background(), cursorTopic, cursorName); err != nil {
			return err
		}
		p.cursorBook.made = true
		p.note()
		return nil
	}
}

// moves moves the cursor on by that many records, or back; not beyond the end of the topic.
func moves(by int) step {
	return func(p *player) error {
		l, err := p.log()
		if err != nil {
			return err
		}
		t, err := l.Topic(cursorTopic)
		if err != nil {
			return err
		}
		cursor, err := p.takeCursor()
		if err != nil {
			return err
		}
		next := min(uint64(max(0, int(cursor.Next())+by)), t.Next)
		b := &p.cursorBook
		b.least, b.most = min(b.least, next), max(b.most, next)
		p.note()
		if err := cursor.Commit(next); err != nil {
			return err
		}
		if p.powered || p.opts.Sync == engine.SyncAlways || p.opts.Sync == engine.SyncFlip {
			b.least, b.most = next, next
		}
		p.note()
		return nil
	}
}

// syncsCursor forces the cursor's position to the disk.
func syncsCursor() step {
	return func(p *player) error {
		cursor, err := p.takeCursor()
		if err != nil {
			return err
		}
		if err := cursor.Sync(context.Background()); err != nil {
			return err
		}
		p.cursorBook.least, p.cursorBook.most = cursor.Next(), cursor.Next()
		p.note()
		return nil
	}
}

// seeks has a reader look for the last record of each topic in the oldest segment, which builds the
// index of that once it is complete.
func seeks() step {
	return func(p *player) error {
		l, err := p.log()
		if err != nil {
			return err
		}
		for _, t := range l.Topics() {
			if err := readsFrom(l, t.Name, t.First, t.First+1); err != nil {
				return err
			}
			if err := readsFrom(l, t.Name, t.Next/2, t.Next); err != nil {
				return err
			}
		}
		return nil
	}
}

// readsFrom reads the records from one offset to another one, and finds each of them.
func readsFrom(l *engine.Log, topic string, from, to uint64) error {
	r, err := l.OpenReader(topic, engine.AtOffset(from))
	if err != nil {
		return err
	}
	defer r.Close()
	for next := from; next < to; next++ {
		record, err := r.TryNext()
		if err != nil {
			return fmt.Errorf("topic %s from %d, which ends at %d: record %d: %w",
				topic, from, to, next, err)
		}
		if record.Offset != next {
			return fmt.Errorf("topic %s from %d: got record %d, want %d",
				topic, from, record.Offset, next)
		}
	}
	return nil
}

// rebootCursors has the cursors of an image be written before the machine started.
func rebootCursors(image faults.Image) {
	for _, name := range image.Names() {
		if !strings.HasPrefix(name, "cursors/") {
			continue
		}
		b := bytes.Clone(image.File(name))
		for sequence := range uint64(2) {
			at := min(int64(len(b)), format.CursorSlotPos(sequence))
			if slot, err := format.ParseCursorSlot(b[at:]); err == nil {
				slot.BootID = crashedBoot
				copy(b[at:], format.AppendCursorSlot(nil, &slot))
			}
		}
		image.SetFile(name, b)
	}
}

// checkBesides looks at what stands beside the log: readers that go by the topic indexes find what
// is in the log, and the cursor stands where it must, though the log has gone on meanwhile.
func (c *crashes) checkBesides(
	ctx context.Context, dir string, opts engine.Options, b *cursorBook,
) error {
	l, err := engine.Open(ctx, dir, opts)
	if err != nil {
		return err
	}
	defer l.Close()
	var end uint64
	for _, t := range l.Topics() {
		if t.Name == cursorTopic {
			end = t.Next
		}
		if t.Next == t.First {
			continue
		}
		for _, from := range []uint64{t.First, (t.First + t.Next) / 2, t.Next - 1} {
			if err := readsFrom(l, t.Name, from, t.Next); err != nil {
				return fmt.Errorf("the index: %w", err)
			}
		}
	}
	var batch engine.Batch
	batch.Add(cursorTopic, nil, []byte("another record than the one that may have been here"))
	if err := l.Append(ctx, &batch); err != nil {
		return err
	}
	return c.checkCursor(ctx, l, b, end)
}

// checkCursor looks where the cursor stands in a log whose topic ended at end after the power cut.
func (c *crashes) checkCursor(
	ctx context.Context, l *engine.Log, b *cursorBook, end uint64,
) error {
	cursor, err := l.OpenCursor(cursorTopic, cursorName)
	switch {
	case errors.Is(err, engine.ErrNoCursor) && !b.made:
		return nil
	case errors.Is(err, engine.ErrCursorDamaged) && b.least < b.most:
		// Both halves were being written: no sync was between them. What the error says helps.
		err = errors.Join(l.RemoveCursor(cursorTopic, cursorName),
			l.CreateCursor(ctx, cursorTopic, cursorName))
		if err == nil {
			cursor, err = l.OpenCursor(cursorTopic, cursorName)
		}
		b = new(cursorBook)
	}
	if err != nil {
		return fmt.Errorf("the cursor, which must be from %d to %d: %w", b.least, b.most, err)
	}
	defer cursor.Close()
	switch next := cursor.Next(); {
	case next > min(b.most, end):
		return fmt.Errorf("the cursor has skipped records: it is at %d, %d were done at most, "+
			"and %d of the topic are left", next, b.most, end)
	case next < b.least:
		return fmt.Errorf("the cursor is at %d, though %d was promised", next, b.least)
	}
	if err := cursor.Commit(end + 1); err != nil {
		return err
	}
	if got, err := l.CursorPosition(cursorTopic, cursorName); err != nil || got != end+1 {
		return fmt.Errorf("moved to %d the cursor is at %d: %w", end+1, got, err)
	}
	return nil
}
