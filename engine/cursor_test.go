package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/format"
)

// newCursor makes a cursor of topic t.
func newCursor(t testing.TB, l *engine.Log, name string) {
	t.Helper()
	if err := l.CreateCursor(context.Background(), "t", name); err != nil {
		t.Fatal(err)
	}
}

// hold takes a cursor of topic t until the test ends.
func hold(t testing.TB, l *engine.Log, name string) *engine.Cursor {
	t.Helper()
	c, err := l.OpenCursor("t", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func commit(t testing.TB, c *engine.Cursor, next uint64) {
	t.Helper()
	if err := c.Commit(next); err != nil {
		t.Fatal(err)
	}
}

// setCursor leaves a cursor of topic t at that position.
func setCursor(t testing.TB, l *engine.Log, name string, next uint64) {
	t.Helper()
	c := hold(t, l, name)
	commit(t, c, next)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func requirePosition(t testing.TB, l *engine.Log, name string, want uint64) {
	t.Helper()
	if got, err := l.CursorPosition("t", name); err != nil || got != want {
		t.Errorf("position of %s: got %d, %v, want %d", name, got, err, want)
	}
}

// numbered returns n values.
func numbered(n int) (values []string) {
	for i := range n {
		values = append(values, fmt.Sprint("value ", i))
	}
	return values
}

func TestCursorLife(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "t", numbered(10)...)
	newCursor(t, l, "billing")
	newCursor(t, l, "audit")
	names, err := l.Cursors("t")
	if err != nil || !slices.Equal(names, []string{"audit", "billing"}) {
		t.Errorf("got cursors %q, %v", names, err)
	}
	requirePosition(t, l, "billing", 0)

	c := hold(t, l, "billing")
	for _, next := range []uint64{1, 2, 10, 4} { // it may go back, too
		commit(t, c, next)
		if c.Next() != next {
			t.Errorf("got %d, want %d", c.Next(), next)
		}
		requirePosition(t, l, "billing", next)
	}
	if err := c.Commit(11); !errors.Is(err, engine.ErrPosition) {
		t.Errorf("beyond the end: got %v, want ErrPosition", err)
	}
	requirePosition(t, l, "billing", 4)
	if err := c.Sync(context.Background()); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for name, call := range map[string]func() error{
		"Commit": func() error { return c.Commit(5) },
		"Sync":   func() error { return c.Sync(context.Background()) },
		"Close":  c.Close,
	} {
		if err := call(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s of a closed cursor: got %v, want os.ErrClosed", name, err)
		}
	}
	closeLog(t, l)

	l = open(t, dir, engine.Options{})
	requirePosition(t, l, "billing", 4)
	requirePosition(t, l, "audit", 0)
	if err := l.RemoveCursor("t", "billing"); err != nil {
		t.Error(err)
	}
	names, err = l.Cursors("t")
	if err != nil || !slices.Equal(names, []string{"audit"}) {
		t.Errorf("got cursors %q, %v", names, err)
	}
	newCursor(t, l, "billing")
	requirePosition(t, l, "billing", 0)
}

func TestCursorErrors(t *testing.T) {
	ctx := context.Background()
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "t", "a record")
	newCursor(t, l, "held")
	hold(t, l, "held")
	readOnly := open(t, dir, engine.Options{ReadOnly: true})
	closed := open(t, dir, engine.Options{})
	closeLog(t, closed)

	create := func(l *engine.Log, topic, name string) func() error {
		return func() error { return l.CreateCursor(ctx, topic, name) }
	}
	take := func(l *engine.Log, topic, name string) func() error {
		return func() error { _, err := l.OpenCursor(topic, name); return err }
	}
	position := func(l *engine.Log, topic, name string) func() error {
		return func() error { _, err := l.CursorPosition(topic, name); return err }
	}
	remove := func(l *engine.Log, topic, name string) func() error {
		return func() error { return l.RemoveCursor(topic, name) }
	}
	tests := []struct {
		name string
		call func() error
		want error
	}{
		{"create, no topic", create(l, "nobody", "c"), engine.ErrNoTopic},
		{"create, it exists", create(l, "t", "held"), engine.ErrCursorExists},
		{"create, read-only", create(readOnly, "t", "c"), engine.ErrReadOnly},
		{"create, closed", create(closed, "t", "c"), engine.ErrClosed},
		{"open, it is held", take(l, "t", "held"), engine.ErrCursorHeld},
		{"open, no cursor", take(l, "t", "none"), engine.ErrNoCursor},
		{"open, no topic", take(l, "nobody", "c"), engine.ErrNoTopic},
		{"open, read-only", take(readOnly, "t", "held"), engine.ErrReadOnly},
		{"open, closed", take(closed, "t", "held"), engine.ErrClosed},
		{"position, no cursor", position(l, "t", "none"), engine.ErrNoCursor},
		{"position, read-only", position(readOnly, "t", "held"), nil},
		{"position, closed", position(closed, "t", "held"), engine.ErrClosed},
		{"remove, it is held", remove(l, "t", "held"), engine.ErrCursorHeld},
		{"remove, no cursor", remove(l, "t", "none"), engine.ErrNoCursor},
		{"remove, read-only", remove(readOnly, "t", "held"), engine.ErrReadOnly},
	}
	for _, tt := range tests {
		if err := tt.call(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	invalid := []string{"", ".", "..", ".hidden", "a/b", "a\x00b", strings.Repeat("n", 256)}
	for _, name := range invalid {
		for what, call := range map[string]func() error{
			"create": create(l, "t", name), "open": take(l, "t", name),
			"position": position(l, "t", name), "remove": remove(l, "t", name),
		} {
			if err := call(); !errors.Is(err, engine.ErrInvalidCursor) {
				t.Errorf("%s %.20q: got %v, want ErrInvalidCursor", what, name, err)
			}
		}
	}
}

// Whatever a topic or a cursor is called, its file has a name of its own, within the store.
func TestCursorNames(t *testing.T) {
	topics := []string{
		"orders", "a topic", "100%", "%2F", ".hidden", "...", "\xff\xfe", "new\nline", "-rf", "~",
		strings.Repeat("t", 255), strings.Repeat("%", 255), strings.Repeat("%", 254) + "2",
		"%%" + strings.Repeat("0", 64),
	}
	names := []string{"billing", "b%2Fc", "\xff\x01\n", "-", strings.Repeat("c", 255)}
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	ctx := context.Background()
	for _, topic := range topics {
		appendTo(t, l, topic, numbered(len(topics))...)
		for _, name := range names {
			if err := l.CreateCursor(ctx, topic, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, topic := range topics {
		got, err := l.Cursors(topic)
		if want := slices.Sorted(slices.Values(names)); err != nil || !slices.Equal(got, want) {
			t.Errorf("topic %.20q: got %q, %v, want %q", topic, got, err, want)
		}
		c, err := l.OpenCursor(topic, names[0])
		if err != nil {
			t.Fatal(err)
		}
		commit(t, c, uint64(i))
		_ = c.Close()
	}
	for i, topic := range topics {
		if got, err := l.CursorPosition(topic, names[0]); err != nil || got != uint64(i) {
			t.Errorf("topic %.20q: got %d, %v, want %d", topic, got, err, i)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "cursors", "*", "*"))
	if want := len(topics) * len(names); err != nil || len(files) != want {
		t.Errorf("got %d files, %v, want %d", len(files), err, want)
	}
}

// A topic that is deleted keeps its cursors. Its offsets go on, so they are right when it is there
// again: they stand at its first new record.
func TestCursorOfDeletedTopic(t *testing.T) {
	ctx := context.Background()
	dir := newStore(t)
	l := open(t, dir, manual)
	appendTo(t, l, "t", numbered(10)...)
	newCursor(t, l, "c")
	newCursor(t, l, "held")
	newCursor(t, l, "none")
	setCursor(t, l, "c", 5)
	setCursor(t, l, "none", 10)
	held := hold(t, l, "held")
	if err := l.DeleteTopic(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if err := held.Commit(7); !errors.Is(err, engine.ErrNoTopic) {
		t.Errorf("commit: got %v, want ErrNoTopic", err)
	}
	if _, err := l.OpenCursor("t", "c"); !errors.Is(err, engine.ErrNoTopic) {
		t.Errorf("open: got %v, want ErrNoTopic", err)
	}
	appendTo(t, l, "t", numbered(3)...)
	for _, name := range []string{"c", "held"} {
		requirePosition(t, l, name, 10)
	}
	commit(t, held, 11)
	_ = held.Close()
	c := hold(t, l, "c")
	if c.Next() != 10 {
		t.Errorf("got %d, want 10", c.Next())
	}
	commit(t, c, 12)
	requirePosition(t, l, "c", 12)
	requirePosition(t, l, "held", 11)
	closeLog(t, l)
	reboot(t, cursorFile(dir, "none"), func(*format.CursorSlot) {})
	l = open(t, dir, manual)
	setCursor(t, l, "none", 11)
	if troubles := l.Troubles(); len(troubles) > 0 {
		t.Errorf("got %v, want no troubles", troubles)
	}
}

// A cursor may go back to where only another process knows that the log is on the disk.
func TestCursorGoesBackElsewhere(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, manual)
	elsewhere := open(t, dir, manual)
	appendTo(t, l, "t", numbered(5)...)
	appendTo(t, l, "t", numbered(5)...)
	newCursor(t, l, "c")
	if err := l.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	setCursor(t, l, "c", 10)
	setCursor(t, elsewhere, "c", 3)
	setCursor(t, elsewhere, "c", 4)
	requirePosition(t, l, "c", 4)
}

// Cursors of the same topic and process do not know of each other.
func TestCursorsAreIndependent(t *testing.T) {
	l := open(t, newStore(t), engine.Options{})
	appendTo(t, l, "t", numbered(10)...)
	var cursors []*engine.Cursor
	for i := range 5 {
		name := fmt.Sprint("c", i)
		newCursor(t, l, name)
		cursors = append(cursors, hold(t, l, name))
	}
	for round := range 3 {
		for i, c := range cursors {
			commit(t, c, uint64(i+round))
		}
	}
	for i := range cursors {
		requirePosition(t, l, fmt.Sprint("c", i), uint64(i+2))
	}
}

// Other processes may be making the same cursor; one of them does.
func TestCursorIsMadeOnce(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "t", "a record")
	const makers = 8
	errs := make(chan error)
	for range makers {
		go func() { errs <- l.CreateCursor(context.Background(), "t", "c") }()
	}
	made := 0
	for range makers {
		err := <-errs
		if err == nil {
			made++
		} else if !errors.Is(err, engine.ErrCursorExists) {
			t.Errorf("got %v, want ErrCursorExists", err)
		}
	}
	if made != 1 {
		t.Errorf("the cursor was made %d times", made)
	}
	other := open(t, dir, engine.Options{LockTimeout: time.Second})
	appendTo(t, other, "t", "another record") // the lock is free again
}

// What a process left that died while it made a cursor is no cursor, and in nobody's way.
func TestCursorHalfMade(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "t", "a record")
	newCursor(t, l, "first")
	writeFile(t, filepath.Join(dir, "cursors", "t", ".new"), []byte("half a curs"))
	if names, err := l.Cursors("t"); err != nil || !slices.Equal(names, []string{"first"}) {
		t.Errorf("got %q, %v", names, err)
	}
	newCursor(t, l, "second")
	requirePosition(t, l, "second", 0)
	if _, err := os.Stat(filepath.Join(dir, "cursors", "t", ".new")); !os.IsNotExist(err) {
		t.Errorf("got %v, want that nothing is left", err)
	}
}
