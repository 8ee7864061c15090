package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/disk"
)

// A diary writes down what is done to files, and makes operations of one kind on cursors fail.
type diary struct {
	mu      sync.Mutex
	entries []string
	fails   disk.Kind // if it changes something
	synced  chan struct{}
}

func (d *diary) Before(op *disk.Op) error {
	if d.isCursor(op.Path) && op.Kind == d.fails && op.Kind.Changes() {
		return syscall.EIO
	}
	return nil
}

func (d *diary) isCursor(path string) bool { return strings.Contains(path, "/cursors") }

func (d *diary) After(op *disk.Op, _ int, err error) {
	if !op.Kind.Changes() || op.Kind == disk.OpOpen || err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	entry := op.Kind.String() + " " + filepath.Base(op.Path)
	d.entries = append(d.entries, entry)
	if entry == "fdatasync c" && d.synced != nil {
		close(d.synced)
		d.synced = nil
	}
}

// take returns the entries since the last call.
func (d *diary) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() { d.entries = nil }()
	return strings.Join(d.entries, ", ")
}

// What has to be on the disk before a call returns is there, and in the right order: the records
// before the position that says that they are done.
func TestCursorSyncs(t *testing.T) {
	tests := []struct {
		mode         engine.SyncMode
		commit, next string // the commit of a record that is not on the disk yet; the one after it
	}{
		{engine.SyncNone, "write c", "write c"},
		{engine.SyncInterval, "fdatasync stream0.puro, write c", "write c"},
		{engine.SyncAlways, "fdatasync stream0.puro, write c, fdatasync c", "write c, fdatasync c"},
		{engine.SyncFlip, "fdatasync stream0.puro, write c, fdatasync c", "write c, fdatasync c"},
	}
	const made = "mkdir cursors, fsync of the directory store, mkdir t, fsync of the directory " +
		"cursors, write .new, write .new, fsync .new, rename .new, fsync of the directory t"
	for _, tt := range tests {
		t.Run(tt.mode.String(), func(t *testing.T) {
			d := new(diary)
			l := open(t, newStore(t),
				engine.Options{Sync: tt.mode, SyncInterval: time.Hour, FileHook: d})
			appendTo(t, l, "t", numbered(10)...)
			d.take()
			newCursor(t, l, "c")
			if got := d.take(); got != made {
				t.Errorf("making it: got  %s\nwant %s", got, made)
			}
			c := hold(t, l, "c")
			for next, want := range []string{tt.commit, tt.next} {
				commit(t, c, uint64(next+1))
				if got := d.take(); got != want {
					t.Errorf("commit %d: got %s, want %s", next+1, got, want)
				}
			}
			_ = c.Close()
			if err := l.RemoveCursor("t", "c"); err != nil {
				t.Error(err)
			}
			if got, want := d.take(), "remove c, fsync of the directory t"; got != want {
				t.Errorf("removing it: got %s, want %s", got, want)
			}
		})
	}
}

// In the mode interval a position is on the disk soon, also if its cursor was closed at once, and
// when the log is closed at the latest. However often it is moved and closed, one file stays open.
func TestCursorIsSyncedInTime(t *testing.T) {
	d := new(diary)
	synced := make(chan struct{})
	d.synced = synced
	opts := engine.Options{SyncInterval: engine.SyncIntervalMin, FileHook: d}
	l := open(t, newStore(t), opts)
	appendTo(t, l, "t", numbered(10)...)
	newCursor(t, l, "c")
	setCursor(t, l, "c", 1)
	<-synced

	d = new(diary)
	opts.SyncInterval, opts.FileHook = time.Hour, d
	l = open(t, newStore(t), opts)
	appendTo(t, l, "t", numbered(10)...)
	newCursor(t, l, "c")
	before := openFiles(t)
	for next := range uint64(10) {
		setCursor(t, l, "c", next)
	}
	if got := openFiles(t); got > before+1 {
		t.Errorf("got %d open files, %d before", got, before)
	}
	last := hold(t, l, "c")
	commit(t, last, 10)
	d.take()
	closeLog(t, l)
	if got := d.take(); strings.Count(got, "fdatasync c") != 1 {
		t.Errorf("closing the log: got %s, want one sync of the cursor", got)
	}
	if err := last.Commit(9); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("commit: got %v, want ErrClosed", err)
	}
	if err := last.Close(); err != nil {
		t.Errorf("closing a cursor behind its log: %v", err)
	}
}

// A pause stops the first sync of a cursor until it may go on.
type pause struct {
	diary
	once    sync.Once
	reached chan struct{}
	goOn    chan struct{}
}

func (p *pause) Before(op *disk.Op) error {
	if op.Kind == disk.OpDatasync && p.isCursor(op.Path) {
		p.once.Do(func() {
			close(p.reached)
			<-p.goOn
		})
	}
	return p.diary.Before(op)
}

// A cursor that is moved, and given back, while its file is being synced is synced once more: the
// position came too late for the sync that was under way.
func TestCursorMovedDuringItsSync(t *testing.T) {
	p := &pause{reached: make(chan struct{}), goOn: make(chan struct{})}
	goOn := sync.OnceFunc(func() { close(p.goOn) })
	l := open(t, newStore(t), engine.Options{SyncInterval: engine.SyncIntervalMin, FileHook: p})
	defer goOn()
	appendTo(t, l, "t", numbered(10)...)
	newCursor(t, l, "c")
	c := hold(t, l, "c")
	commit(t, c, 1)
	<-p.reached
	p.take()
	commit(t, c, 2)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	goOn()
	closeLog(t, l)
	if got := p.take(); strings.Count(got, "fdatasync c") != 2 {
		t.Errorf("got %s, want that the cursor is synced once more", got)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// What the disk refuses is an error, the cursor is where it was, and after a refused sync it is of
// no use until it is opened again.
func TestCursorDiskErrors(t *testing.T) {
	d := new(diary)
	l := open(t, newStore(t), engine.Options{Sync: engine.SyncAlways, FileHook: d})
	appendTo(t, l, "t", numbered(10)...)
	newCursor(t, l, "c")
	c := hold(t, l, "c")
	commit(t, c, 1)

	d.fails = disk.OpWrite
	if err := c.Commit(2); !errors.Is(err, syscall.EIO) || c.Next() != 1 {
		t.Errorf("a refused write: got %v, at %d", err, c.Next())
	}
	d.fails = 0
	commit(t, c, 3)
	d.fails = disk.OpDatasync
	if err := c.Commit(4); !errors.Is(err, engine.ErrPoisoned) {
		t.Errorf("a refused sync: got %v, want ErrPoisoned", err)
	}
	d.fails = 0
	if err := c.Commit(5); !errors.Is(err, engine.ErrPoisoned) {
		t.Errorf("the commit after it: got %v, want ErrPoisoned", err)
	}
	_ = c.Close()
	setCursor(t, l, "c", 5)
	appendTo(t, l, "t", "the log goes on")

	for kind, call := range map[disk.Kind]func() error{
		disk.OpRename:  func() error { return l.CreateCursor(context.Background(), "t", "new") },
		disk.OpSync:    func() error { return l.CreateCursor(context.Background(), "t", "new") },
		disk.OpRemove:  func() error { return l.RemoveCursor("t", "c") },
		disk.OpSyncDir: func() error { return l.RemoveCursor("t", "c") },
	} {
		d.fails = kind
		if err := call(); !errors.Is(err, syscall.EIO) && !errors.Is(err, engine.ErrNoCursor) {
			t.Errorf("%v: got %v, want EIO", kind, err)
		}
		d.fails = 0
		names, err := l.Cursors("t")
		if err != nil || slices.Contains(names, "new") {
			t.Errorf("%v: got cursors %q, %v", kind, names, err)
		}
	}
}
