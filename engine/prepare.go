package engine

import (
	"errors"
	"fmt"
	"io/fs"

	"purofs/engine/format"
	"purofs/engine/segment"
)

// prepare makes the segment ready for a block of that many bytes: what came since is taken into
// account, a torn tail removed, a full or damaged segment ended. It tells whether the block can be
// written now; if not, the caller starts again with what is then the active segment. The producer's
// lock and Log.mu are held.
func (l *Log) prepare(h *handle, bytes int) (bool, error) {
	if l.active != h {
		return false, nil
	}
	state, err := l.walk()
	if err != nil || l.active != h {
		return false, err
	}
	switch state {
	case tailOpen:
		// The lock is ours, so nobody is writing there.
		kept, err := h.Repair(l.dir, l.scan.Pos())
		if err != nil {
			return false, err
		}
		l.opts.Logger.Warn().Uint32("segment", h.Order()).Int64("pos", l.scan.Pos()).Str("kept", kept).
			Msg("removed what a producer that died left behind")
		return false, nil
	case tailSealed:
		return false, l.createNext()
	case tailDamaged:
		return false, l.endDamaged(h)
	}
	full := l.scan.Pos() > int64(len(format.Magic)) && l.scan.Pos()+int64(bytes) > l.opts.SegmentBytes
	if full || l.damaged {
		return false, l.rollOver(h, l.scan.Pos())
	}
	return true, nil
}

// rollOver ends the segment with a tombstone at pos and starts the next one.
func (l *Log) rollOver(h *handle, pos int64) error {
	// Before the next segment counts: after a power cut, what remains must be a prefix.
	if err := l.syncEnd(h); err != nil {
		return err
	}
	l.builder.buildTombstone(l, h.Order(), pos)
	if err := h.Append(pos, l.builder.pieces, l.builder.start, l.opts.Sync == SyncFlip); err != nil {
		return l.appendFailed(err)
	}
	if err := l.syncEnd(h); err != nil {
		return err
	}
	if _, err := l.walk(); err != nil {
		return err
	}
	if l.active != h {
		return nil // another process made the next segment meanwhile
	}
	return l.createNext()
}

// syncEnd forces a segment that ends to the disk. It may take long, so Log.mu is free meanwhile;
// the producer's lock sees to it that nothing is appended.
func (l *Log) syncEnd(h *handle) error {
	if l.opts.Sync == SyncNone {
		return nil
	}
	l.mu.Unlock()
	defer l.mu.Lock()
	return l.sync.block(h)
}

// endDamaged ends a segment behind bytes that nobody can read: at the end of the file.
func (l *Log) endDamaged(h *handle) error {
	size, _, err := h.Stat()
	if err != nil {
		return err
	}
	l.report(&segment.DamageError{Segment: h.Order(), Pos: l.scan.Pos(), End: size,
		Reason: "no block starts here"})
	l.stalled = -1
	return l.rollOver(h, size)
}

// createNext makes the segment behind the active one, which is sealed.
func (l *Log) createNext() error {
	next := l.active.Order() + 1
	if next == 0 {
		return fmt.Errorf("segment numbers are used up: %w", ErrTooLarge)
	}
	seg, err := segment.Create(l.dir, next, l.table.filePerm())
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err == nil {
		seg.Close()
		l.opts.Logger.Info().Uint32("segment", next).Msg("started a segment")
	}
	_, err = l.walk()
	return err
}
