package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"purofs/engine/format"
	"purofs/engine/segment"
)

// recover finds the tail of the log: from the checkpoint, or from the newest segment that says what
// was before it.
//
// Within one boot of the machine the signals tell what counts. After a crash of the machine, or a
// sync that the disk refused, they may stand over bytes that never reached the disk, so what the
// last checkpoint does not vouch for is checked in full; what fails, with all behind it, is a torn
// tail: nothing there was promised to be on the disk, and what remains is a prefix of what was
// written. Without a checkpoint nobody knows what the machine went through; then nothing is cut
// off, and what is not sound is damage. No power cut takes the checkpoint: see writeCheckpoint.
func (l *Log) recover(ctx context.Context) error {
	c := l.readCheckpoint()
	unsynced := l.unsynced()
	sameBoot := c != nil && c.BootID == l.bootID && !unsynced
	from := place{order: l.segments[len(l.segments)-1]} // all before the newest segment is on the disk
	var cutFrom *place
	if c != nil && !sameBoot {
		from = place{c.SyncedOrder, c.SyncedPos}
		cutFrom = &from
		if from != (place{c.Log.Order, c.Pos}) {
			c = nil // the state that it has is of a place that may have been lost
		}
	}
	if unsynced && !l.opts.ReadOnly {
		if err := l.rewrite(ctx, from); err != nil {
			return err
		}
	}
	if c != nil {
		if err := l.matchCheckpoint(c); err != nil {
			l.opts.Logger.Info().Err(err).Msg("the checkpoint does not fit; walking over the segment")
			c, sameBoot = nil, false
		}
	}
	if err := l.startAt(c); err != nil {
		return err
	}
	if sameBoot {
		return l.reopen(place{c.SyncedOrder, c.SyncedPos})
	}
	l.sync.synced = place{order: l.segments[0]}
	if l.opts.ReadOnly {
		l.scan.Full = true
		err := l.refresh()
		l.noticeSegments()
		l.scan.Full = false
		return err
	}
	if err := l.checkTail(ctx, cutFrom); err != nil {
		return fmt.Errorf("checking what was written before the machine started: %w", err)
	}
	return l.recovered()
}

// reopen goes on where the log was left in this boot of the machine, on the disk up to synced.
func (l *Log) reopen(synced place) error {
	l.sync.synced = synced
	l.sweepLeftCheckpoints()
	err := l.refresh()
	l.noticeSegments()
	if synced.before(l.place()) {
		l.sync.dirty.Store(true) // whoever appended it may have died before it was synced
	}
	return err
}

// recovered makes all that was found count as on the disk.
func (l *Log) recovered() error {
	if err := l.sweepCheckpoints(true); err != nil {
		return err
	}
	if err := l.checkpoint(true); err != nil {
		return err
	}
	// The checkpoint's name, in case it is the store's first one.
	if err := l.dir.Sync(); err != nil {
		return l.poison(fmt.Errorf("syncing the store's directory: %w", err))
	}
	return l.forgetUnsynced()
}

// startAt sets the log to a checkpoint, or else to the beginning of the newest segment that has a
// header, or of the oldest one.
func (l *Log) startAt(c *format.Checkpoint) error {
	if c != nil {
		l.table.adopt(&c.Log)
		l.lastTime = c.Log.Time
		return l.activateAt(c.Log.Order, c.Pos)
	}
	for i := len(l.segments) - 1; i > 0; i-- {
		found, err := l.hasHeader(l.segments[i])
		if err != nil {
			return err
		}
		if found {
			return l.activateAt(l.segments[i], 0)
		}
	}
	return l.activateAt(l.segments[0], 0)
}

func (l *Log) activateAt(order uint32, pos int64) error {
	if err := l.activate(order, pos); err != nil {
		return err
	}
	if pos > 0 {
		l.scan.SkipTo(pos, l.lastTime)
	}
	return nil
}

// hasHeader tells whether a segment's first block says what was before it.
func (l *Log) hasHeader(order uint32) (bool, error) {
	seg, err := segment.Open(l.dir, order, false)
	if err != nil {
		return false, err
	}
	defer seg.Close()
	h, err := firstHeader(seg)
	return h != nil, err
}

// firstHeader returns the segment header, nil if the segment has none. The block that it stands in
// is checked in full: after a crash of the machine recovery may have to remove that block, and a
// log that had begun with its header would know nothing of what was before it.
func firstHeader(seg *segment.Segment) (*format.SegmentHeader, error) {
	scan := segment.NewScanner(seg, 0, segment.NoLimit)
	scan.Full = true
	defer scan.Release()
	block, err := scan.Next()
	var damage *segment.DamageError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, segment.ErrLow), errors.Is(err, segment.ErrTorn),
		errors.As(err, &damage):
		return nil, nil
	case err != nil:
		return nil, err
	}
	for _, c := range block.Controls {
		if c.Kind == format.TopicSegmentHeader {
			h, err := format.ParseSegmentHeader(c.Value)
			if err != nil {
				return nil, nil // walking from an earlier segment does without it
			}
			return h, nil
		}
	}
	return nil, nil
}

// checkTail walks over the rest of the log with all its checks, and cuts the newest segment off
// where one fails, unless that is before cutFrom, or that is nil. It holds the producer's lock, so
// that of several processes only one does it.
func (l *Log) checkTail(ctx context.Context, cutFrom *place) error {
	for {
		h := l.active
		h.refs++
		err := lockError(h.LockTail(ctx, l.scan.Pos(), l.opts.LockTimeout))
		if err == nil {
			err = l.checkSegment(h, cutFrom)
			h.UnlockTail()
		}
		l.drop(h)
		if err != nil {
			return err
		}
		if moved, err := l.leaveChecked(); err != nil || !moved {
			return err
		}
	}
}

// leaveChecked goes on to the next segment if there is one in which the log goes on.
func (l *Log) leaveChecked() (bool, error) {
	order := l.active.Order()
	if err := l.listSegments(); err != nil {
		return false, err
	}
	if order >= l.segments[len(l.segments)-1] {
		return false, nil
	}
	if !l.scan.Sealed() {
		// If it has been sealed since the lock was given back, what follows is new, and walked over.
		if left, err := l.isLeft(); err != nil || !left {
			return false, err
		}
	}
	return true, l.activate(l.after(order), 0)
}

// checkSegment checks the active segment from the scanner's place on; see checkTail.
func (l *Log) checkSegment(h *handle, cutFrom *place) error {
	left, err := l.newerBegun(h.Order())
	if err != nil {
		return err
	}
	l.scan.Full = true
	defer func() { l.scan.Full = false }()
	var damage *segment.DamageError // outside of the loop, for it is allocated
	for {
		from := max(l.scan.Pos(), l.scan.Start())
		block, err := l.scan.Next()
		mayCut := !left && cutFrom != nil && !place{h.Order(), from}.before(*cutFrom)
		switch {
		case err == nil:
			l.apply(block)
		case errors.Is(err, io.EOF):
			return nil
		case mayCut && tailError(err):
			return l.cut(h, from, err)
		case errors.Is(err, segment.ErrLow), errors.Is(err, segment.ErrTorn):
			return nil // the next producer removes it
		case errors.As(err, &damage):
			l.met(damage)
			if damage.End < 0 {
				return nil
			}
		default:
			return err
		}
	}
}

// tailError tells whether a scanner's error is about the log's bytes, and not about reading them.
// About those of a newer version nothing is known.
func tailError(err error) bool {
	return errors.Is(err, segment.ErrLow) || errors.Is(err, segment.ErrTorn) ||
		errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion)
}

// cut removes what a crash of the machine left behind the last block that is sound.
func (l *Log) cut(h *handle, pos int64, why error) error {
	kept, err := h.Repair(l.dir, pos)
	if err != nil {
		return l.writeFailed(err)
	}
	l.opts.Logger.Warn().Uint32("segment", h.Order()).Int64("pos", pos).Str("kept", kept).
		Str("reason", why.Error()).
		Msg("the machine crashed: removed the end of the log, which never reached the disk")
	l.scan.SkipTo(pos, l.lastTime)
	return nil
}
