package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"purofs/engine"
	"purofs/engine/format"
)

func cursorFile(dir, name string) string { return filepath.Join(dir, "cursors", "t", name) }

// twoCursors makes a store with two cursors at 6, which were at 5 before, and returns the file of
// the first one.
func twoCursors(t *testing.T) (l *engine.Log, file string, sound []byte) {
	t.Helper()
	dir := newStore(t)
	l = open(t, dir, engine.Options{Sync: engine.SyncNone})
	appendTo(t, l, "t", numbered(10)...)
	for _, name := range []string{"c", "other"} {
		newCursor(t, l, name)
		setCursor(t, l, name, 5)
		setCursor(t, l, name, 6)
	}
	file = cursorFile(dir, "c")
	return l, file, readFile(t, file)
}

// Each byte of a cursor's file is changed: it stands where it was or one step before, says so, goes
// on, and no other one is touched.
func TestCursorFileEachByteChanged(t *testing.T) {
	l, file, sound := twoCursors(t)
	for at := range sound {
		inSlot := at < format.CursorSlotBytes || at >= len(sound)-format.CursorSlotBytes
		if !inSlot && at%512 != 0 {
			continue // the gap between the slots
		}
		b := bytes.Clone(sound)
		b[at] ^= 1 << (at % 8)
		writeFile(t, file, b)
		before := len(l.Troubles())
		c, err := l.OpenCursor("t", "c")
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		next := c.Next()
		if next != 6 && (!inSlot || next != 5) {
			t.Errorf("byte %d: the cursor is at %d", at, next)
		}
		if told := len(l.Troubles()) > before; before < 1 && told != inSlot {
			t.Errorf("byte %d: told of it: %v, want %v", at, told, inSlot)
		}
		commit(t, c, 8)
		_ = c.Close()
		requirePosition(t, l, "c", 8)
	}
	requirePosition(t, l, "other", 6)
}

// A cursor's file is cut at each length: the cursor stands where a slot says that is left, and if
// none is, it is an error that says what to do, and never the start.
func TestCursorFileEachLength(t *testing.T) {
	l, file, sound := twoCursors(t)
	if len(sound) != format.CursorFileBytes {
		t.Fatalf("got a file of %d bytes, want %d", len(sound), format.CursorFileBytes)
	}
	for length := range sound {
		if length > 2*format.CursorSlotBytes && length < 4096 && length%512 != 0 {
			continue // the gap between the slots
		}
		writeFile(t, file, sound[:length])
		next, err := l.CursorPosition("t", "c")
		c, openErr := l.OpenCursor("t", "c")
		if length < format.CursorSlotBytes {
			for _, err := range []error{err, openErr} {
				if !errors.Is(err, engine.ErrCursorDamaged) || !errors.Is(err, engine.ErrDamaged) {
					t.Errorf("%d bytes: got %v, want ErrCursorDamaged", length, err)
				}
			}
			continue
		}
		if err != nil || openErr != nil || next != c.Next() || next < 5 || next > 6 {
			t.Errorf("%d bytes: got %d, %v, %v", length, next, err, openErr)
			continue
		}
		_ = c.Close()
	}
	requirePosition(t, l, "other", 6)
	if err := l.RemoveCursor("t", "c"); err != nil {
		t.Error(err)
	}
	newCursor(t, l, "c")
	setCursor(t, l, "c", 6)
}

// Something else where a cursor's file should be is not followed and not waited for.
func TestCursorFileForeign(t *testing.T) {
	tests := []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, engine.ErrCursorDamaged},
		{"zeros", make([]byte, format.CursorFileBytes), engine.ErrCursorDamaged},
		{"text", bytes.Repeat([]byte("hello "), 1000), engine.ErrCursorDamaged},
		{"a newer version", newerCursor(), format.ErrVersion},
		{"a slot in the place of the other",
			format.AppendCursorSlot(nil, &format.CursorSlot{Sequence: 1}), engine.ErrCursorDamaged},
	}
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "t", "a record")
	newCursor(t, l, "c")
	for _, tt := range tests {
		writeFile(t, cursorFile(dir, "c"), tt.b)
		if _, err := l.OpenCursor("t", "c"); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// Positions at and around the boundaries of blocks, of one record and of many, are kept.
func TestCursorAtEachRecord(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes, Sync: engine.SyncNone})
	rng := newRand(t)
	total := 0
	for l.Status().Segments < 4 {
		n := 1 + rng.IntN(5)
		var b engine.Batch
		for i := range n {
			b.Add("other", nil, paddedValue("x"))
			b.Add("t", nil, fmt.Appendf(nil, "value %d", total+i))
		}
		if err := l.Append(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		total += n
	}
	newCursor(t, l, "c")
	c := hold(t, l, "c")
	for range 2000 {
		next := uint64(rng.IntN(total + 1))
		if rng.IntN(2) == 0 {
			next = min(c.Next()+uint64(rng.IntN(3)), uint64(total))
		}
		commit(t, c, next)
		if rng.IntN(50) == 0 {
			_ = c.Close()
			c = hold(t, l, "c")
		}
		if c.Next() != next {
			t.Fatalf("got %d, want %d", c.Next(), next)
		}
	}
	_ = c.Close()
	closeLog(t, l)
	l = open(t, dir, engine.Options{})
	requirePosition(t, l, "c", c.Next())
	if troubles := l.Troubles(); len(troubles) > 0 {
		t.Errorf("got %v, want no troubles", troubles)
	}
}
