package oracle

import (
	"context"
	"errors"
	"fmt"

	"purofs/engine"
)

// A CursorBook is what is known of a cursor at some moment, as a ledger is of a producer. A copy of
// it stands for that moment.
type CursorBook struct {
	// Topic and Name say which cursor it is.
	Topic, Name string
	// Made says that its making was acknowledged. Without that it may be there or not.
	Made bool
	// Least is where a power cut puts the cursor back at most. No record at Most or behind it is done.
	Least, Most uint64
}

// Moving notes that the cursor is about to be moved: from now on it may be here or there, and a
// power cut that comes soon enough puts it to neither.
func (b *CursorBook) Moving(next uint64) { b.Least, b.Most = min(b.Least, next), max(b.Most, next) }

// Kept notes that the cursor is where it is for good, until it is moved: that is promised to
// survive a power cut.
func (b *CursorBook) Kept(next uint64) { b.Least, b.Most = next, next }

// CheckCursor looks where a cursor stands in a log that was opened after a fault, and appends a
// record to its topic before: a position behind the end of the log would pass that over. It moves
// the cursor afterwards, which has to be possible. The error says what must not be.
func CheckCursor(ctx context.Context, l *engine.Log, b CursorBook) error {
	end := uint64(0) // of the topic, which may be lost
	if t, err := l.Topic(b.Topic); err == nil {
		end = t.Next
	} else if !errors.Is(err, engine.ErrNoTopic) {
		return err
	}
	var batch engine.Batch
	batch.Add(b.Topic, nil, []byte("another record than the one that may have been here"))
	if err := l.Append(ctx, &batch); err != nil {
		return err
	}
	cursor, err := l.OpenCursor(b.Topic, b.Name)
	switch {
	case errors.Is(err, engine.ErrNoCursor) && !b.Made:
		return nil
	case errors.Is(err, engine.ErrCursorDamaged) && b.Least < b.Most:
		// Both halves were being written: no sync was between them. What the error says helps.
		err = errors.Join(l.RemoveCursor(b.Topic, b.Name), l.CreateCursor(ctx, b.Topic, b.Name))
		if err == nil {
			cursor, err = l.OpenCursor(b.Topic, b.Name)
		}
		b.Kept(0)
	}
	if err != nil {
		return fmt.Errorf("the cursor, which must be from %d to %d: %w", b.Least, b.Most, err)
	}
	defer cursor.Close()
	switch next := cursor.Next(); {
	case next > min(b.Most, end):
		return fmt.Errorf("the cursor has skipped records: it is at %d, %d were done at most, "+
			"and %d of the topic are left", next, b.Most, end)
	case next < b.Least:
		return fmt.Errorf("the cursor is at %d, though %d was promised", next, b.Least)
	}
	if err := cursor.Commit(end + 1); err != nil {
		return err
	}
	if got, err := l.CursorPosition(b.Topic, b.Name); err != nil || got != end+1 {
		return fmt.Errorf("moved to %d the cursor is at %d: %w", end+1, got, err)
	}
	return nil
}
