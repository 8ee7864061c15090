package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/rs/zerolog"

	"purofs/engine/disk"
	"purofs/engine/segment"
)

// unsyncedName is a file that says that the disk refused a sync. It need not survive a power cut:
// it tells whoever opens the store in the same boot of the machine that what the kernel shows of it
// may not be what the disk has.
const unsyncedName = "unsynced"

// noteUnsynced leaves word of a failed sync in a store. If even that fails there is nothing left to
// do but to say so.
func noteUnsynced(dir *disk.Dir, perm fs.FileMode, logger *zerolog.Logger) {
	file, err := dir.OpenFile(unsyncedName, os.O_WRONLY|os.O_CREATE, perm)
	if err == nil {
		_, _ = fmt.Fprintf(file, "%s a sync failed; the next opening of the store writes again what "+
			"it should have written\n", time.Now().UTC().Format(time.RFC3339)) // its name says enough
		err = file.Close()
	}
	if err != nil {
		logger.Error().Err(err).Msg("cannot note that a sync failed: restart the machine " +
			"before the store is used again")
	}
}

// unsynced tells whether a sync has failed since the last opening.
func (l *Log) unsynced() bool {
	_, err := l.dir.Lstat(unsyncedName)
	return err == nil
}

// forgetUnsynced removes the note: all is on the disk.
func (l *Log) forgetUnsynced() error {
	if err := l.dir.Remove(unsyncedName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// rewrite writes all behind a place once more, after a failed sync: the kernel took it for written,
// and the next sync, behind other records, would be acknowledged although these are not on the
// disk. What the kernel does not have any more fails its checks afterwards.
func (l *Log) rewrite(ctx context.Context, from place) error {
	for _, order := range l.segments {
		if order < from.order {
			continue
		}
		pos := int64(0)
		if order == from.order {
			pos = from.pos
		}
		if err := l.rewriteSegment(ctx, order, pos); err != nil {
			return fmt.Errorf("writing again what the disk refused: %w", err)
		}
		l.opts.Logger.Warn().Uint32("segment", order).Int64("pos", pos).
			Msg("a sync had failed: wrote the end of the log again")
	}
	return nil
}

func (l *Log) rewriteSegment(ctx context.Context, order uint32, pos int64) error {
	seg, err := segment.Open(l.dir, order, true)
	if err != nil {
		return err
	}
	defer seg.Close()
	if err := lockError(seg.LockTail(ctx, pos, l.opts.LockTimeout)); err != nil {
		return err
	}
	defer seg.UnlockTail()
	return seg.Rewrite(pos)
}
