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
)

// A producer that does not know yet that a segment is complete locks all of it for a moment.
// Readers do not mind.
func TestReadingUnderALockOfTheWholeSegment(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes})
	want := fill(t, l, 3)
	holder := startChild(t, "hold", dir, "stream0.puro")
	holder.expect(t, "locked")
	requireValues(t, l, "t", want...)
}

// openSegments counts the segment files that this process has open in a store.
func openSegments(t *testing.T, dir string) int {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, link := range links {
		target, err := os.Readlink(link) // the one of the directory read is gone by now
		if err == nil && strings.HasPrefix(target, filepath.Join(dir, "stream")) {
			n++
		}
	}
	return n
}

func TestReaderCrossesSegments(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes})
	r := reader(t, l, "t", engine.Start())
	want := fill(t, l, 3)
	got, damage := drain(t, r)
	if !slices.Equal(got, want) || len(damage) > 0 {
		t.Fatalf("got %d records, damage %v, want %d", len(got), damage, len(want))
	}
	want = append(want, fill(t, l, 5)...)
	more, damage := drain(t, r)
	if !slices.Equal(append(got, more...), want) || len(damage) > 0 {
		t.Fatalf("got %d records more, damage %v, want %d in all", len(more), damage, len(want))
	}
}

// A reader that has nothing to read holds no file, wherever in the log it is.
func TestIdleReaderHoldsNoFile(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes})
	fill(t, l, 3)
	var readers []*engine.Reader
	for i := range 20 {
		from := engine.Start()
		if i%2 == 0 {
			from = engine.End()
		}
		r := reader(t, l, "t", from)
		drain(t, r)
		readers = append(readers, r)
	}
	requireOneOpenSegment(t, dir, "idle readers")
	appendTo(t, l, "t", "one more")
	for _, r := range readers {
		if got := string(wait(t, r).Value); got != "one more" {
			t.Errorf("got %q, want the record that came", got)
		}
		r.Close()
	}
	requireOneOpenSegment(t, dir, "closed readers")
}

// requireOneOpenSegment waits until no segment is open but the active one: the log itself opens
// others for a moment, to build their index and to sync them.
func requireOneOpenSegment(t *testing.T, dir, with string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got := openSegments(t, dir)
		if got == 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("got %d open segments with %s, want the active one only", got, with)
		}
	}
}

func TestReaderOfWhatIsNotThere(t *testing.T) {
	l := open(t, newStore(t), engine.Options{})
	r := reader(t, l, "later", engine.Start())
	if _, err := r.TryNext(); !errors.Is(err, engine.ErrNoRecord) {
		t.Fatalf("got %v, want ErrNoRecord", err)
	}
	if _, err := l.Topic("later"); !errors.Is(err, engine.ErrNoTopic) {
		t.Errorf("waiting for a topic has made it: %v", err)
	}
	appendTo(t, l, "later", "first")
	if got := wait(t, r); got.Offset != 0 || string(got.Value) != "first" {
		t.Errorf("got %d %q, want the first record", got.Offset, got.Value)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: got %v, want context.Canceled", err)
	}
	if got := l.Status().Readers; got != 0 {
		t.Errorf("got %d readers that wait, want none", got)
	}
}

// Only the records of its topic reach a reader, in whatever company they were written.
func TestReaderOfOneTopicOfMany(t *testing.T) {
	l := open(t, newStore(t), engine.Options{SegmentBytes: testSegmentBytes})
	want := make(map[string][]string)
	rnd := newRand(t)
	for n := range 400 {
		var b engine.Batch
		for range 1 + rnd.IntN(12) {
			topic := fmt.Sprintf("topic-%d", rnd.IntN(12))
			value := fmt.Sprintf("%d.%d", n, b.Len())
			want[topic] = append(want[topic], value)
			b.Add(topic, nil, []byte(value), []byte(strings.Repeat(" ", rnd.IntN(100))))
		}
		if err := l.Append(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
	}
	for topic, values := range want {
		got := read(t, l, topic)
		for i := range got {
			got[i] = strings.TrimRight(got[i], " ")
		}
		if !slices.Equal(got, values) {
			t.Errorf("%s: got %d records, want %d, in order", topic, len(got), len(values))
		}
	}
}
