package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// keysLog returns a log with topics of so many keys each.
func keysLog(t *testing.T, topics, keys int) *Log {
	t.Helper()
	l, err := Open(context.Background(), t.TempDir()+"/store", Options{Sync: SyncNone})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for topic := range topics {
		var b Batch
		for i := range keys {
			b.Add(fmt.Sprint("t", topic), []byte(fmt.Sprintf("key.%d", i)), []byte("v"))
		}
		if err := l.Append(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// Memory for keys is limited: tables that nobody uses go first, and a topic that alone has too many
// keys is refused, at once when asked again. Nothing stays reserved.
func TestKeysAreLimited(t *testing.T) {
	ctx := context.Background()
	l := keysLog(t, 3, 3*keysReserveBytes/keyBytes/2) // each takes two reserves
	l.keys.bytesMax = 4 * keysReserveBytes
	for round := range 3 {
		for topic := range 3 {
			if _, err := l.Keys(ctx, fmt.Sprint("t", topic)); err != nil {
				t.Fatalf("round %d, topic %d: %v", round, topic, err)
			}
			if l.keys.bytes > l.keys.bytesMax {
				t.Fatalf("%d bytes are reserved, %d are allowed", l.keys.bytes, l.keys.bytesMax)
			}
		}
	}
	if got := len(l.keys.topics); got != 2 {
		t.Errorf("%d tables are kept, want 2", got)
	}
	if l.keys.topics["t0"] != nil {
		t.Error("the table that was unused for longest is still there")
	}

	l.keys.bytesMax = keysReserveBytes
	var reader *Reader
	for range 2 {
		_, err := l.Keys(ctx, "t0")
		if !errors.Is(err, ErrTooManyKeys) {
			t.Fatalf("got %v, want ErrTooManyKeys", err)
		}
		table := l.keys.topics["t0"]
		if table == nil || table.reader != reader || len(table.keys) != 0 || l.keys.bytes != 0 {
			t.Fatalf("%d bytes are reserved for %+v", l.keys.bytes, table)
		}
	}
}

func TestUnusedKeysAreDropped(t *testing.T) {
	ctx := context.Background()
	l := keysLog(t, 2, 10)
	for _, topic := range []string{"t0", "t1"} {
		if _, err := l.Keys(ctx, topic); err != nil {
			t.Fatal(err)
		}
	}
	if l.keys.idle == nil {
		t.Fatal("no timer runs that would drop them")
	}
	l.keys.topics["t0"].used = time.Now().Add(-keysIdle)
	l.keys.dropUnused(time.Now().Add(-keysIdle))
	if len(l.keys.topics) != 1 || l.keys.topics["t1"] == nil || l.keys.bytes != keysReserveBytes {
		t.Errorf("%d bytes are reserved for %v", l.keys.bytes, l.keys.topics)
	}
	l.keys.dropUnused(time.Now())
	if len(l.keys.topics) != 0 || l.keys.bytes != 0 || l.keys.idle != nil {
		t.Errorf("%d bytes are reserved for %v", l.keys.bytes, l.keys.topics)
	}
	if infos, err := l.Keys(ctx, "t0"); len(infos) != 10 || err != nil {
		t.Errorf("then there are %d keys, %v", len(infos), err)
	}
	if _, err := l.Key(ctx, "none", "k"); !errors.Is(err, ErrNoTopic) || len(l.keys.topics) != 1 {
		t.Errorf("asking for what is not there: %v, and %d tables", err, len(l.keys.topics))
	}
}
