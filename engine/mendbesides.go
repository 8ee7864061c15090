package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"purofs/engine/segment"
)

// besides mends what is in a store besides segments. A checkpoint that was never finished is left
// to the next opening, for it may be being written just now.
func (r *repairer) besides(ctx context.Context) error {
	if err := checkCheckpoint(r.dir); err != nil {
		err := r.moveOut(checkpointName, "it is of no use: "+err.Error(), movedOut)
		if err != nil {
			return err
		}
	}
	look := asides{dir: r.dir, tell: func(a aside) error { return r.aside(ctx, a) }}
	return look.run(ctx)
}

// aside mends an index, or a cursor.
func (r *repairer) aside(ctx context.Context, a aside) error {
	switch a.kind {
	case asideNoFile:
		return r.moveOut(a.file, a.found, movedOut)
	case asideIndex:
		return r.removeIndex(ctx, a)
	case asideCursor:
		return r.mendCursor(a)
	}
	return nil
}

// removeIndex removes an index that is still of no use when nobody writes to it.
func (r *repairer) removeIndex(ctx context.Context, a aside) error {
	if r.apply {
		done, err := r.removeUseless(ctx, a)
		if !done || err != nil {
			return err
		}
	}
	r.note(RepairStep{a.file, -1, -1, a.found, removedIndex, ""})
	return nil
}

func (r *repairer) removeUseless(ctx context.Context, a aside) (done bool, err error) {
	order, _ := parseIndexName(path.Base(a.file))
	file, err := r.dir.OpenFile(a.file, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // somebody else has removed it
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	if locked, err := segment.LockFile(file); err != nil || !locked {
		return false, err // who writes to it finds out what is wrong with it
	}
	if flaw, err := checkIndex(ctx, r.dir, file, order); err != nil || flaw == nil {
		return false, err
	}
	info, err := file.Info()
	if err != nil {
		return false, err
	}
	if named, err := r.dir.Has(a.file, info); err != nil || !named {
		return false, err
	}
	return true, r.dir.Remove(a.file)
}

// mendCursor moves a damaged cursor out of the way, unless somebody holds it.
func (r *repairer) mendCursor(a aside) error {
	if a.left != "" {
		r.leaveCursor(a, a.left)
		return nil
	}
	if !r.apply {
		return r.moveOut(a.file, a.found, movedCursor)
	}
	f, err := lockCursorFile(r.dir, a.file)
	switch {
	case errors.Is(err, ErrNoCursor):
		return nil // somebody has removed it meanwhile
	case errors.Is(err, ErrCursorHeld):
		r.leaveCursor(a, cursorInUse)
		return nil
	case errors.Is(err, ErrCursorDamaged):
		return r.moveOut(a.file, a.found, movedCursor) // no file, so it has no lock
	case err != nil:
		return err
	}
	defer f.Close()
	if sound, _, err := f.slots(); err != nil || sound > 0 {
		return err // its holder has written a new position meanwhile
	}
	return r.moveOut(a.file, a.found, movedCursor)
}

func (r *repairer) leaveCursor(a aside, why string) {
	if len(r.report.LeftCursors) < repairStepsMax {
		r.report.LeftCursors = append(r.report.LeftCursors,
			CursorDamage{a.file, fmt.Sprintf("%s; %s", a.found, why)})
	}
}

// moveOut moves a file to lost.
func (r *repairer) moveOut(name, why, action string) error {
	kept := ""
	if r.apply {
		var err error
		kept, err = segment.MoveToLost(r.dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another process has renamed it meanwhile
		}
		if err != nil {
			return err
		}
	}
	r.note(RepairStep{name, -1, -1, why, action, kept})
	return nil
}
