package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

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
		return false, l.removeTail(h)
	case tailSealed:
		return false, l.createNext(h)
	case tailDamaged:
		return false, l.endDamaged(h)
	}
	if l.newer { // how far its topics have got is known to that version only
		return false, fmt.Errorf("%s has blocks that were %w", segment.Name(h.Order()), ErrVersion)
	}
	full := l.scan.Pos() > int64(len(format.Magic)) && l.scan.Pos()+int64(bytes) > l.opts.SegmentBytes
	if full || l.damaged {
		return false, l.rollOver(h, l.scan.Pos())
	}
	if l.scan.Pos() <= int64(len(format.Magic)) {
		err := l.syncBefore(h)
		return err == nil && l.active == h, err
	}
	return true, nil
}

// removeTail removes what a producer that died left behind the last block.
func (l *Log) removeTail(h *handle) error {
	pos := l.scan.Pos()
	kept, err := h.Repair(l.dir, pos)
	if err != nil {
		l.mu.Unlock() // the error may have to be noted
		defer l.mu.Lock()
		return l.writeFailed(err)
	}
	l.opts.Logger.Warn().Uint32("segment", h.Order()).Int64("pos", pos).Str("kept", kept).
		Msg("removed what a producer that died left behind")
	return nil
}

// syncBefore forces to the disk what has to be there before the first block of a segment: the end
// of the segment before it, since what a power cut leaves is a prefix, and the names in the store,
// since it could take the whole file otherwise. Whoever made the file may have died before that.
// It may take long, so Log.mu is free meanwhile.
func (l *Log) syncBefore(h *handle) error {
	i, _ := slices.BinarySearch(l.segments, h.Order())
	if i > 0 {
		before, err := l.hold(l.segments[i-1])
		if err != nil {
			return err
		}
		defer l.drop(before)
		if err := l.syncEnd(before); err != nil {
			return err
		}
	}
	l.mu.Unlock()
	defer l.mu.Lock()
	if err := l.dir.Sync(); err != nil {
		return l.poison(fmt.Errorf("syncing the store's directory: %w", err))
	}
	return nil
}

// rollOver ends the segment with a tombstone at pos and starts the next one.
func (l *Log) rollOver(h *handle, pos int64) error {
	l.builder.buildTombstone(l, h.Order(), pos)
	if err := l.appendTombstone(h, pos); err != nil {
		return err
	}
	if _, err := l.walk(); err != nil {
		return err
	}
	if l.active != h {
		return nil // another process made the next segment meanwhile
	}
	return l.createNext(h)
}

// appendTombstone writes the tombstone that the builder has. Log.mu is free meanwhile, since an
// error may have to be noted; the producer's lock sees to it that nothing else is appended.
func (l *Log) appendTombstone(h *handle, pos int64) error {
	l.mu.Unlock()
	defer l.mu.Lock()
	w := &l.builder
	if err := h.Append(pos, w.pieces, w.start, l.opts.Sync == SyncFlip); err != nil {
		return l.writeFailed(err)
	}
	return nil
}

// syncEnd forces a segment that ends to the disk. It may take long, so Log.mu is free meanwhile;
// the producer's lock sees to it that nothing is appended.
func (l *Log) syncEnd(h *handle) error {
	l.mu.Unlock()
	defer l.mu.Lock()
	if err := l.syncBlock(h); err != nil {
		return err
	}
	l.sync.reached(place{order: h.Order() + 1})
	return nil
}

// endDamaged ends a segment behind bytes that nobody can read: at the end of the file.
func (l *Log) endDamaged(h *handle) error {
	size, err := h.Size()
	if err != nil {
		return err
	}
	l.report(&segment.DamageError{Segment: h.Order(), Pos: l.scan.Pos(), End: size,
		Reason: "no block starts here"})
	l.stalled = -1
	return l.rollOver(h, size)
}

// createNext makes the segment behind h, which is sealed.
//
// Whatever the sync mode, and whoever wrote the tombstone: a segment is on the disk before the next
// one has a name. So what a power cut takes is the end of the newest segment, and what remains is a
// prefix.
func (l *Log) createNext(h *handle) error {
	next := h.Order() + 1
	if next == 0 {
		return fmt.Errorf("segment numbers are used up: %w", ErrTooLarge)
	}
	if err := l.syncEnd(h); err != nil {
		return err
	}
	seg, err := segment.Create(l.dir, next, l.table.filePerm())
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err == nil {
		seg.Close()
		l.keep.want()
		l.opts.Logger.Info().Uint32("segment", next).Msg("started a segment")
	}
	_, err = l.walk()
	return err
}
