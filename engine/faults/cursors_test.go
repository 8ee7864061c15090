package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"purofs/engine"
	"purofs/engine/faults"
	"purofs/engine/format"
	"purofs/engine/oracle"
)

// The cursor of the scripts, and its topic.
const cursorTopic, cursorName = "all", "c"

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
		p.cursorBook.Made = true
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
		p.cursorBook.Moving(next)
		p.note()
		if err := cursor.Commit(next); err != nil {
			return err
		}
		if p.powered || p.opts.Sync == engine.SyncAlways || p.opts.Sync == engine.SyncFlip {
			p.cursorBook.Kept(next)
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
		p.cursorBook.Kept(cursor.Next())
		p.note()
		return nil
	}
}

// seeks has readers look for records all over the log, which builds the indexes of complete
// segments.
func seeks() step {
	return func(p *player) error {
		l, err := p.log()
		if err != nil {
			return err
		}
		return oracle.CheckSeeks(l)
	}
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
func checkBesides(
	ctx context.Context, dir string, opts engine.Options, b oracle.CursorBook,
) error {
	l, err := engine.Open(ctx, dir, opts)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := oracle.CheckSeeks(l); err != nil {
		return fmt.Errorf("the index: %w", err)
	}
	return oracle.CheckCursor(ctx, l, b)
}
