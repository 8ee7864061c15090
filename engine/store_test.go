package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"purofs/engine"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	writeFile(t, at("file"), []byte("x"))
	for _, name := range []string{"photos", "empty"} {
		if err := os.Mkdir(at(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, at("photos/cat.jpg"), []byte("x"))
	tests := []struct {
		name string
		path string
		opts engine.Options
		want error
		says string
	}{
		{"a directory with other files", at("photos"), engine.Options{}, engine.ErrNotStore, "cat.jpg"},
		{"a missing parent", at("no/such/store"), engine.Options{}, fs.ErrNotExist, "make the directory"},
		{"a file", at("file"), engine.Options{}, engine.ErrNotStore, "a file"},
		{"nothing, read-only", at("none"), engine.Options{ReadOnly: true}, fs.ErrNotExist, "none"},
		{"an empty directory, read-only", at("empty"), engine.Options{ReadOnly: true},
			engine.ErrNotStore, "segment"},
		{"an option", at("new"), engine.Options{SegmentBytes: 1}, engine.ErrOption, "64 KiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := engine.Open(context.Background(), tt.path, tt.opts)
			if err == nil {
				closeLog(t, l)
			}
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %v, with a word about %q", err, tt.want, tt.says)
			}
		})
	}
	_, err := engine.Verify(context.Background(), at("photos"), nil)
	if !errors.Is(err, engine.ErrNotStore) {
		t.Errorf("Verify: got %v, want ErrNotStore", err)
	}
	closeLog(t, open(t, at("empty"), engine.Options{})) // an empty directory becomes a store
}

// Somebody who may not write there is told so; who may read can open it read-only.
func TestOpenAsNobody(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	const nobody = 65534
	// The test's own directories are closed to others.
	base, err := os.MkdirTemp("/tmp", "purofs")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(base, "test")
	if err := os.WriteFile(binary, readFile(t, os.Args[0]), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(binary, 0o755); err != nil {
		t.Fatal(err)
	}
	parent := filepath.Join(base, "parent")
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(parent, "store")
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "t", "x")
	closeLog(t, l)
	// Who may only pass through the directory above can use the store nevertheless.
	if err := os.Chmod(parent, 0o711); err != nil {
		t.Fatal(err)
	}
	ask := func(want string, args ...any) {
		t.Helper()
		user := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		c := startChildFrom(t, binary, user, "open", append([]any{dir}, args...)...)
		if got := c.line(t); !strings.Contains(got, want) {
			t.Errorf("got %q, want a word about %q", got, want)
		}
	}
	ask("permission denied")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ask("read-only")
	ask("permission denied", "ro") // the segments are the owner's
	if err := os.Chmod(segmentPath(dir, 0), 0o644); err != nil {
		t.Fatal(err)
	}
	ask("opened", "ro")
}

// A store that is removed, or whose active segment is, gives an error that says so. The file may
// well have another name then: its records would be acknowledged, and in no store.
func TestVanishedStore(t *testing.T) {
	ways := map[string]func(dir, segment, aside string) error{
		"the store is removed": func(dir, _, _ string) error { return os.RemoveAll(dir) },
		"it is removed":        func(_, segment, _ string) error { return os.Remove(segment) },
		"it is moved away":     func(_, segment, aside string) error { return os.Rename(segment, aside) },
		"it is removed, but for a link to it": func(_, segment, aside string) error {
			return errors.Join(os.Link(segment, aside), os.Remove(segment))
		},
		"a copy takes its place, and a link to it is left": func(_, segment, aside string) error {
			b, err := os.ReadFile(segment)
			return errors.Join(err, os.Link(segment, aside), os.WriteFile(aside+".copy", b, 0o600),
				os.Rename(aside+".copy", segment))
		},
	}
	for name, remove := range ways {
		t.Run(name, func(t *testing.T) { testVanishing(t, remove) })
	}
}

func testVanishing(t *testing.T, remove func(dir, segment, aside string) error) {
	dir := newStore(t)
	l, err := engine.Open(t.Context(), dir, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, l, "t", "x")
	wake, woken := newWake()
	l.Watch("t", 1, wake)
	if err := remove(dir, segmentPath(dir, 0), filepath.Join(t.TempDir(), "aside")); err != nil {
		t.Fatal(err)
	}
	<-woken
	var b engine.Batch
	b.Add("t", nil, []byte("y"))
	// Who waits is woken, and asks for the topic: an answer as if all was well would have him wait
	// again, and be woken, for ever.
	_, topicErr := l.Topic("t")
	for name, err := range map[string]error{
		"Append": l.Append(t.Context(), &b), "Sync": l.Sync(t.Context()), "Topic": topicErr,
	} {
		if !errors.Is(err, engine.ErrVanished) {
			t.Errorf("%s: got %v, want ErrVanished", name, err)
		}
	}
	if l.Status().Healthy {
		t.Error("the log says that it is healthy")
	}
	if len(l.Troubles()) == 0 {
		t.Error("the log tells of no trouble")
	}
	if _, statErr := os.Stat(dir); l.Close() == nil && statErr != nil {
		t.Error("Close says that all is well")
	}
}

func TestOptionsValidate(t *testing.T) {
	tests := []struct {
		name string
		opts engine.Options
		ok   bool
	}{
		{"zero", engine.Options{}, true},
		{"smallest", engine.Options{SegmentBytes: 64 << 10, ValueBytes: 1,
			SyncInterval: 10 * time.Millisecond, LockTimeout: time.Millisecond}, true},
		{"largest", engine.Options{SegmentBytes: 1 << 40, ValueBytes: 32 << 20,
			SyncInterval: time.Hour, LockTimeout: time.Hour, Sync: engine.SyncFlip}, true},
		{"segment small", engine.Options{SegmentBytes: 64<<10 - 1}, false},
		{"segment large", engine.Options{SegmentBytes: 1<<40 + 1}, false},
		{"value negative", engine.Options{ValueBytes: -1}, false},
		{"value large", engine.Options{ValueBytes: 32<<20 + 1}, false},
		{"interval short", engine.Options{SyncInterval: time.Millisecond}, false},
		{"interval long", engine.Options{SyncInterval: 2 * time.Hour}, false},
		{"timeout short", engine.Options{LockTimeout: time.Microsecond}, false},
		{"timeout long", engine.Options{LockTimeout: 2 * time.Hour}, false},
		{"mode", engine.Options{Sync: 9}, false},
	}
	for _, tt := range tests {
		err := tt.opts.Validate()
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, engine.ErrOption) {
			t.Errorf("%s: got %v, want ok %t", tt.name, err, tt.ok)
		}
	}
}

func TestSyncModes(t *testing.T) {
	for mode := engine.SyncInterval; mode <= engine.SyncFlip; mode++ {
		t.Run(mode.String(), func(t *testing.T) {
			if got, err := engine.ParseSyncMode(mode.String()); err != nil || got != mode {
				t.Errorf("parsed: got %v, %v", got, err)
			}
			dir := newStore(t)
			l := open(t, dir, engine.Options{Sync: mode, SegmentBytes: testSegmentBytes})
			want := fill(t, l, 2)
			if err := l.Sync(t.Context()); err != nil {
				t.Error(err)
			}
			var b engine.Batch
			b.Sync = true
			b.Add("t", nil, []byte("synced"))
			if err := l.Append(t.Context(), &b); err != nil {
				t.Error(err)
			}
			closeLog(t, l)
			requireValues(t, open(t, dir, engine.Options{}), "t", append(want, "synced")...)
			verify(t, dir, "clean")
		})
	}
	if _, err := engine.ParseSyncMode("sometimes"); !errors.Is(err, engine.ErrOption) {
		t.Errorf("got %v, want ErrOption", err)
	}
}

func TestStatus(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes})
	records := len(fill(t, l, 2))
	appendTo(t, l, "other", "x")
	got := l.Status()
	var bytes int64
	for i := range 2 {
		bytes += int64(len(readFile(t, segmentPath(dir, i))))
	}
	want := engine.Status{
		Dir: dir, Sync: "interval", Segments: 2, SegmentBytes: testSegmentBytes, Bytes: bytes, Topics: 2,
		Records: uint64(records) + 1, Healthy: true, Opened: got.Opened,
	}
	if got != want || got.Opened.IsZero() {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
