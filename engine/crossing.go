package engine

import (
	"errors"
	"fmt"
	"io/fs"

	"purofs/engine/segment"
)

// This file is how a Reader gets from one segment to the next.

// enter opens the segment that comes next.
func (r *Reader) enter() error {
	l := r.log
	l.mu.Lock()
	defer l.unlockAndWake()
	if l.closed {
		return ErrClosed
	}
	if err := l.refresh(); err != nil {
		return err
	}
	if err := r.checkTopic(); err != nil {
		return err
	}
	if r.at == l.place() {
		if !r.missedAtTail() {
			r.arrive()
			return ErrNoRecord
		}
		r.turnBack(r.at)
	}
	return r.open()
}

// arrive takes over what the log knows of the topic at its end. If the last records before it were
// lost to damage, it is further than the reader got, who would wait for what is never to come.
// Log.mu is held.
func (r *Reader) arrive() {
	if t := r.log.table.topics[r.topic]; t != nil && t.Next > r.point.next {
		r.point = point{t.Next, max(r.point.text, t.Text)}
	}
}

// open opens the segment r.at.order. Log.mu is held.
func (r *Reader) open() error {
	h, err := r.log.hold(r.at.order)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is gone", ErrVanished, segment.Name(r.at.order))
	}
	if err != nil {
		return err
	}
	r.handle = h
	limit, err := r.limit()
	if err != nil {
		r.log.drop(h)
		r.handle = nil
		return err
	}
	r.scan = segment.NewScanner(h.Segment, r.at.pos, limit)
	if r.at.pos > 0 {
		r.scan.JumpTo(r.at.pos, r.start.time, 0)
	}
	r.setOut()
	return nil
}

// limit is up to where the segment can be read. Log.mu is held.
func (r *Reader) limit() (int64, error) {
	if r.at.order == r.log.active.Order() {
		return r.log.scan.Pos(), nil
	}
	return r.handle.Size()
}

// checkTopic looks whether the topic was deleted, and what of it may be shown. Log.mu is held.
func (r *Reader) checkTopic() error {
	t := r.log.table.topics[r.topic]
	if t == nil {
		return nil
	}
	if t.Deleted {
		return fmt.Errorf("%w: %.64q was deleted", ErrNoTopic, r.topic)
	}
	r.floor = max(r.floor, t.First)
	return nil
}

// endOfSegment goes on behind the scanner's limit: in the same segment, if it has grown, or in the
// next one. The error is ErrNoRecord if neither is there.
func (r *Reader) endOfSegment() error {
	l := r.log
	l.mu.Lock()
	defer l.unlockAndWake()
	if l.closed {
		r.release()
		return ErrClosed
	}
	if err := l.refresh(); err != nil {
		return err
	}
	if err := r.checkTopic(); err != nil {
		r.release()
		return err
	}
	r.at.pos = r.scan.Pos()
	limit, err := r.limit()
	if err != nil {
		return err
	}
	if limit > r.scan.Limit() && !r.scan.Sealed() {
		r.scan.SetLimit(limit)
		return nil
	}
	last := r.at.order == l.active.Order()
	if last && r.missedAtTail() {
		r.turnBack(r.at)
		return nil
	}
	r.release()
	if last {
		r.arrive()
		return ErrNoRecord
	}
	r.at, r.start.time = place{order: l.after(r.at.order)}, 0
	return r.open()
}
