package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"purofs/engine"
)

// childCursor takes a cursor of topic t, says where it is, and moves it on with each line of its
// input, or, with "race", by itself as long as it lives; it says each position that was
// acknowledged.
func childCursor(args []string) error {
	l, err := engine.Open(context.Background(), args[0], engine.Options{})
	if err != nil {
		return err
	}
	c, err := l.OpenCursor("t", args[1])
	if err != nil {
		fmt.Println(err)
		return l.Close()
	}
	fmt.Println(c.Next())
	in := bufio.NewScanner(os.Stdin)
	for race := len(args) > 2; race || in.Scan(); {
		if err := c.Commit(c.Next() + 1); err != nil {
			return err
		}
		fmt.Println(c.Next())
	}
	return errors.Join(c.Close(), l.Close())
}

// One process at a time has a cursor. The kernel gives it to the next one when its holder is
// killed, with all that was acknowledged.
func TestCursorIsHeldByOneProcess(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "t", numbered(10)...)
	newCursor(t, l, "c")
	first := startChild(t, "cursor", dir, "c")
	first.expect(t, "0")
	if _, err := fmt.Fprintln(first.in, "on"); err != nil {
		t.Fatal(err)
	}
	first.expect(t, "1")
	second := startChild(t, "cursor", dir, "c")
	if got := second.line(t); !strings.Contains(got, engine.ErrCursorHeld.Error()) {
		t.Errorf("the second process got %q", got)
	}
	if _, err := l.OpenCursor("t", "c"); !errors.Is(err, engine.ErrCursorHeld) {
		t.Errorf("got %v, want ErrCursorHeld", err)
	}
	if err := l.RemoveCursor("t", "c"); !errors.Is(err, engine.ErrCursorHeld) {
		t.Errorf("remove: got %v, want ErrCursorHeld", err)
	}
	requirePosition(t, l, "c", 1)
	first.end()
	third := startChild(t, "cursor", dir, "c")
	third.expect(t, "1")
	third.end()
	if err := l.RemoveCursor("t", "c"); err != nil {
		t.Error(err)
	}
}

// A process that moves a cursor is killed at random, again and again: no position that it
// acknowledged is lost, and none comes out of nothing.
func TestCursorSurvivesKills(t *testing.T) {
	const kills = 30
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	newCursorTopic(t, l, 100_000)
	rng := newRand(t)
	acknowledged := uint64(0)
	for range kills {
		c := startChild(t, "cursor", dir, "c", "race")
		next := position(t, c.line(t))
		// It may have stored one position that it did not live to acknowledge.
		if next < acknowledged || next > acknowledged+1 {
			t.Fatalf("the cursor is at %d, and %d was acknowledged last", next, acknowledged)
		}
		acknowledged = raceUntilKilled(t, c, rng, next)
		requirePositionIn(t, l, acknowledged)
	}
}

// newCursorTopic fills topic t with so many records, and makes its cursor c.
func newCursorTopic(t *testing.T, l *engine.Log, records int) {
	t.Helper()
	var b engine.Batch
	for i := range records {
		b.Add("t", nil, strconv.AppendInt(nil, int64(i), 10))
	}
	if err := l.Append(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	newCursor(t, l, "c")
}

// raceUntilKilled reads what a child says, kills it after a while, and returns the last position
// that it said in whole.
func raceUntilKilled(t *testing.T, c *child, rng *rand.Rand, next uint64) uint64 {
	t.Helper()
	killer := time.AfterFunc(time.Duration(rng.IntN(20_000))*time.Microsecond, func() {
		_ = c.Process.Kill()
	})
	defer killer.Stop()
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			return next
		}
		next = position(t, strings.TrimSuffix(line, "\n"))
	}
}

func position(t *testing.T, line string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(line, 10, 64)
	if err != nil {
		t.Fatalf("the child said %q", line)
	}
	return n
}

func requirePositionIn(t *testing.T, l *engine.Log, acknowledged uint64) {
	t.Helper()
	got, err := l.CursorPosition("t", "c")
	if err != nil || got < acknowledged || got > acknowledged+1 {
		t.Fatalf("got %d, %v, and %d was acknowledged last", got, err, acknowledged)
	}
}

// Somebody looks at a cursor all the while it is moved, by another process: what is seen never goes
// back.
func TestCursorIsSeenMoving(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	newCursorTopic(t, l, 100_000)
	c := startChild(t, "cursor", dir, "c", "race")
	c.expect(t, "0")
	done := make(chan struct{})
	go func() { // so that it does not stop for want of a reader
		defer close(done)
		for {
			if _, err := c.lines.ReadString('\n'); err != nil {
				return
			}
		}
	}()
	for seen := uint64(0); seen < 2000; {
		next, err := l.CursorPosition("t", "c")
		if err != nil {
			t.Fatal(err)
		}
		if next < seen {
			t.Fatalf("the cursor was seen at %d and then at %d", seen, next)
		}
		seen = next
	}
	_ = c.Process.Kill()
	<-done
}

// Removing and taking a cursor at the same time: it is taken or gone, never a file without a name.
func TestCursorRemovedWhileTaken(t *testing.T) {
	const rounds = 200
	l := open(t, newStore(t), engine.Options{Sync: engine.SyncNone})
	appendTo(t, l, "t", numbered(3)...)
	for range rounds {
		newCursor(t, l, "c")
		removed := make(chan error)
		go func() { removed <- l.RemoveCursor("t", "c") }()
		c, err := l.OpenCursor("t", "c")
		switch {
		case err == nil:
			commit(t, c, 2)
			requirePosition(t, l, "c", 2)
			if err := <-removed; !errors.Is(err, engine.ErrCursorHeld) && err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
		case errors.Is(err, engine.ErrNoCursor), errors.Is(err, engine.ErrCursorHeld):
			if err := <-removed; err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatal(err)
		}
		if err := l.RemoveCursor("t", "c"); err != nil && !errors.Is(err, engine.ErrNoCursor) {
			t.Fatal(err)
		}
	}
}
