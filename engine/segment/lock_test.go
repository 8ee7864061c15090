package segment_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"purofs/engine/segment"
)

// giveUp is how long the tests wait for a lock that they cannot get.
const giveUp = 20 * time.Millisecond

func TestLockExcludesOtherDescriptors(t *testing.T) {
	dir, a := openImage(t, image(block(1, "t", "x")))
	b := openSegment(t, dir)
	requireLock(t, a, "the first lock")
	requireLocked(t, b, "a second descriptor of this process")

	// What POSIX locks get wrong: closing any other descriptor drops the lock.
	c := openSegment(t, dir)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	requireLocked(t, b, "after an unrelated close")

	a.UnlockTail()
	requireLock(t, b, "after the unlock")
	requireLocked(t, a, "the other way round")
}

func TestLockExcludesStaleSizes(t *testing.T) {
	tests := []struct{ held, wanted int64 }{
		{0, 0}, {0, 1 << 40}, {1 << 40, 0}, {100, 50_000}, {50_000, 100},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d-%d", tt.held, tt.wanted), func(t *testing.T) {
			dir, a := openImage(t, image())
			b := openSegment(t, dir)
			if err := a.LockTail(context.Background(), tt.held, 0); err != nil {
				t.Fatal(err)
			}
			err := b.LockTail(context.Background(), tt.wanted, 0)
			if !errors.Is(err, segment.ErrLocked) {
				t.Fatalf("got %v, want ErrLocked", err)
			}
		})
	}
}

func TestLockOfAnotherProcess(t *testing.T) {
	t.Run("killed", func(t *testing.T) {
		dir, s := openImage(t, image(block(1, "t", "x")))
		holder := startChild(t, "hold", dir.Path())
		holder.expect(t, "locked")
		requireLocked(t, s, "while the other process holds it")
		if locked, err := s.TailLocked(0); err != nil || !locked {
			t.Fatalf("TailLocked: %t, %v, want true", locked, err)
		}
		holder.signal(t, syscall.SIGKILL)
		requireLock(t, s, "after the holder was killed")
	})
	t.Run("stopped", func(t *testing.T) {
		dir, s := openImage(t, image(block(1, "t", "x")))
		holder := startChild(t, "hold", dir.Path())
		holder.expect(t, "locked")
		holder.signal(t, syscall.SIGSTOP)
		for range 3 { // each wait takes over the one that was given up before
			err := s.LockTail(context.Background(), 0, giveUp)
			if !errors.Is(err, segment.ErrLocked) {
				t.Fatalf("got %v, want ErrLocked: a stopped process keeps its lock", err)
			}
		}
		holder.signal(t, syscall.SIGCONT)
		if err := holder.in.Close(); err != nil {
			t.Fatal(err)
		}
		requireLock(t, s, "after the holder went on and ended")
	})
}

// A wait that was given up must not turn into a lock that nobody knows of.
func TestLockGrantedAfterTheWaitWasGivenUpIsReleased(t *testing.T) {
	dir, a := openImage(t, image(block(1, "t", "x")))
	b, c := openSegment(t, dir), openSegment(t, dir)
	requireLock(t, a, "the first lock")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.LockTail(ctx, 0, time.Minute); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	a.UnlockTail() // the wait in the kernel, which goes on, gets the lock now
	requireLock(t, c, "a third descriptor")
	c.UnlockTail()
	requireLock(t, b, "the one that gave up")
	requireLocked(t, c, "while the one that gave up holds it")
}

func TestLockWaitIsTakenOver(t *testing.T) {
	dir, a := openImage(t, image(block(1, "t", "x")))
	b := openSegment(t, dir)
	for range 50 {
		requireLock(t, a, "the first lock")
		err := b.LockTail(context.Background(), 0, time.Millisecond)
		if !errors.Is(err, segment.ErrLocked) {
			t.Fatalf("got %v, want ErrLocked", err)
		}
		got := make(chan error, 1)
		go func() { got <- b.LockTail(context.Background(), 0, time.Minute) }()
		a.UnlockTail()
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		requireLocked(t, a, "while the other one holds it")
		b.UnlockTail()
	}
}

func TestLockIsMutuallyExclusive(t *testing.T) {
	dir, _ := openImage(t, image(block(1, "t", "x")))
	const lockers, rounds = 6, 300
	var inside atomic.Int32
	var wg sync.WaitGroup
	for i := range lockers {
		s := openSegment(t, dir)
		wg.Go(func() {
			for n := range rounds {
				timeout := time.Minute
				if n%3 == 0 {
					timeout = time.Duration(i) * 10 * time.Microsecond
				}
				err := s.LockTail(context.Background(), int64(n), timeout)
				if errors.Is(err, segment.ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if got := inside.Add(1); got != 1 {
					t.Errorf("%d hold the lock", got)
				}
				inside.Add(-1)
				s.UnlockTail()
			}
		})
	}
	wg.Wait()
}

func TestShareHeadKeepsTheStewardAway(t *testing.T) {
	dir, a := openImage(t, image(block(1, "t", "x")))
	b := openSegment(t, dir)
	if ok, err := a.ShareHead(); err != nil || !ok {
		t.Fatalf("ShareHead: %t, %v", ok, err)
	}
	if ok, err := b.ShareHead(); err != nil || !ok {
		t.Fatalf("a second ShareHead: %t, %v", ok, err)
	}
	// A producer at the tail is not in the way of readers of the head; whoever wants all of it is.
	c := openSegment(t, dir)
	size, err := c.Size()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.LockTail(context.Background(), size, 0); err != nil {
		t.Fatalf("the tail: %v", err)
	}
	c.UnlockTail()
	requireLocked(t, c, "the whole file")
}

func TestReadOnlySegmentHasNoLock(t *testing.T) {
	dir, _ := openImage(t, image(block(1, "t", "x")))
	s, err := segment.Open(dir, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := lockNow(s); err == nil || errors.Is(err, segment.ErrLocked) {
		t.Fatalf("got %v, want the error of a write lock on a read-only file", err)
	}
	if w := walkAll(t, s, true, segment.NoLimit); !errors.Is(w.end, io.EOF) {
		t.Fatalf("reading ends with %v", w.end)
	}
}
