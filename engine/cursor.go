package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"purofs/engine/format"
)

// A Cursor is a durable position in a topic, the offset of the first record that is not done, and
// the right to move it. One at a time has that right, over all processes; the kernel takes it back
// when its holder dies. Its methods are safe for concurrent use.
//
// Delivery by a cursor is at least once: a position that Commit has acknowledged survives the death
// of every process, and whoever opens the cursor next goes on there. A power cut may put it back,
// as far as the SyncMode allows, but never ahead of a record that was not done.
type Cursor struct {
	log         *Log
	topic, name string

	mu      sync.Mutex // guards what follows
	file    *cursorFile
	next    uint64
	prober  *prober
	secured bool  // both slots have the position: see secure
	failed  error // of a sync: nothing is accepted any more
}

// OpenCursor takes a cursor. The error is ErrCursorHeld if somebody else has it, ErrNoCursor,
// ErrNoTopic, ErrInvalidCursor, ErrCursorDamaged, ErrReadOnly, ErrClosed, or that of the file
// system.
func (l *Log) OpenCursor(topic, name string) (*Cursor, error) {
	c := &Cursor{log: l, topic: topic, name: name, prober: newProber(l, topic)}
	err := l.checkCursor(topic, name, true)
	if err == nil {
		c.file, err = lockCursorFile(l.dir, cursorPath(topic, name))
	}
	if err == nil {
		if err = c.settle(); err != nil {
			c.file.Close()
		}
	}
	if err != nil {
		c.prober.close()
		return nil, c.error(err)
	}
	return c, nil
}

func (c *Cursor) error(err error) error { return cursorError(c.topic, c.name, err) }

// settle reads where the cursor stands, and moves it where it must stand now.
func (c *Cursor) settle() error {
	l := c.log
	sound, err := c.file.read()
	if err != nil {
		l.note(c.error(err))
		return err
	}
	if sound == 1 {
		l.note(c.error(errors.New(cursorHalf)))
	}
	s, err := c.prober.settle(&c.file.slot)
	if err != nil {
		return err
	}
	c.next = s.next
	if s.reason == "" {
		return nil
	}
	l.note(c.error(fmt.Errorf("it goes back from %d to %d: %s", c.file.slot.Done.Next, s.next,
		s.reason)))
	if !s.safe {
		c.file.slot.Safe, c.file.slot.SafeAt = format.CursorMark{}, 0
	}
	return c.store(s.next)
}

// Next is the offset of the first record that is not done.
func (c *Cursor) Next() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

// Commit moves the cursor: all records before offset next are done. When it returns nil the
// position survives the death of every process, and a power cut as the SyncMode says: at once with
// SyncAlways and SyncFlip, within Options.SyncInterval with SyncInterval. After an error the cursor
// is where it was.
//
// The error is ErrPosition for an offset beyond the end of the topic, ErrNoTopic if that was
// deleted, ErrPoisoned after a failed sync, ErrClosed, fs.ErrClosed if the cursor is, or that of
// the file system.
func (c *Cursor) Commit(next uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.usable(); err != nil {
		return c.error(err)
	}
	if next == c.next {
		return nil
	}
	return c.error(c.store(next))
}

func (c *Cursor) usable() error {
	if c.file == nil {
		return fs.ErrClosed
	}
	if c.failed != nil {
		return c.failed
	}
	return c.log.checkOpen()
}

// store writes the position. c.mu is held, or nobody else has the cursor yet.
func (c *Cursor) store(next uint64) error {
	l := c.log
	done, end, err := c.prober.mark(next)
	if err != nil {
		return err
	}
	slot := c.file.slot
	slot.Sequence++
	slot.Done, slot.BootID = done, l.bootID
	covered := next <= slot.Safe.Next || l.sync.covers(end)
	if !covered && l.coverNow(slot.SafeAt) {
		if _, err := l.syncAll(); err != nil {
			return err
		}
		covered = true
	}
	if covered {
		slot.Safe, slot.SafeAt = done, time.Now().UnixNano()
	}
	c.secured = false
	if err := c.file.write(&slot); err != nil {
		return err
	}
	switch l.opts.Sync {
	case SyncAlways, SyncFlip:
		err = c.sync()
	case SyncInterval:
		err = l.cursors.add(c.file)
	}
	if err == nil {
		c.next = next
	}
	return err
}

// coverNow tells whether the log has to be synced for the records that a cursor passes to be safe:
// always, if the mode is so strict, and otherwise when the cursor would fall back too far.
func (l *Log) coverNow(safeAt int64) bool {
	switch l.opts.Sync {
	case SyncNone:
		return false
	case SyncInterval:
		age := time.Duration(time.Now().UnixNano() - safeAt)
		return age < 0 || age > 2*l.opts.SyncInterval
	}
	return true
}

// sync forces the position to the disk. After an error the kernel may have dropped it, and a second
// try would only seem to succeed.
func (c *Cursor) sync() error {
	if err := c.file.Datasync(); err != nil {
		c.failed = fmt.Errorf("%w: %w (close the cursor and open it again)", ErrPoisoned, err)
		return c.failed
	}
	return nil
}

// Sync returns when the position is on the disk, with all records before it. The error is
// ErrPoisoned, ErrClosed, or fs.ErrClosed if the cursor is.
func (c *Cursor) Sync(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.usable(); err != nil {
		return c.error(err)
	}
	if err := c.log.Sync(ctx); err != nil {
		return c.error(err)
	}
	if err := c.secure(); err != nil {
		return c.error(err)
	}
	return c.error(c.sync())
}

// secure writes the position into the other slot too, and that it is safe, now that the log is on
// the disk. Without that a power cut that spoils one of the two writes that come next, and drops
// the other, would leave the position before this one; and if it takes records that a later
// position has passed, the cursor would go back behind this one.
func (c *Cursor) secure() error {
	if mode := c.log.opts.Sync; c.secured || mode == SyncAlways || mode == SyncFlip {
		return nil // there no write begins before the one before it is on the disk
	}
	slot := c.file.slot
	slot.Sequence++
	slot.Safe, slot.SafeAt = slot.Done, time.Now().UnixNano()
	slot.BootID = c.log.bootID
	err := c.file.write(&slot)
	c.secured = err == nil
	return err
}

// Close gives the cursor back. What was committed stays, and what the SyncMode promises for it is
// done although it is closed.
func (c *Cursor) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return c.error(fs.ErrClosed)
	}
	c.prober.close()
	err := c.log.cursors.release(c.file)
	c.file = nil
	return c.error(err)
}
