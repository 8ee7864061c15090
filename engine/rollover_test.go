package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"purofs/engine"
	"purofs/engine/format"
)

var small = engine.Options{SegmentBytes: testSegmentBytes, Sync: engine.SyncNone}

// sealedStore makes a store of one segment that ended with a tombstone, and no next one: a
// producer was killed in between.
func sealedStore(t *testing.T) (dir string, values []string) {
	t.Helper()
	dir = newStore(t)
	l := open(t, dir, small)
	values = fill(t, l, 2)
	closeLog(t, l)
	// What went to the second segment is the last record.
	if err := os.Remove(segmentPath(dir, 1)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir + "/checkpoint"); err != nil {
		t.Fatal(err)
	}
	return dir, values[:len(values)-1]
}

// Each state that a kill during a rollover leaves, and some that other programs leave.
func TestInterruptedRollover(t *testing.T) {
	dir, values := sealedStore(t)
	sealed := readFile(t, segmentPath(dir, 0))
	blocks := blocksOf(t, sealed)
	open0 := sealed[:blocks[len(blocks)-2]] // without its tombstone
	torn := append(append([]byte(nil), format.Magic[:]...), 0x20, 0x08, 0x01, 0x02, 0, 0, 0, 0)
	tests := []struct {
		name     string
		segments [][]byte
	}{
		{"no next segment", [][]byte{sealed}},
		{"next segment empty", [][]byte{sealed, nil}},
		{"next segment with half a magic", [][]byte{sealed, format.Magic[:4]}},
		{"next segment with a magic only", [][]byte{sealed, format.Magic[:]}},
		{"next segment with a torn block", [][]byte{sealed, torn}},
		{"two next segments", [][]byte{sealed, nil, nil}},
		{"next segment, but no tombstone", [][]byte{open0, nil}},
		{"next segment, but a torn tail", [][]byte{slices.Concat(open0, torn[9:]), nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := storeOf(t, tt.segments...)
			l := open(t, dir, small)
			other := open(t, dir, small)
			r := reader(t, l, "t", engine.Start())
			got, _ := drain(t, r)
			if fmt.Sprint(got) != fmt.Sprint(values) {
				t.Fatalf("got %d records, want %d", len(got), len(values))
			}
			appendTo(t, other, "t", "next")
			rec := waitPastDamage(t, r)
			if string(rec.Value) != "next" || rec.Offset != uint64(len(values)) {
				t.Errorf("got %d %.20q, want the next record as number %d",
					rec.Offset, rec.Value, len(values))
			}
			appendTo(t, l, "t", "one more")
			info, err := open(t, dir, small).Topic("t")
			if err != nil || info.Next != uint64(len(values)+2) {
				t.Errorf("reopened: got %+v, %v, want %d records", info, err, len(values)+2)
			}
		})
	}
}

// A segment that somebody makes ahead of time, or half, does not part those that know of it from
// those that do not: until the one before it is ended all go on there.
func TestSegmentMadeAheadOfTime(t *testing.T) {
	for _, begin := range []int{0, 4, len(format.Magic)} {
		t.Run(fmt.Sprint(begin), func(t *testing.T) {
			dir := newStore(t)
			old := open(t, dir, small)
			r := reader(t, old, "t", engine.Start())
			appendTo(t, old, "t", "before")
			writeFile(t, segmentPath(dir, 1), format.Magic[:begin])
			if err := os.Remove(dir + "/checkpoint"); err != nil {
				t.Fatal(err)
			}
			fresh := open(t, dir, small)
			want := []string{"before"}
			for i := range 4 {
				l := []*engine.Log{old, fresh}[i%2]
				want = append(want, fmt.Sprint(i))
				appendTo(t, l, "t", want[len(want)-1])
			}
			verify(t, dir, "clean")
			for fresh.Status().Segments < 3 {
				want = append(want, strings.Repeat("x", testSegmentBytes/4))
				appendTo(t, fresh, "t", want[len(want)-1])
			}
			got, damage := drain(t, r)
			if !slices.Equal(got, want) || len(damage) > 0 {
				t.Errorf("a reader got %.20q, damage %v, want %.20q", got, damage, want)
			}
			requireValues(t, open(t, dir, small), "t", want...)
			verify(t, dir, "clean")
		})
	}
}

// waitPastDamage is wait where damage may be told of once.
func waitPastDamage(t *testing.T, r *engine.Reader) *engine.Record {
	t.Helper()
	for {
		rec, err := r.TryNext()
		switch {
		case err == nil:
			return rec
		case errors.Is(err, engine.ErrDamaged):
		default:
			if err := r.Wait(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A segment says all that was before it, so that older ones can be removed.
func TestSegmentsStandOnTheirOwn(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, small)
	ctx := context.Background()
	if err := l.SetTopic(ctx, "made", engine.TopicAttr{Mode: 0o640, UID: 7, GID: 8}); err != nil {
		t.Fatal(err)
	}
	appendTo(t, l, "deleted", "gone", "gone")
	appendTo(t, l, "again", "gone")
	for _, topic := range []string{"deleted", "again"} {
		if err := l.DeleteTopic(ctx, topic); err != nil {
			t.Fatal(err)
		}
	}
	appendTo(t, l, "again", "back")
	fill(t, l, 3)
	want := fmt.Sprintf("%+v", l.Topics())
	closeLog(t, l)
	for _, name := range []string{segmentPath(dir, 0), segmentPath(dir, 1), dir + "/checkpoint"} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	l = open(t, dir, small)
	if got := fmt.Sprintf("%+v", l.Topics()); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	var b engine.Batch
	b.Add("deleted", nil, []byte("new"))
	b.Add("again", nil, []byte("new"))
	if err := l.Append(ctx, &b); err != nil {
		t.Fatal(err)
	}
	if b.Offset(0) != 2 || b.Offset(1) != 2 {
		t.Errorf("got the offsets %d and %d, want 2 and 2", b.Offset(0), b.Offset(1))
	}
	verify(t, dir, "clean")
}

// A block that is larger than a segment may be gets one of its own.
func TestBlockLargerThanASegment(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, small)
	large := strings.Repeat("x", 3*testSegmentBytes)
	for range 3 {
		appendTo(t, l, "t", large)
	}
	requireValues(t, l, "t", large, large, large)
	if got := l.Status().Segments; got != 3 {
		t.Errorf("got %d segments, want 3", got)
	}
	verify(t, dir, "clean")
}

// Nothing of a segment of garbage is thrown away, and the log goes on.
func TestGarbageSegment(t *testing.T) {
	garbage := strings.Repeat("this is not a segment\n", 500)
	dir := storeOf(t, []byte(garbage))
	l := open(t, dir, small)
	appendTo(t, l, "t", "x")
	got, damage := drain(t, reader(t, l, "t", engine.Start()))
	if fmt.Sprint(got) != "[x]" || len(damage) > 1 {
		t.Errorf("got %q, damage %v", got, damage)
	}
	all := string(readFile(t, segmentPath(dir, 0))) + lost(t, dir)
	if !strings.Contains(all, garbage) {
		t.Error("the garbage is neither where it was nor kept")
	}
}

// A newer segment that holds nothing says nothing: the log goes on in the one without a tombstone,
// and a reader looks for its place there. A power cut can leave it so.
func TestReadingBesideASegmentMadeAheadOfTime(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, small)
	appendTo(t, l, "t", "a")
	closeLog(t, l)
	writeFile(t, segmentPath(dir, 1), nil)
	l = open(t, dir, small)
	requireValues(t, l, "t", "a") // looks at what stands before each segment
	appendTo(t, l, "t", "b")
	appendTo(t, l, "new", "c")
	for _, topic := range []string{"t", "new"} {
		want := map[string]string{"t": "b", "new": "c"}[topic]
		if rec := wait(t, reader(t, l, topic, engine.Last(1))); string(rec.Value) != want {
			t.Errorf("the last record of %s: got %q, want %q", topic, rec.Value, want)
		}
	}
	requireValues(t, l, "t", "a", "b")
	requireValues(t, l, "new", "c")
}

// Behind the segment with the last number there is none, and above all not the first one.
func TestLastSegmentNumber(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes})
	values := fill(t, l, 3)
	closeLog(t, l)
	if err := errors.Join(
		os.Rename(segmentPath(dir, 1), segmentPath(dir, math.MaxUint32)),
		os.Remove(segmentPath(dir, 2)), os.Remove(filepath.Join(dir, "checkpoint")),
	); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, engine.Options{})
	requireValues(t, l, "t", values[:len(values)-1]...)
	var b engine.Batch
	b.Add("t", nil, []byte("x"))
	if err := l.Append(t.Context(), &b); !errors.Is(err, engine.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}
