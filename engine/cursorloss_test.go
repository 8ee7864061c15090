package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/format"
)

// What a power cut may do: the log loses its newest blocks, the file of a cursor keeps a position
// behind them, and other records get the offsets of those that were lost.

// manual is a mode in which nothing is synced but by a test.
var manual = engine.Options{Sync: engine.SyncNone}

// A lossy store has the blocks of one record "old 0", "old 1", … in topic t, and a cursor c.
type lossy struct {
	dir     string
	records int // of them
	synced  int // so many are safely on the disk, as the log knows
	done    int // where the cursor stands
}

// build makes the store.
func (s *lossy) build(t *testing.T) {
	t.Helper()
	s.dir = newStore(t)
	l := open(t, s.dir, manual)
	for i := range s.records {
		appendTo(t, l, "t", fmt.Sprint("old ", i))
		if i == 0 {
			newCursor(t, l, "c")
		}
		if i+1 == s.synced {
			if err := l.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			setCursor(t, l, "c", uint64(s.synced))
		}
	}
	setCursor(t, l, "c", uint64(s.done))
	closeLog(t, l)
}

// lose leaves that many blocks.
func (s *lossy) lose(t *testing.T, left int) {
	t.Helper()
	b := readFile(t, segmentPath(s.dir, 0))
	writeFile(t, segmentPath(s.dir, 0), b[:blocksOf(t, b)[left]])
	if err := os.Remove(filepath.Join(s.dir, "checkpoint")); err != nil {
		t.Fatal(err)
	}
}

// reboot has the slots of a cursor look as if they were written before the machine started.
func reboot(t *testing.T, file string, change func(slot *format.CursorSlot)) {
	t.Helper()
	b := readFile(t, file)
	for sequence := range uint64(2) {
		at := format.CursorSlotPos(sequence)
		slot, err := format.ParseCursorSlot(b[at:])
		if err != nil {
			t.Fatal(err)
		}
		slot.BootID[0] ^= 0xff
		change(&slot)
		copy(b[at:], format.AppendCursorSlot(nil, &slot))
	}
	writeFile(t, file, b)
}

func (s *lossy) reboot(t *testing.T, change func(slot *format.CursorSlot)) {
	t.Helper()
	reboot(t, cursorFile(s.dir, "c"), change)
}

func TestCursorAfterLoss(t *testing.T) {
	tests := []struct {
		name string
		lossy
		left, added int // blocks that survive, and blocks that come after
		want        uint64
		says        string // what the trouble says, if there must be one
	}{
		{"nothing lost", lossy{records: 10, synced: 5, done: 9}, 10, 0, 9, ""},
		{"lost what it had not passed", lossy{records: 10, synced: 5, done: 7}, 7, 3, 7, ""},
		{"lost its last record", lossy{records: 10, synced: 5, done: 7}, 6, 0, 5, "has lost records"},
		{"and it came again", lossy{records: 10, synced: 5, done: 7}, 6, 4, 5, "has lost records"},
		{"and some of it came again", lossy{records: 10, synced: 5, done: 9}, 6, 1, 5,
			"has lost records"},
		{"lost all behind the sync", lossy{records: 10, synced: 5, done: 10}, 5, 9, 5,
			"has lost records"},
		{"nothing was ever synced", lossy{records: 10, done: 10}, 5, 9, 0, "has lost records"},
		{"the cursor stood at the sync", lossy{records: 10, synced: 5, done: 5}, 5, 9, 5, ""},
		{"the cursor went back", lossy{records: 10, synced: 5, done: 3}, 5, 9, 3, ""},
		{"an older copy of the log", lossy{records: 10, synced: 8, done: 9}, 6, 0, 6,
			"the log is older"},
		{"an older copy that has grown", lossy{records: 10, synced: 8, done: 9}, 6, 9, 0,
			"not the one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.build(t)
			tt.lose(t, tt.left)
			l := open(t, tt.dir, manual)
			for i := range tt.added {
				appendTo(t, l, "t", fmt.Sprint("new ", i))
			}
			requirePosition(t, l, "c", tt.want)
			c := hold(t, l, "c")
			if c.Next() != tt.want {
				t.Fatalf("got %d, want %d", c.Next(), tt.want)
			}
			troubles := l.Troubles()
			if told := len(troubles) > 0; told != (tt.says != "") {
				t.Errorf("got troubles %v", troubles)
			} else if told && !strings.Contains(troubles[0].Text, tt.says) {
				t.Errorf("got %q, want that it %s", troubles[0].Text, tt.says)
			}
			_ = c.Close()
			// It went back once: whatever comes now, it stays there until it is moved.
			for i := range 12 {
				appendTo(t, l, "t", fmt.Sprint("newest ", i))
			}
			c = hold(t, l, "c")
			if c.Next() != tt.want {
				t.Errorf("later: got %d, want %d", c.Next(), tt.want)
			}
			for next := tt.want; next > 0; next-- {
				commit(t, c, next-1)
				requirePosition(t, l, "c", next-1)
			}
		})
	}
}

// Where nobody can tell whether the record before the position is the one that was done, the boot
// decides: within one nothing is lost.
func TestCursorBehindWhatCannotBeRead(t *testing.T) {
	damage := func(t *testing.T, s *lossy) {
		b := readFile(t, segmentPath(s.dir, 0))
		b[blocksOf(t, b)[s.done]-format.EndBytes-1] ^= 1
		writeFile(t, segmentPath(s.dir, 0), b)
	}
	noTime := func(slot *format.CursorSlot) { slot.Done.Last, slot.Safe.Last = 0, 0 }
	keep := func(*format.CursorSlot) {}
	tests := []struct {
		name   string
		change func(t *testing.T, s *lossy)
		want   uint64
	}{
		{"damaged", damage, 8},
		{"damaged, another boot", func(t *testing.T, s *lossy) { damage(t, s); s.reboot(t, keep) }, 5},
		{"of Puro, another boot", func(t *testing.T, s *lossy) { s.reboot(t, noTime) }, 5},
		{"another boot", func(t *testing.T, s *lossy) { s.reboot(t, keep) }, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := lossy{records: 10, synced: 5, done: 8}
			s.build(t)
			tt.change(t, &s)
			l := open(t, s.dir, manual)
			c := hold(t, l, "c")
			if c.Next() != tt.want {
				t.Fatalf("got %d, want %d", c.Next(), tt.want)
			}
			commit(t, c, 7)
			commit(t, c, 8) // behind the damage, if there is any: it is not stuck
			_ = c.Close()
			if c := hold(t, l, "c"); c.Next() != 8 {
				t.Errorf("later: got %d, want 8", c.Next())
			}
		})
	}
}

// A cursor of a topic that Puro writes has no times to go by, and is not stuck.
func TestCursorOfPuro(t *testing.T) {
	dir := storeOf(t, readFile(t, "format/testdata/vectors/several_batches.puro"))
	l := open(t, dir, engine.Options{Sync: engine.SyncAlways})
	topic := l.Topics()[0]
	if err := l.CreateCursor(t.Context(), topic.Name, "c"); err != nil {
		t.Fatal(err)
	}
	for next := uint64(1); next <= topic.Next; next++ {
		c, err := l.OpenCursor(topic.Name, "c")
		if err != nil {
			t.Fatal(err)
		}
		if c.Next() != next-1 {
			t.Fatalf("got %d, want %d", c.Next(), next-1)
		}
		commit(t, c, next)
		_ = c.Close()
	}
}

// In the mode interval a cursor at the log's end falls back by little: a commit syncs the log now
// and then, if nobody else does.
func TestCursorStaysSafe(t *testing.T) {
	dir := newStore(t)
	opts := engine.Options{SyncInterval: time.Hour} // the keeper does nothing
	l := open(t, dir, opts)
	appendTo(t, l, "t", "first")
	newCursor(t, l, "c")
	slot := func() format.CursorSlot {
		b := readFile(t, cursorFile(dir, "c"))
		newest, err := format.ParseCursorSlot(b)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := format.ParseCursorSlot(b[format.CursorSlotPos(1):]); err == nil &&
			s.Sequence > newest.Sequence {
			newest = s
		}
		return newest
	}
	setCursor(t, l, "c", 1)
	if s := slot(); s.Safe != s.Done || s.Done.Next != 1 {
		t.Errorf("a cursor that never was safe: got %+v", s)
	}
	appendTo(t, l, "t", "second")
	setCursor(t, l, "c", 2)
	if s := slot(); s.Safe.Next != 1 || s.Done.Next != 2 {
		t.Errorf("soon after: got %+v, want that the log was not synced for it", s)
	}
	for name, at := range map[string]time.Duration{"long ago": -3 * time.Hour, "in the future": 1e12} {
		old := slot()
		old.Sequence++
		old.SafeAt = time.Now().Add(at).UnixNano()
		b := readFile(t, cursorFile(dir, "c"))
		copy(b[format.CursorSlotPos(old.Sequence):], format.AppendCursorSlot(nil, &old))
		writeFile(t, cursorFile(dir, "c"), b)
		appendTo(t, l, "t", "more")
		next := old.Done.Next + 1
		setCursor(t, l, "c", next)
		if s := slot(); s.Safe != s.Done || s.Done.Next != next {
			t.Errorf("%s: got %+v, want that it is safe at %d", name, s, next)
		}
	}
}
