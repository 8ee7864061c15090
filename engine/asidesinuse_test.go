package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"purofs/engine"
	"purofs/engine/disk"
	"purofs/engine/segment"
)

// Names of cursors and topics are as long as names can be; those of what is kept are no longer.
func TestRepairOfACursorWithALongName(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	topic, name := strings.Repeat("t", 255), strings.Repeat("c", 255)
	appendTo(t, l, topic, "a record")
	if err := l.CreateCursor(t.Context(), topic, name); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	file := filepath.Join(dir, "cursors", topic, name)
	for i := range 2 {
		spoilt := bytes.Repeat([]byte{byte(i)}, 100)
		writeFile(t, file, spoilt)
		done := repair(t, dir)
		if len(done.Steps) != 1 {
			t.Fatalf("got %+v, want one step", done)
		}
		if kept := readFile(t, filepath.Join(dir, done.Steps[0].Kept)); !bytes.Equal(kept, spoilt) {
			t.Errorf("got %+v, want the file kept", done)
		}
	}
}

// Who holds a cursor knows where it is although its file is damaged, and writes it there again.
func TestRepairLeavesACursorInUse(t *testing.T) {
	l, file, sound := twoCursors(t)
	dir := l.Status().Dir
	c := hold(t, l, "c")
	writeFile(t, file, make([]byte, len(sound)))
	report, plan := lookAt(t, dir)
	requireOne(t, "damage", "neither half", reasons(report.CursorDamage))
	requireOne(t, "cursor left", "somebody reads by it", reasons(plan.LeftCursors))
	done := repair(t, dir)
	requireOne(t, "cursor left", "somebody reads by it", reasons(done.LeftCursors))
	requireOne(t, "step", "", actions(done))
	commit(t, c, 7)
	_ = c.Close()
	requirePosition(t, l, "c", 7)
	report, plan = lookAt(t, dir)
	if !report.Sound() || len(plan.Steps)+len(plan.LeftCursors) > 0 {
		t.Errorf("got %+v, %+v, want nothing to do", report, plan)
	}
}

// An index that somebody is writing to is whole when that is done. Nobody calls it damaged before.
func TestRepairLeavesAnIndexInUse(t *testing.T) {
	dir := asideStore(t)
	file := lockFile(t, filepath.Join(dir, "index/segment0"))
	if err := file.Truncate(100); err != nil {
		t.Fatal(err)
	}
	report, plan := lookAt(t, dir)
	requireOne(t, "note", "", report.Notes)
	requireOne(t, "step", "", append(actions(plan), actions(repair(t, dir))...))
	if err := segment.UnlockFile(file); err != nil {
		t.Fatal(err)
	}
	requireOne(t, "step", "removed", actions(repair(t, dir)))
}

// beforeLock is a hook that does something in the moment before a repair opens a file to lock it.
type beforeLock struct {
	file string
	do   func()
}

func (h *beforeLock) Before(op *disk.Op) error {
	if op.Kind == disk.OpOpen && op.Flag&os.O_RDWR != 0 && strings.HasSuffix(op.Path, h.file) {
		h.do()
	}
	return nil
}

func (h *beforeLock) After(*disk.Op, int, error) {}

// Between the look at a file and its lock others go on: what is in use then, whole again, or gone,
// is not touched.
func TestRepairLooksAgainUnderTheLock(t *testing.T) {
	original := asideStore(t)
	for _, name := range []string{"cursors/t/c", "index/segment0"} {
		sound := readFile(t, filepath.Join(original, name))
		for _, tt := range []struct {
			name string
			do   func(t *testing.T, path string)
		}{
			{"in use", func(t *testing.T, path string) { lockFile(t, path) }},
			{"whole again", func(t *testing.T, path string) { writeFile(t, path, sound) }},
			{"gone", func(t *testing.T, path string) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}},
		} {
			t.Run(filepath.Base(name)+" "+tt.name, func(t *testing.T) {
				dir := copyStore(t, original)
				path := filepath.Join(dir, name)
				writeFile(t, path, make([]byte, len(sound)))
				var before map[string]string
				hook := &beforeLock{file: name, do: func() {
					tt.do(t, path)
					before = treeOf(t, dir)
				}}
				done, err := engine.Repair(t.Context(), dir, engine.Options{FileHook: hook}, nil)
				if err != nil {
					t.Fatal(err)
				}
				requireOne(t, "step", "", actions(done))
				if !equalTrees(before, treeOf(t, dir)) {
					t.Error("the repair changed something")
				}
				if held := tt.name == "in use" && name == "cursors/t/c"; held != (len(done.LeftCursors) == 1) {
					t.Errorf("left %v", done.LeftCursors)
				}
			})
		}
	}
}

// lockFile has the lock of a file until the test ends.
func lockFile(t testing.TB, path string) *disk.File {
	t.Helper()
	dir, err := disk.OpenDir(filepath.Dir(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	file, err := dir.OpenFile(filepath.Base(path), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if locked, err := segment.LockFile(file); err != nil || !locked {
		t.Fatal(locked, err)
	}
	return file
}

// Beside a log in which cursors are made, moved and removed, and indexes are built, all is sound at
// every moment, and a repair has nothing to do.
func TestAsidesBesideALog(t *testing.T) {
	ctx, dir := context.Background(), asideStore(t)
	l := openAside(t, dir)
	work := []func() error{
		func() error {
			c, err := l.OpenCursor("t", "c")
			if err != nil {
				return err
			}
			return errors.Join(c.Commit(5), c.Commit(6), c.Close())
		},
		func() error {
			return errors.Join(l.CreateCursor(ctx, "t", "new"), l.RemoveCursor("t", "new"))
		},
		func() error {
			var b engine.Batch
			b.Add("many", nil, make([]byte, 1000))
			return l.Append(ctx, &b)
		},
		func() error { return buildIndex(dir) },
	}
	for range 10 {
		var busy sync.WaitGroup
		for _, do := range work {
			busy.Go(func() {
				for range 5 {
					if err := do(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		report, _ := lookAt(t, dir)
		done := repair(t, dir)
		if !report.Sound() || len(done.Steps)+len(done.LeftCursors) > 0 {
			t.Errorf("got %+v, %+v, want nothing to do", report, done)
		}
		for _, note := range report.Notes {
			if strings.Contains(note, "no use") || strings.Contains(note, "half of") {
				t.Errorf("got the note %q", note)
			}
		}
		busy.Wait()
	}
	closeLog(t, l)
}

// buildIndex has a log of its own build all indexes of a store anew.
func buildIndex(dir string) error {
	for _, name := range []string{"segment0", "segment1"} {
		err := os.Remove(filepath.Join(dir, "index", name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	l, err := engine.Open(context.Background(), dir, engine.Options{
		SegmentBytes: engine.SegmentBytesMin, Sync: engine.SyncNone})
	if err != nil {
		return err
	}
	engine.SetIndexSpan(l, asideSpan)
	return errors.Join(seekToEach(l, "many"), l.Close())
}

// seekToEach reads each record of a topic by a seek, for which the index is made if there is none.
func seekToEach(l *engine.Log, topic string) error {
	for offset := uint64(0); ; offset++ {
		r, err := l.OpenReader(topic, engine.AtOffset(offset))
		if err != nil {
			return err
		}
		_, err = r.TryNext()
		r.Close()
		if errors.Is(err, engine.ErrNoRecord) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
