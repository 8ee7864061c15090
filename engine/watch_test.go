package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"purofs/engine"
)

// Whoever stops waiting for a topic in the moment that its first record is written must not take
// the topic away: its second record would get the first one's offset.
func TestTopicOutlivesItsLastWatch(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 300 {
				topic := fmt.Sprintf("%d-%d", worker, i)
				stop := l.Watch(topic, 1, func() {})
				stopped := make(chan struct{})
				go func() {
					defer close(stopped)
					stop()
				}()
				for want := range uint64(2) {
					var b engine.Batch
					b.Add(topic, nil, []byte("x"))
					if err := l.Append(context.Background(), &b); err != nil {
						t.Error(err)
						return
					}
					if got := b.Offset(0); got != want {
						t.Errorf("topic %s: got offset %d, want %d", topic, got, want)
					}
				}
				<-stopped
			}
		})
	}
	wg.Wait()
	verify(t, dir, "clean")
}

// newWake returns a wake that can be waited for.
func newWake() (wake func(), woken chan struct{}) {
	woken = make(chan struct{}, 100)
	return func() { woken <- struct{}{} }, woken
}

func requireWoken(t *testing.T, woken chan struct{}, stop func() bool) {
	t.Helper()
	<-woken
	if stop() {
		t.Error("stop says that wake was never called")
	}
	if len(woken) > 0 {
		t.Error("wake was called twice")
	}
}

func TestWatchWakes(t *testing.T) {
	dir := newStore(t)
	tests := []struct {
		name string
		next uint64
		act  func(t *testing.T, l *engine.Log)
	}{
		{"own append", 1, func(t *testing.T, l *engine.Log) { appendTo(t, l, "t", "x") }},
		{"an append of several", 3, func(t *testing.T, l *engine.Log) {
			appendTo(t, l, "t", "x", "x", "x")
		}},
		{"another log's append", 1, func(t *testing.T, _ *engine.Log) {
			appendTo(t, open(t, dir, engine.Options{}), "t", "x")
		}},
		{"deletion", 1, func(t *testing.T, l *engine.Log) {
			if err := l.DeleteTopic(t.Context(), "t"); err != nil {
				t.Error(err)
			}
		}},
		{"another log's deletion", 1, func(t *testing.T, _ *engine.Log) {
			if err := open(t, dir, engine.Options{}).DeleteTopic(t.Context(), "t"); err != nil {
				t.Error(err)
			}
		}},
		{"close", 1, func(t *testing.T, l *engine.Log) { closeLog(t, l) }},
		{"nothing: it is there", 0, func(*testing.T, *engine.Log) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := open(t, dir, engine.Options{})
			appendTo(t, l, "t", "first")
			info, err := l.Topic("t")
			if err != nil {
				t.Fatal(err)
			}
			wake, woken := newWake()
			stop := l.Watch("t", info.Next+tt.next-1, wake)
			tt.act(t, l)
			requireWoken(t, woken, stop)
		})
	}
}

// A producer in another process wakes too, through inotify.
func TestWatchOfAnotherProcess(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	c := startChild(t, "produce", dir, "p", 1, 1)
	c.expect(t, "ready")
	r := reader(t, l, "all", engine.Start())
	wake, woken := newWake()
	l.Watch("all", 0, wake)
	if _, err := c.in.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	<-woken
	if rec := wait(t, r); string(rec.Key) != "p.0" {
		t.Errorf("got a record of %q", rec.Key)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// A stopped watch is never called, and stopping it again says that it was stopped or called before.
func TestWatchStops(t *testing.T) {
	l := open(t, newStore(t), engine.Options{})
	wake, woken := newWake()
	var stops []func() bool
	for range 5 {
		stops = append(stops, l.Watch("t", 0, wake))
	}
	if got := l.Status().Readers; got != 5 {
		t.Errorf("got %d readers that wait, want 5", got)
	}
	for _, i := range []int{1, 4, 0} {
		if !stops[i]() {
			t.Errorf("watch %d: stop says that wake was called", i)
		}
		if stops[i]() {
			t.Errorf("watch %d: a second stop says that it stopped it", i)
		}
	}
	appendTo(t, l, "t", "x")
	<-woken
	<-woken
	if len(woken) > 0 {
		t.Error("a stopped watch was called")
	}
	if stops[2]() || stops[3]() {
		t.Error("stop says that a watch was not called, which was")
	}
	wake, woken = newWake()
	closeLog(t, l)
	l.Watch("t", 5, wake)
	<-woken // a closed log wakes at once
}

// Only the watches that the new offset reaches are woken.
func TestWatchWaitsForItsOffset(t *testing.T) {
	l := open(t, newStore(t), engine.Options{})
	wake, woken := newWake()
	far := l.Watch("t", 3, wake)
	for range 3 {
		near, nearWoken := newWake()
		info, _ := l.Topic("t") // the zero value before the first record
		stop := l.Watch("t", info.Next, near)
		appendTo(t, l, "t", "x")
		requireWoken(t, nearWoken, stop)
		if len(woken) > 0 {
			t.Fatal("woken too early")
		}
	}
	appendTo(t, l, "t", "x")
	requireWoken(t, woken, far)
}

// Who has read up to the end of the log waits for what comes next, also if the last records before
// it were lost: nobody would ever wake it with those, but it would be woken for them all the time.
func TestWaitingBehindLostRecords(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "t", "0")
	appendTo(t, l, "t", "1", "2")
	appendTo(t, l, "other", "x")
	segment := readFile(t, segmentPath(dir, 0))
	segment[blocksOf(t, segment)[1]] ^= 1
	writeFile(t, segmentPath(dir, 0), segment)
	r := reader(t, l, "t", engine.Start())
	if values, damage := drain(t, r); len(values) != 1 || len(damage) != 1 {
		t.Fatalf("got %q, damage %v, want one record and one damaged place", values, damage)
	}
	for range 2 {
		if next := r.Next(); next != 3 || !l.Watch("t", next, func() {})() {
			t.Errorf("offset %d is next, want 3, for which nobody is woken yet", next)
		}
		drain(t, r)
	}
	appendTo(t, l, "t", "3")
	if text, record := r.Text(), wait(t, r); record.Offset != 3 || text != 6 {
		t.Errorf("got offset %d, at byte %d of the text, want 3 and 6", record.Offset, text)
	}
}
