package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"purofs/engine"
)

// Several processes append with several goroutines each, over many segments, while followers read:
// all see the same records in the same order.
func TestProcessesShareALog(t *testing.T) {
	const processes, goroutines, records = 4, 3, 120
	const total = processes * goroutines * records
	dir := newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes, LockTimeout: time.Minute})
	var followers, producers []*child
	for range 2 {
		f := startChild(t, "follow", dir, "all", total)
		f.expect(t, "following")
		followers = append(followers, f)
	}
	for p := range processes {
		c := startChild(t, "produce", dir, p, goroutines, records)
		c.expect(t, "ready")
		producers = append(producers, c)
	}
	acked := new(ledger)
	var wg sync.WaitGroup
	for _, c := range producers {
		if _, err := io.WriteString(c.in, "go\n"); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { acked.listen(t, c) })
	}
	hash, err := follow(l, "all", total)
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	for _, f := range followers {
		f.expect(t, hash)
	}
	for _, c := range append(followers, producers...) {
		if err := c.Wait(); err != nil {
			t.Errorf("a child ended with %v", err)
		}
	}
	acked.check(t, l, total)
	report := verify(t, dir, "clean")
	if report.Segments < 3 {
		t.Errorf("got %d segments: the producers did not reach a rollover together", report.Segments)
	}
	if got, want := len(read(t, l, "fifth")), total/5; got != want {
		t.Errorf("topic fifth: got %d records, want %d", got, want)
	}
}

// A ledger holds what producers said was acknowledged.
type ledger struct {
	mu      sync.Mutex
	offsets map[string]uint64
}

// listen notes what a producer says until it ends. A line that a kill cut off counts for nothing.
func (a *ledger) listen(t *testing.T, c *child) {
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			return
		}
		var name string
		var offset uint64
		if _, err := fmt.Sscanf(line, "%s %d\n", &name, &offset); err != nil {
			t.Errorf("the producer said %q", line)
			return
		}
		a.note(name, offset)
	}
}

// check compares the log with what was acknowledged: nothing lost, torn, doubled, moved, invented
// or out of order. total is how many records there are at most.
func (a *ledger) check(t *testing.T, l *engine.Log, total int) {
	t.Helper()
	seen := make(map[string]uint64)
	next := make(map[string]int)
	for offset, value := range read(t, l, "all") {
		name, err := nameOfPadded([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		if earlier, twice := seen[name]; twice {
			t.Errorf("record %s is there twice, at %d and %d", name, earlier, offset)
		}
		seen[name] = uint64(offset)
		dot := strings.LastIndexByte(name, '.')
		if want := fmt.Sprint(next[name[:dot]]); name[dot+1:] != want {
			t.Errorf("producer %s: got record %s, want %s", name[:dot], name[dot+1:], want)
		}
		next[name[:dot]]++
	}
	for name, offset := range a.offsets {
		if got, there := seen[name]; !there || got != offset {
			t.Errorf("record %s was acknowledged at %d: got %d, there %t", name, offset, got, there)
		}
	}
	if len(seen) > total {
		t.Errorf("got %d records, want at most %d", len(seen), total)
	}
}

// Producers are killed at any moment, some of them together with others that go on; then all that
// was acknowledged is there, in order and whole, and the log goes on.
func TestKilledProducers(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	rnd := newRand(t)
	dir := newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes, LockTimeout: time.Minute})
	acked := new(ledger)
	const endless = 1 << 30
	for round := range rounds {
		killRound(t, dir, round, rnd, acked)
		// The next producer cleans up, and is not disturbed by what it finds.
		appendTo(t, l, "alive", fmt.Sprint(round))
	}
	acked.check(t, l, endless)
	if len(acked.offsets) < rounds {
		t.Errorf("only %d records were acknowledged: the kills come too early to say much",
			len(acked.offsets))
	}
	if got := len(read(t, l, "alive")); got != rounds {
		t.Errorf("topic alive: got %d records, want %d", got, rounds)
	}
	closeLog(t, l)
	report := verify(t, dir, "clean")
	t.Logf("%d acknowledged records, %d segments", len(acked.offsets), report.Segments)

	again := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes})
	acked.check(t, again, endless)
}

// killRound starts one or two producers and kills them after they have acknowledged a random
// number of records and been at work a random time more.
func killRound(t *testing.T, dir string, round int, rnd *rand.Rand, acked *ledger) {
	t.Helper()
	var wg sync.WaitGroup
	for p := range 1 + round%2 {
		c := startChild(t, "produce", dir, fmt.Sprintf("%d-%d", round, p), 1+rnd.IntN(3), 1<<20)
		c.expect(t, "ready")
		if _, err := io.WriteString(c.in, "go\n"); err != nil {
			t.Fatal(err)
		}
		first := c.line(t)
		spin := time.Duration(rnd.IntN(3_000_000))
		wg.Go(func() {
			defer c.end()
			var name string
			var offset uint64
			if _, err := fmt.Sscanf(first, "%s %d", &name, &offset); err != nil {
				t.Errorf("the producer said %q", first)
				return
			}
			acked.note(name, offset)
			// Not a wait for anything: the kill shall come at a random moment.
			timer := time.AfterFunc(spin, func() { _ = c.Process.Signal(syscall.SIGKILL) })
			defer timer.Stop()
			acked.listen(t, c)
		})
	}
	wg.Wait()
}

func (a *ledger) note(name string, offset uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.offsets == nil {
		a.offsets = make(map[string]uint64)
	}
	a.offsets[name] = offset
}

// A producer that is stopped while it holds the lock holds up the others, who are told, and what
// they were refused is not stored later.
func TestStoppedHolder(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{LockTimeout: 30 * time.Millisecond})
	appendTo(t, l, "t", "before")
	holder := startChild(t, "hold", dir, "stream0.puro")
	holder.expect(t, "locked")
	holder.signal(t, syscall.SIGSTOP)

	refused := func(ctx context.Context, value string, want error, prepare func(*engine.Batch)) {
		t.Helper()
		var b engine.Batch
		prepare(&b)
		b.Add("t", nil, []byte(value))
		if err := l.Append(ctx, &b); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", value, err, want)
		}
	}
	plain := func(*engine.Batch) {}
	ctx := context.Background()
	refused(ctx, "timed out", engine.ErrLocked, plain)
	refused(ctx, "no wait", engine.ErrLocked, func(b *engine.Batch) { b.NoWait = true })
	done, cancel := context.WithCancel(ctx)
	cancel()
	refused(done, "cancelled", context.Canceled, plain)
	requireValues(t, l, "t", "before") // reading goes on meanwhile

	holder.signal(t, syscall.SIGCONT)
	if err := holder.in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Wait(); err != nil {
		t.Fatal(err)
	}
	appendTo(t, l, "t", "after")
	requireValues(t, l, "t", "before", "after")
	verify(t, dir, "clean")
}

// A cancelled append that waits for another process gives its place to those that wait with it.
func TestCancelledLeader(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{LockTimeout: time.Minute})
	appendTo(t, l, "t", "before")
	holder := startChild(t, "hold", dir, "stream0.puro")
	holder.expect(t, "locked")
	var cancelled, others sync.WaitGroup
	for range 4 {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		cancelled.Go(func() {
			var b engine.Batch
			b.Add("t", nil, []byte("cancelled"))
			if err := l.Append(ctx, &b); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want context.DeadlineExceeded", err)
			}
		})
		others.Go(func() {
			var b engine.Batch
			b.Add("t", nil, []byte("other"))
			if err := l.Append(context.Background(), &b); err != nil {
				t.Error(err)
			}
		})
	}
	cancelled.Wait()
	if err := holder.in.Close(); err != nil {
		t.Fatal(err)
	}
	others.Wait()
	requireValues(t, l, "t", "before", "other", "other", "other", "other")
}
