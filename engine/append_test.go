package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/format"
)

func TestBatchOfSeveralTopics(t *testing.T) {
	for _, topics := range []int{1, 2, 8, 9, 30} {
		t.Run(fmt.Sprintf("%d topics", topics), func(t *testing.T) {
			dir := newStore(t)
			l := open(t, dir, engine.Options{})
			var b engine.Batch
			for round := range uint64(3) { // a batch is used again
				b.Reset()
				for i := range 3 * topics {
					b.Add(fmt.Sprintf("topic-%d", i%topics), nil, fmt.Appendf(nil, "%d.%d", round, i))
				}
				if b.Len() != 3*topics {
					t.Fatalf("got %d records, want %d", b.Len(), 3*topics)
				}
				if err := l.Append(context.Background(), &b); err != nil {
					t.Fatal(err)
				}
				for i := range 3 * topics {
					if got, want := b.Offset(i), 3*round+uint64(i/topics); got != want {
						t.Errorf("round %d, record %d: got offset %d, want %d", round, i, got, want)
					}
				}
			}
			if got := len(l.Topics()); got != topics {
				t.Errorf("got %d topics, want %d", got, topics)
			}
			for i := range topics {
				var want []string
				for n := range 9 {
					want = append(want, fmt.Sprintf("%d.%d", n/3, i+n%3*topics))
				}
				requireValues(t, l, fmt.Sprintf("topic-%d", i), want...)
			}
			if report := verify(t, dir, "clean"); report.Blocks != 3 || report.Records != int64(9*topics) {
				t.Errorf("got %d blocks of %d records, want 3 of %d", report.Blocks, report.Records, 9*topics)
			}
		})
	}
}

// Any bytes, and values of parts, come back as they were.
func TestRecordsComeBack(t *testing.T) {
	l := open(t, newStore(t), engine.Options{})
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	tests := []struct{ key, value []byte }{
		{nil, nil},
		{nil, []byte("x")},
		{[]byte("k"), nil},
		{all, all},
		{bytes.Repeat([]byte("k"), 1024), bytes.Repeat([]byte("v\n"), 100_000)},
	}
	for _, tt := range tests {
		var b engine.Batch
		half := len(tt.value) / 2
		b.Add("t", tt.key, tt.value[:half], nil, tt.value[half:])
		before := time.Now()
		if err := l.Append(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		r := reader(t, l, "t", engine.Last(1))
		rec, err := r.TryNext()
		if err != nil || !bytes.Equal(rec.Key, tt.key) || !bytes.Equal(rec.Value, tt.value) {
			t.Errorf("got %.20q, %.20q, %v, want %.20q, %.20q", rec.Key, rec.Value, err, tt.key, tt.value)
		}
		late := rec.Time.Before(before.Add(-time.Minute))
		if rec.Offset != b.Offset(0) || !rec.Time.Equal(b.Time()) || late {
			t.Errorf("got offset %d, time %v, want %d, %v", rec.Offset, rec.Time, b.Offset(0), b.Time())
		}
	}
}

func TestRefusedBatches(t *testing.T) {
	kilobyte := make([]byte, 1025)
	tests := []struct {
		name string
		fill func(b *engine.Batch)
		want error
	}{
		{"nothing", func(*engine.Batch) {}, engine.ErrEmptyBatch},
		{"value too large", func(b *engine.Batch) {
			b.Add("t", nil, make([]byte, 101))
		}, engine.ErrTooLarge},
		{"parts too large", func(b *engine.Batch) {
			b.Add("t", nil, make([]byte, 60), make([]byte, 41))
		}, engine.ErrTooLarge},
		{"key too large", func(b *engine.Batch) { b.Add("t", kilobyte, nil) }, engine.ErrTooLarge},
		{"second record too large", func(b *engine.Batch) {
			b.Add("t", nil, []byte("fine"))
			b.Add("t", nil, make([]byte, 101))
		}, engine.ErrTooLarge},
		{"batch too large", func(b *engine.Batch) {
			for range 700_000 {
				b.Add("t", nil, kilobyte[:100])
			}
		}, engine.ErrTooLarge},
		{"no name", func(b *engine.Batch) { b.Add("", nil, nil) }, engine.ErrInvalidTopic},
		{"bad name behind a good one", func(b *engine.Batch) {
			b.Add("t", nil, nil)
			b.Add("a/b", nil, nil)
			b.Add("t", nil, nil)
		}, engine.ErrInvalidTopic},
	}
	dir := newStore(t)
	l := open(t, dir, engine.Options{ValueBytes: 100})
	appendTo(t, l, "t", "before", strings.Repeat("v", 100))
	size := l.Status().Bytes
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b engine.Batch
			tt.fill(&b)
			if err := l.Append(context.Background(), &b); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if got := l.Status().Bytes; got != size {
				t.Errorf("the log has grown by %d bytes", got-size)
			}
			b.Reset()
			b.Add("other", nil, []byte("after"))
			if err := l.Append(context.Background(), &b); err != nil {
				t.Errorf("the batch after Reset: %v", err)
			}
			size = l.Status().Bytes
		})
	}
	requireValues(t, l, "t", "before", strings.Repeat("v", 100))
}

func TestTopicNames(t *testing.T) {
	tests := []struct {
		name string
		ok   bool
	}{
		{"orders", true}, {"x", true}, {" ", true}, {"\xff\xfe", true}, {"a\nb", true},
		{"\x01\x02", true},
		{"...", true}, {".hidden", true}, {".pur", true}, {strings.Repeat("n", 255), true},
		{"", false}, {".", false}, {"..", false}, {".puro", false}, {".purofs", false}, {"a/b", false},
		{"a\x00b", false}, {"\x00", false}, {"\x1f", false}, {strings.Repeat("n", 256), false},
	}
	for _, tt := range tests {
		err := engine.CheckTopicName(tt.name)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, engine.ErrInvalidTopic) {
			t.Errorf("%.20q: got %v, want ok %t", tt.name, err, tt.ok)
		}
	}
}

// Appends of many goroutines share blocks; none is lost, and each keeps its own order.
func TestGroupCommit(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{Sync: engine.SyncAlways, SegmentBytes: testSegmentBytes})
	const producers, records = 16, 60
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			var b engine.Batch
			for n := range records {
				b.Reset()
				b.Add("t", nil, fmt.Appendf(nil, "%d.%d", p, n))
				if err := l.Append(context.Background(), &b); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	next := make(map[int]int)
	for _, v := range read(t, l, "t") {
		var p, n int
		if _, err := fmt.Sscanf(v, "%d.%d", &p, &n); err != nil {
			t.Fatal(err)
		}
		if next[p] != n {
			t.Fatalf("producer %d: got record %d, want %d", p, n, next[p])
		}
		next[p]++
	}
	for p := range producers {
		if next[p] != records {
			t.Errorf("producer %d: got %d records, want %d", p, next[p], records)
		}
	}
	if report := verify(t, dir, "clean"); report.Blocks >= producers*records {
		t.Errorf("got %d blocks for %d appends: none was shared", report.Blocks, producers*records)
	}
}

// A batch that is refused for its topics does not take with it those that share its block, and what
// it named is forgotten.
func TestTooManyTopics(t *testing.T) {
	l := open(t, newStore(t), engine.Options{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var many engine.Batch
			for i := range engine.TopicsMax + 1 {
				many.Add(fmt.Sprintf("%d", i), nil)
			}
			if err := l.Append(context.Background(), &many); !errors.Is(err, engine.ErrTooManyTopics) {
				t.Errorf("got %v, want ErrTooManyTopics", err)
			}
		})
	}
	for i := range 4 {
		wg.Go(func() {
			var b engine.Batch
			for range 20 {
				b.Reset()
				b.Add(fmt.Sprintf("innocent-%d", i), nil, []byte("x"))
				if err := l.Append(context.Background(), &b); err != nil {
					t.Errorf("a batch of one topic: %v", err)
				}
			}
		})
	}
	wg.Wait()
	appendTo(t, l, "one more", "x")
	if got := len(l.Topics()); got != 5 {
		t.Errorf("got %d topics, want the 4 innocent ones and one more", got)
	}
}

// Another program may make more topics than a block has room for: segments are started without
// their header then.
func TestMoreTopicsThanASegmentHeaderHolds(t *testing.T) {
	records := format.AppendRecord(nil, []byte("t"), nil, []byte("x"))
	for i := range 100_000 {
		records = format.AppendRecord(records, fmt.Appendf(nil, "%0255d", i), nil, nil)
	}
	dir := storeOf(t, framed(records))
	for next := uint64(1); next < 4; next++ {
		l := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes})
		var b engine.Batch
		b.Add("t", nil, []byte("x"))
		if err := l.Append(t.Context(), &b); err != nil || b.Offset(0) != next {
			t.Fatalf("got offset %d, %v, want %d", b.Offset(0), err, next)
		}
		closeLog(t, l)
	}
	if report := verify(t, dir, "clean"); report.Segments != 2 {
		t.Errorf("got %d segments, want 2", report.Segments)
	}
}

// What a topic's last offset is that anybody believes, no record may get past it.
func TestOffsetsAreUsedUp(t *testing.T) {
	last := blockOf(1, format.Run{Offset: format.OffsetMax - 1, Records: 1, ValueBytes: 4}, "last")
	l := open(t, storeOf(t, last), engine.Options{})
	var b engine.Batch
	b.Add("t", nil, []byte("more"))
	if err := l.Append(t.Context(), &b); !errors.Is(err, engine.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	appendTo(t, l, "u", "another")
	requireValues(t, l, "t", "last")
}

func TestClosedLog(t *testing.T) {
	l := open(t, newStore(t), engine.Options{})
	appendTo(t, l, "t", "x")
	r := reader(t, l, "t", engine.Start())
	closeLog(t, l)
	var b engine.Batch
	b.Add("t", nil, nil)
	calls := map[string]error{
		"Append":      l.Append(context.Background(), &b),
		"Sync":        l.Sync(context.Background()),
		"SetTopic":    l.SetTopic(context.Background(), "t", engine.TopicAttr{}),
		"DeleteTopic": l.DeleteTopic(context.Background(), "t"),
		"Close":       l.Close(),
		"Seek":        r.Seek(engine.End()),
	}
	_, calls["OpenReader"] = l.OpenReader("t", engine.Start())
	for name, err := range calls {
		if !errors.Is(err, engine.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", name, err)
		}
	}
	if got := l.Status(); got.Dir == "" {
		t.Errorf("Status: got %+v", got)
	}
}
