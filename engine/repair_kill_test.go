package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"purofs/engine"
	"purofs/engine/disk"
)

// A dying hook lets a process make that many changes of files. The next one is cut short, if it is
// a write, and nothing comes after it: what a kill leaves behind.
type dying struct {
	left  atomic.Int64
	cut   bool // the last change is done by half
	halve atomic.Bool
}

func (d *dying) Before(op *disk.Op) error {
	if !op.Kind.Changes() || op.Kind == disk.OpOpen && op.Flag&os.O_CREATE == 0 {
		if d.left.Load() < 0 {
			return syscall.EIO
		}
		return nil
	}
	switch left := d.left.Add(-1); {
	case left < 0 && d.cut && left == -1 && op.Kind == disk.OpWrite:
		op.Limit /= 2
		d.halve.Store(true)
		return nil
	case left < 0:
		return syscall.EIO
	}
	return nil
}

func (d *dying) After(*disk.Op, int, error) {}

// A repair dies before each of its changes, and in the middle of each of its writes. What it leaves
// is read like before, and the next repair ends it: no sound record is lost or moved at any moment,
// and what was removed is kept.
func TestRepairKilledAnywhere(t *testing.T) {
	original, values := repairStore(t)
	for _, c := range repairCases(t, original, values) {
		if !c.kill {
			continue
		}
		for _, cut := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/cut=%t", c.name, cut), func(t *testing.T) {
				t.Parallel()
				for changes := int64(0); ; changes++ {
					if !killRepair(t, original, values, c, changes, cut) {
						return
					}
				}
			})
		}
	}
}

// killRepair tells whether the repair was killed, and not done before.
func killRepair(
	t *testing.T, original string, values []string, c repairCase, changes int64, cut bool,
) bool {
	dir := copyStore(t, original)
	defer os.RemoveAll(dir)
	c.spoil(t, dir)
	damaged := damagedBytes(t, original, dir)
	hook := &dying{cut: cut}
	hook.left.Store(changes)
	_, err := engine.Repair(context.Background(), dir, engine.Options{FileHook: hook}, nil)
	if cut && err != nil && !hook.halve.Load() {
		return true // it did not die at a write: the same as without a cut
	}
	want := expected(values, c.lost)
	if got := byOffset(t, dir); len(got) != len(want) {
		t.Errorf("killed after %d changes: %d records can be read, want %d", changes, len(got), len(want))
	}
	repair(t, dir)
	requireRepaired(t, dir, want)
	if kept := lost(t, dir); !strings.Contains(kept, damaged) {
		t.Errorf("killed after %d changes: the damaged bytes are not in lost", changes)
	}
	if t.Failed() {
		t.Fatalf("the first failure was after %d changes", changes)
	}
	return err != nil && hook.left.Load() < 0
}

// damagedBytes returns the first bytes by which the segments of a spoilt store differ.
func damagedBytes(t *testing.T, original, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "stream*.puro"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		before, err := os.ReadFile(filepath.Join(original, filepath.Base(name)))
		if err != nil {
			before = nil
		}
		after := readFile(t, name)
		if len(after) <= len(before) && bytes.HasPrefix(before, after) {
			continue
		}
		at := 0
		for at < len(before) && at < len(after) && before[at] == after[at] {
			at++
		}
		end := slices.IndexFunc(after[at:], func(b byte) bool { return b == 0 })
		return string(after[at : at+max(1, end)])
	}
	return ""
}

// A damaged place that takes several blocks, with a sound one behind it: wherever its repair dies,
// the next producer does not take the rest for a torn tail, which it would cut off.
func TestRepairOfALargePlaceKilledAnywhere(t *testing.T) {
	original := newStore(t)
	l := open(t, original, engine.Options{})
	appendTo(t, l, "t", "before")
	appendTo(t, l, "t", strings.Repeat("large ", 400<<10))
	appendTo(t, l, "t", "behind")
	closeLog(t, l)
	starts := blocksOf(t, readFile(t, segmentPath(original, 0)))
	change(t, segmentPath(original, 0), spoil(starts[1], starts[2]))
	for changes := int64(0); ; changes++ {
		for _, cut := range []bool{false, true} {
			dir := copyStore(t, original)
			hook := &dying{cut: cut}
			hook.left.Store(changes)
			_, err := engine.Repair(context.Background(), dir, engine.Options{FileHook: hook}, nil)
			l := open(t, dir, engine.Options{})
			appendTo(t, l, "t", "later")
			values, _ := drain(t, reader(t, l, "t", engine.Start()))
			closeLog(t, l)
			if want := []string{"before", "behind", "later"}; !slices.Equal(values, want) {
				t.Fatalf("killed after %d changes (cut %t): read %.60q, want %q", changes, cut, values, want)
			}
			if err == nil {
				return
			}
		}
	}
}
