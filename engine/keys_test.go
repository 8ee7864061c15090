package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"purofs/engine"
)

// put appends one record with a key.
func put(t testing.TB, l *engine.Log, topic, key, value string) {
	t.Helper()
	var b engine.Batch
	b.Add(topic, []byte(key), []byte(value))
	if err := l.Append(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
}

// keys returns the newest values of a topic's keys, and checks that all that tells of them agrees.
func keys(t testing.TB, l *engine.Log, topic string) map[string]string {
	t.Helper()
	ctx := context.Background()
	infos, err := l.Keys(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(infos, func(a, b engine.KeyInfo) int {
		return slices.Compare([]byte(a.Key), []byte(b.Key))
	}) {
		t.Errorf("the keys are not sorted: %v", infos)
	}
	values := map[string]string{}
	for _, info := range infos {
		if one, err := l.Key(ctx, topic, info.Key); err != nil || one != info {
			t.Errorf("key %q is %+v, %v, and %+v in the list", info.Key, one, err, info)
		}
		err := l.ReadRecord(topic, info.Offset, func(r *engine.Record) error {
			if string(r.Key) != info.Key || len(r.Value) != info.ValueBytes || !r.Time.Equal(info.Time) {
				t.Errorf("key %q is said to be %+v, and is %+v", info.Key, info, r)
			}
			values[info.Key] = string(r.Value)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	return values
}

func requireKeys(t testing.TB, l *engine.Log, topic string, want map[string]string) {
	t.Helper()
	if got := keys(t, l, topic); !maps.Equal(got, want) {
		t.Errorf("the keys of %s are %.300q, want %.300q", topic, fmt.Sprint(got), fmt.Sprint(want))
	}
}

func TestKeys(t *testing.T) {
	l := open(t, newStore(t), engine.Options{})
	steps := []struct {
		key, value string
		want       map[string]string
	}{
		{"", "no key", map[string]string{}},
		{"b", "1", map[string]string{"b": "1"}},
		{"a", "2", map[string]string{"b": "1", "a": "2"}},
		{"b", "newer", map[string]string{"b": "newer", "a": "2"}},
		{"never there", "", map[string]string{"b": "newer", "a": "2"}},
		{"b", "", map[string]string{"a": "2"}},
		{"", "", map[string]string{"a": "2"}},
		{"b", "again", map[string]string{"b": "again", "a": "2"}},
		{"/\x00\xff", "\x00", map[string]string{"b": "again", "a": "2", "/\x00\xff": "\x00"}},
	}
	for _, step := range steps {
		put(t, l, "t", step.key, step.value)
		put(t, l, "other", "b", "another topic's")
		requireKeys(t, l, "t", step.want)
	}
	for _, key := range []string{"", "never there", "c"} {
		if _, err := l.Key(context.Background(), "t", key); !errors.Is(err, engine.ErrNoKey) {
			t.Errorf("key %q: got %v, want ErrNoKey", key, err)
		}
	}
	if _, err := l.Keys(context.Background(), "no such"); !errors.Is(err, engine.ErrNoTopic) {
		t.Errorf("got %v, want ErrNoTopic", err)
	}
}

// The keys of a topic that is removed are gone, also if it is made again.
func TestKeysOfARemovedTopic(t *testing.T) {
	ctx := context.Background()
	l := open(t, newStore(t), engine.Options{})
	put(t, l, "t", "a", "1")
	put(t, l, "t", "b", "2")
	requireKeys(t, l, "t", map[string]string{"a": "1", "b": "2"})
	if err := l.DeleteTopic(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Keys(ctx, "t"); !errors.Is(err, engine.ErrNoTopic) {
		t.Errorf("got %v, want ErrNoTopic", err)
	}
	for _, asked := range []bool{true, false} { // in between
		put(t, l, "t", "b", "3")
		if asked {
			requireKeys(t, l, "t", map[string]string{"b": "3"})
		}
		if err := l.DeleteTopic(ctx, "t"); err != nil {
			t.Fatal(err)
		}
		put(t, l, "t", "c", "4")
		requireKeys(t, l, "t", map[string]string{"c": "4"})
	}
}

// A record that was lost to damage does not count: the one before it is the newest.
func TestKeysAndDamage(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	for _, value := range []string{"first", "lost", "other"} {
		put(t, l, "t", value[:1], value)
		put(t, l, "t", "k", value)
	}
	closeLog(t, l)
	b := readFile(t, segmentPath(dir, 0))
	starts := blocksOf(t, b)
	b[starts[len(starts)-2]-20] ^= 1 // that of "o"
	writeFile(t, segmentPath(dir, 0), b)
	l = open(t, dir, engine.Options{})
	requireKeys(t, l, "t", map[string]string{"f": "first", "l": "lost", "k": "other"})
	if got := l.Status().Troubles; got != 1 {
		t.Errorf("damage was told of %d times, want once", got)
	}
}

// Many ask while many append, in two logs on one store; whatever is seen was so at some moment, and
// in the end all see the same.
func TestKeysWhileAppending(t *testing.T) {
	const keysMax, rounds, writers = 20, 200, 3
	dir := newStore(t)
	opts := engine.Options{SegmentBytes: testSegmentBytes, Sync: engine.SyncNone}
	logs := []*engine.Log{open(t, dir, opts), open(t, dir, opts)}
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range rounds { // each key's values count up
				put(t, logs[w%2], "t", fmt.Sprintf("%d.%d", w, i%keysMax), fmt.Sprintf("%9d", i))
			}
		})
	}
	for asker := range 4 {
		group.Go(func() {
			last := map[string]uint64{}
			for range rounds / 4 {
				infos, err := logs[asker%2].Keys(context.Background(), "t")
				if err != nil && !errors.Is(err, engine.ErrNoTopic) {
					t.Error(err)
				}
				for _, info := range infos {
					if info.Offset < last[info.Key] {
						t.Errorf("key %s went back from %d to %d", info.Key, last[info.Key], info.Offset)
					}
					last[info.Key] = info.Offset
				}
			}
		})
	}
	group.Wait()
	want := map[string]string{}
	for w := range writers {
		for i := range rounds {
			want[fmt.Sprintf("%d.%d", w, i%keysMax)] = fmt.Sprintf("%9d", i)
		}
	}
	requireKeys(t, logs[0], "t", want)
	requireKeys(t, logs[1], "t", want)
}

// A question is answered though others append faster than one can read: it reads up to where the
// log ended when it was asked. A producer may be done first where the machine gives the question no
// turn, so there are several tries; what they append is bounded.
func TestKeysBesideAProducer(t *testing.T) {
	const tries, blocks = 5, 300
	for range tries {
		l := open(t, newStore(t), engine.Options{Sync: engine.SyncNone})
		put(t, l, "t", "k", "v")
		stop := make(chan struct{})
		var group sync.WaitGroup
		var finished atomic.Bool
		for w := range 3 {
			group.Go(func() { finished.CompareAndSwap(false, appendUntil(t, l, w, blocks, stop)) })
		}
		if _, err := l.Key(context.Background(), "t", "k"); err != nil {
			t.Error(err)
		}
		early := !finished.Load()
		close(stop)
		group.Wait()
		if early {
			return
		}
	}
	t.Error("the question was answered only when the producers had finished")
}

// appendUntil appends blocks of a thousand keys, at most as many as told, and tells whether these
// were all.
func appendUntil(t *testing.T, l *engine.Log, w, blocks int, stop <-chan struct{}) bool {
	var b engine.Batch
	for i := range 1000 {
		b.Add("t", fmt.Appendf(nil, "%d.%d", w, i), []byte("v"))
	}
	for range blocks {
		select {
		case <-stop:
			return false
		default:
		}
		if err := l.Append(context.Background(), &b); err != nil {
			t.Error(err)
			return false
		}
	}
	return true
}

// Who gives up does not lose what was read: the next one goes on from there.
func TestKeysCancelled(t *testing.T) {
	l := open(t, newStore(t), engine.Options{Sync: engine.SyncNone})
	var b engine.Batch
	want := map[string]string{}
	for i := range 10_000 {
		key := fmt.Sprint(i % 100)
		b.Add("t", []byte(key), []byte(fmt.Sprint(i)))
		want[key] = fmt.Sprint(i)
	}
	if err := l.Append(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 2 {
		if _, err := l.Keys(ctx, "t"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	}
	requireKeys(t, l, "t", want)
}
