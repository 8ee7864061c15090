package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"purofs/engine"
	"purofs/engine/format"
)

// twoBlocks makes a store of two blocks and returns where the second one begins, and its bytes.
func twoBlocks(t *testing.T) (dir string, at int, second []byte) {
	t.Helper()
	dir = newStore(t)
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "t", "first")
	appendTo(t, l, "t", "second", "more of it")
	closeLog(t, l)
	b := readFile(t, segmentPath(dir, 0))
	at = blocksOf(t, b)[1]
	return dir, at, b[at:]
}

// A producer dies after each byte of a block, and before the signal. Whoever had the log open goes
// on, and so does whoever opens it later; nothing of the torn block is ever shown, and its bytes
// are kept.
func TestTornAtEveryByte(t *testing.T) {
	dir, at, second := twoBlocks(t)
	first := readFile(t, segmentPath(dir, 0))[:at]
	second[format.SignalOffset] = 0
	for cut := 1; cut <= len(second); cut++ {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			dir := storeOf(t, first)
			l := open(t, dir, engine.Options{})
			r := reader(t, l, "t", engine.Start())
			if got := string(wait(t, r).Value); got != "first" {
				t.Fatalf("got %q", got)
			}
			file, err := os.OpenFile(segmentPath(dir, 0), os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if _, err := file.Write(second[:cut]); err != nil {
				t.Fatal(err)
			}
			if rec, err := r.TryNext(); !errors.Is(err, engine.ErrNoRecord) {
				t.Fatalf("got %v, %v, want ErrNoRecord", rec, err)
			}
			verify(t, dir, "torn")
			later := open(t, dir, engine.Options{})
			requireValues(t, later, "t", "first")
			if cut%2 == 0 {
				l, later = later, l
			}
			appendTo(t, l, "t", "third")
			if got := wait(t, r); got.Offset != 1 || string(got.Value) != "third" {
				t.Errorf("got %d %q, want the third record as number 1", got.Offset, got.Value)
			}
			appendTo(t, later, "t", "fourth")
			requireValues(t, l, "t", "first", "third", "fourth")
			verify(t, dir, "clean")
			if got := lost(t, dir); got != string(second[:cut]) {
				t.Errorf("kept %q, want the %d torn bytes", got, cut)
			}
		})
	}
}

// A segment that was cut by hand, anywhere, opens with what is whole.
func TestCutAnywhere(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	for _, v := range []string{"a", "b", "c"} {
		appendTo(t, l, "t", v)
	}
	closeLog(t, l)
	whole := readFile(t, segmentPath(dir, 0))
	ends := blocksOf(t, whole)[1:]
	for cut := range whole {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			dir := storeOf(t, whole[:cut])
			l := open(t, dir, engine.Options{})
			var want []string
			for i, end := range ends {
				if cut >= end {
					want = append(want, []string{"a", "b", "c"}[i])
				}
			}
			requireValues(t, l, "t", want...)
			appendTo(t, l, "t", "more")
			requireValues(t, l, "t", append(want, "more")...)
			verify(t, dir, "clean")
		})
	}
}

// A bit of each byte of a segment, one after the other: Verify tells of it, readers show nothing
// that was never written, tell of the damage once and go on behind it, and appends go on. (The
// test of that name in package segment flips all eight, without the syncs that a log takes.)
func TestEveryBitFlipped(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	for _, v := range []string{"a", "b", "c"} {
		appendTo(t, l, "t", v, v+v)
	}
	closeLog(t, l)
	whole := readFile(t, segmentPath(dir, 0))
	for at := range whole {
		t.Run(fmt.Sprintf("byte %d", at), func(t *testing.T) {
			t.Parallel() // most of the time goes into syncs
			flipped := slices.Clone(whole)
			flipped[at] ^= 1 << (at % 8)
			checkFlip(t, storeOf(t, flipped))
		})
	}
}

func checkFlip(t *testing.T, dir string) {
	t.Helper()
	report, err := engine.Verify(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := open(t, dir, engine.Options{Sync: engine.SyncNone})
	defer closeLog(t, l)
	r := reader(t, l, "t", engine.Start())
	before, damage := drain(t, r)
	lost := requireSubsequence(t, before, "a", "aa", "b", "bb", "c", "cc")
	if lost > 0 && report.Sound() && report.Tail == "clean" {
		t.Errorf("%d records are missing, and Verify finds nothing", lost)
	}
	if lost > 2 && len(damage) == 0 {
		t.Errorf("%d records are missing", lost)
	}
	appendTo(t, l, "t", "behind")
	after, more := drain(t, r)
	if fmt.Sprint(after) != "[behind]" {
		t.Errorf("got %q behind the damage, want the record that was appended", after)
	}
	if len(damage)+len(more) > 1 {
		t.Errorf("the damage was told of more than once: %v, %v", damage, more)
	}
	again, _ := drain(t, reader(t, l, "t", engine.Start()))
	if !slices.Equal(again, append(before, after...)) {
		t.Errorf("a second reader got %q, want %q", again, append(before, after...))
	}
}

// requireSubsequence checks that got are some of the values in their order, and returns how many
// are missing.
func requireSubsequence(t *testing.T, got []string, values ...string) (missing int) {
	t.Helper()
	rest := got
	for _, v := range values {
		if len(rest) > 0 && rest[0] == v {
			rest = rest[1:]
		} else {
			missing++
		}
	}
	if len(rest) > 0 {
		t.Errorf("got %q, of which %q was never written, or not there", got, rest)
	}
	return missing
}

// Damage in the middle is told of once and costs its block only; the others keep their offsets,
// and so do those that come.
func TestDamageInTheMiddle(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	for i := range 5 {
		appendTo(t, l, "t", fmt.Sprintf("%d.0", i), fmt.Sprintf("%d.1", i))
	}
	closeLog(t, l)
	b := readFile(t, segmentPath(dir, 0))
	starts := blocksOf(t, b)
	b[starts[2]+2] ^= 0xff
	writeFile(t, segmentPath(dir, 0), b)

	l = open(t, dir, engine.Options{})
	r := reader(t, l, "t", engine.Start())
	var got []string
	for range 9 {
		rec, err := r.TryNext()
		var damage *engine.DamageError
		switch {
		case errors.As(err, &damage):
			if damage.Pos != int64(starts[2]) || damage.End != int64(starts[3]) || damage.Segment != 0 {
				t.Errorf("got %v, want bytes %d to %d of segment 0", damage, starts[2], starts[3])
			}
			got = append(got, "damage")
		case err != nil:
			t.Fatal(err)
		default:
			got = append(got, fmt.Sprintf("%d:%s", rec.Offset, rec.Value))
		}
	}
	want := "0:0.0 1:0.1 2:1.0 3:1.1 damage 6:3.0 7:3.1 8:4.0 9:4.1"
	if strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	appendTo(t, l, "t", "next")
	if rec := wait(t, r); rec.Offset != 10 {
		t.Errorf("got offset %d, want 10", rec.Offset)
	}
	troubles := l.Troubles()
	if len(troubles) != 1 || troubles[0].Pos != int64(starts[2]) || l.Status().Troubles != 1 {
		t.Errorf("got the troubles %+v, want one at byte %d", troubles, starts[2])
	}
	// The damaged segment was ended, not cut.
	if now := readFile(t, segmentPath(dir, 0)); !strings.HasPrefix(string(now), string(b)) {
		t.Error("bytes of the damaged segment have changed")
	}
	if got := l.Status().Segments; got != 2 {
		t.Errorf("got %d segments, want a new one behind the damaged one", got)
	}
}
