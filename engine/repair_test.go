package engine_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/format"
)

// repairStore makes a store of three segments, the last one with a few blocks, and returns its
// records of topic t by their offsets.
func repairStore(t testing.TB) (dir string, values []string) {
	t.Helper()
	dir = newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: engine.SegmentBytesMin})
	values = fill(t, l, 3)
	for i := range 5 {
		more := []string{fmt.Sprintf("more %d", i), fmt.Sprintf("and more %d", i)}
		appendTo(t, l, "t", more...)
		values = append(values, more...)
	}
	closeLog(t, l)
	return dir, values
}

// byOffset reads topic t, whatever damage there is.
func byOffset(t testing.TB, dir string) map[uint64]string {
	t.Helper()
	l := open(t, dir, engine.Options{ReadOnly: true})
	defer closeLog(t, l)
	r := reader(t, l, "t", engine.Start())
	got := make(map[uint64]string)
	for {
		rec, err := r.TryNext()
		switch {
		case errors.Is(err, engine.ErrDamaged):
		case errors.Is(err, engine.ErrNoRecord):
			return got
		case err != nil:
			t.Fatal(err)
		default:
			if _, twice := got[rec.Offset]; twice {
				t.Errorf("offset %d is read twice", rec.Offset)
			}
			got[rec.Offset] = string(rec.Value)
		}
	}
}

// repair repairs a store and returns what was done.
func repair(t testing.TB, dir string) engine.RepairReport {
	t.Helper()
	report, err := engine.Repair(context.Background(), dir, engine.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// requireRepaired checks that nothing is left to repair and that readers see exactly the records
// that are to be there.
func requireRepaired(t testing.TB, dir string, want map[uint64]string) {
	t.Helper()
	report, err := engine.Verify(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Sound() || report.Tail != "clean" && report.Tail != "sealed" {
		t.Errorf("verify finds a %s end and %v", report.Tail, report.Damage)
	}
	again, err := engine.PlanRepair(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Steps)+len(again.Left) > 0 {
		t.Errorf("a second repair would do %+v, and leave %v", again.Steps, again.Left)
	}
	got := byOffset(t, dir)
	for offset, value := range want {
		if got[offset] != value {
			t.Errorf("offset %d is %.40q, want %.40q", offset, got[offset], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d records can be read, want %d", len(got), len(want))
	}
}

// change changes a file.
func change(t testing.TB, name string, how func(b []byte) []byte) {
	t.Helper()
	writeFile(t, name, how(slices.Clone(readFile(t, name))))
}

// spoil changes the bytes from a place to another one.
func spoil(from, to int) func([]byte) []byte {
	return func(b []byte) []byte {
		for i := from; i < to; i++ {
			b[i] ^= 0xa5
		}
		return b
	}
}

// repairCase is one way in which a store can be spoilt.
type repairCase struct {
	name  string
	spoil func(t testing.TB, dir string)
	// lost are the records that go, from the first to before the second, or none.
	lost [2]int
	// kept is how many bytes repair puts into lost at least.
	kept int
	// kill marks those that differ in what a repair does, which TestRepairKilledAnywhere takes.
	kill bool
}

// repairCases needs the store to know where its blocks are.
func repairCases(t testing.TB, dir string, values []string) []repairCase {
	first := blocksOf(t, readFile(t, segmentPath(dir, 0)))
	newest := blocksOf(t, readFile(t, segmentPath(dir, 2)))
	inFirst := func(how func([]byte) []byte) func(testing.TB, string) {
		return func(t testing.TB, dir string) { change(t, segmentPath(dir, 0), how) }
	}
	inNewest := func(how func([]byte) []byte) func(testing.TB, string) {
		return func(t testing.TB, dir string) { change(t, segmentPath(dir, 2), how) }
	}
	all := len(values)
	inSegment := len(newest) - 1 + 5 // records of the newest segment, whose last five blocks have two
	last := len(newest) - 2          // the last block, of two records
	return []repairCase{
		{name: "nothing", spoil: func(testing.TB, string) {}},
		{name: "a byte of a value", kill: true, spoil: inFirst(spoil(first[2]-30, first[2]-29)),
			lost: [2]int{1, 2}, kept: first[2] - first[1]},
		{name: "the start of a block", spoil: inFirst(spoil(first[1], first[1]+10)),
			lost: [2]int{1, 2}, kept: first[2] - first[1]},
		{name: "three blocks", spoil: inFirst(spoil(first[1]+3, first[4]-3)),
			lost: [2]int{1, 4}, kept: first[4] - first[1]},
		{name: "the magic", kill: true, spoil: inFirst(spoil(0, 3)), kept: 9},
		{name: "the first block", spoil: inFirst(spoil(first[0]+60, first[0]+70)),
			lost: [2]int{0, 1}, kept: first[1] - first[0]},
		{name: "the beginning", spoil: inFirst(spoil(0, 100)), lost: [2]int{0, 1}, kept: 9},
		{name: "the tombstone", spoil: inFirst(spoil(first[len(first)-2]+12, first[len(first)-2]+15)),
			kept: 40},
		{name: "the end of a complete segment", kill: true, spoil: inFirst(func(b []byte) []byte {
			return b[:len(b)-7]
		}), kept: first[len(first)-1] - first[len(first)-2] - 7},
		{name: "no tombstone", spoil: inFirst(func(b []byte) []byte { return b[:first[len(first)-2]] })},
		{name: "bytes behind the tombstone", spoil: inFirst(func(b []byte) []byte {
			return append(b, "more than nothing at all"...)
		}), kept: 24},
		{name: "a torn end", kill: true, spoil: inNewest(func(b []byte) []byte { return b[:len(b)-7] }),
			lost: [2]int{all - 2, all}, kept: newest[last+1] - newest[last] - 7},
		{name: "a low end", spoil: inNewest(func(b []byte) []byte {
			b[newest[last]+format.SignalOffset] = 0
			return b
		}), lost: [2]int{all - 2, all}, kept: newest[last+1] - newest[last]},
		{name: "zeros at the end", spoil: inNewest(func(b []byte) []byte {
			return append(b, make([]byte, 4096)...)
		}), kept: 4096},
		{name: "the last block", kill: true, spoil: inNewest(spoil(newest[last]+50, newest[last]+51)),
			lost: [2]int{all - 2, all}, kept: newest[last+1] - newest[last]},
		{name: "the start of the last block", kill: true,
			spoil: inNewest(spoil(newest[last], newest[last]+10)),
			lost:  [2]int{all - 2, all}, kept: newest[last+1] - newest[last]},
		{name: "the last block before a tombstone", spoil: inNewest(func(b []byte) []byte {
			return append(spoil(newest[last]+50, newest[last]+51)(b), framed(tombstone)...)
		}), lost: [2]int{all - 2, all}, kept: newest[last+1] - newest[last]},
		{name: "garbage at the end", spoil: inNewest(func(b []byte) []byte {
			return append(b, strings.Repeat("garbage ", 9)...)
		}), kept: 72},
		{name: "little garbage at the end", spoil: inNewest(func(b []byte) []byte {
			return append(b, "garbage that no block fits"[:22]...)
		}), kept: 22},
		{name: "large garbage at the end", kill: true, spoil: inNewest(func(b []byte) []byte {
			return append(b, bytes.Repeat([]byte("garbage "), 140<<10)...)
		}), kept: 1 << 20},
		{name: "a half-made newest segment", spoil: inNewest(func(b []byte) []byte {
			return b[:4]
		}), lost: [2]int{all - inSegment, all}, kept: 4},
		{name: "a checkpoint of no use", kill: true, spoil: func(t testing.TB, dir string) {
			writeFile(t, filepath.Join(dir, "checkpoint"), []byte("spoilt"))
		}, kept: 6},
	}
}

// Each way to spoil a store: the plan changes nothing; after the repair Verify finds nothing, a
// second repair has nothing to do, each sound record is there with its offset, each byte that was
// removed is kept, and appends go on behind the offsets that were given out.
func TestRepair(t *testing.T) {
	original, values := repairStore(t)
	for _, c := range repairCases(t, original, values) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := copyStore(t, original)
			c.spoil(t, dir)
			before := contentsOf(t, dir)
			plan, err := engine.PlanRepair(context.Background(), dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if after := contentsOf(t, dir); after != before {
				t.Fatal("the plan changed something")
			}
			report := repair(t, dir)
			if len(plan.Steps) == 0 && c.name != "nothing" || len(plan.Left)+len(report.Left) > 0 {
				t.Errorf("the plan was %+v, left %v and %v", plan.Steps, plan.Left, report.Left)
			}
			if len(report.Steps) < len(plan.Steps) {
				t.Errorf("planned %+v, did %+v", plan.Steps, report.Steps)
			}
			if got := lost(t, dir); len(got) < c.kept {
				t.Errorf("kept %d bytes, want %d", len(got), c.kept)
			}
			want := expected(values, c.lost)
			requireRepaired(t, dir, want)

			// Nothing of it rests on the checkpoint, which may be removed.
			if err := os.Remove(filepath.Join(dir, "checkpoint")); err != nil && c.kept != 6 {
				t.Fatal(err)
			}
			l := open(t, dir, engine.Options{})
			appendTo(t, l, "t", "later")
			info, err := l.Topic("t")
			if err != nil {
				t.Fatal(err)
			}
			next := uint64(len(values))
			if slices.Contains([]string{
				"a torn end", "a low end", "a half-made newest segment", // were never acknowledged
				"the last block before a tombstone", // has no room behind it for a note
			}, c.name) {
				next = uint64(c.lost[0])
			}
			if info.Next != next+1 {
				t.Errorf("the next offset is %d, want %d", info.Next, next+1)
			}
			closeLog(t, l)
			want[next] = "later"
			requireRepaired(t, dir, want)
		})
	}
}

// expected is what is left of the records.
func expected(values []string, lost [2]int) map[uint64]string {
	want := make(map[uint64]string)
	for i, v := range values {
		if i < lost[0] || i >= lost[1] {
			want[uint64(i)] = v
		}
	}
	return want
}

// contentsOf is all that a store holds, as one text.
func contentsOf(t testing.TB, dir string) string {
	t.Helper()
	var all strings.Builder
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
			fmt.Fprintf(&all, "%s %x\n", name, sha256.Sum256(readFile(t, name)))
		}
	}
	return all.String()
}

// What is no segment makes room for one that says so; what was behind it is read on.
func TestRepairNames(t *testing.T) {
	original, values := repairStore(t)
	for _, c := range []struct {
		name string
		make func(path string) error
	}{
		{"a missing segment", func(string) error { return nil }},
		{"a directory", func(p string) error { return os.Mkdir(p, 0o700) }},
		{"a link", func(p string) error { return os.Symlink("stream0.puro", p) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyStore(t, original)
			if err := os.Remove(segmentPath(dir, 1)); err != nil {
				t.Fatal(err)
			}
			if err := c.make(segmentPath(dir, 1)); err != nil {
				t.Fatal(err)
			}
			report := repair(t, dir)
			steps := slices.DeleteFunc(report.Steps, func(s engine.RepairStep) bool {
				return s.File == "index/segment1" // of the segment that was there
			})
			if len(steps) != 1 {
				t.Errorf("did %+v, want one step", steps)
			}
			got := byOffset(t, dir)
			if len(got) >= len(values) || len(got) < 20 {
				t.Errorf("%d of %d records are left, want those of segment 1 gone", len(got), len(values))
			}
			requireRepaired(t, dir, got)
			for offset, value := range got {
				if values[offset] != value {
					t.Errorf("offset %d is %.30q", offset, value)
				}
			}
		})
	}
}

// Blocks that contradict each other are sound: a repair that removed them would lose records. They
// are left, and said to be.
func TestRepairLeavesWhatIsSound(t *testing.T) {
	first := blockOf(1, format.Run{Records: 1, ValueBytes: 5}, "first")
	second := blockOf(2, format.Run{Offset: 7, Records: 1, ValueBytes: 5}, "jumps")
	dir := storeOf(t, slices.Concat(format.Magic[:], first, second))
	before := contentsOf(t, dir)
	report := repair(t, dir)
	if len(report.Steps) != 0 || len(report.Left) != 1 {
		t.Errorf("did %+v, left %v, want one place left", report.Steps, report.Left)
	}
	if contentsOf(t, dir) != before {
		t.Error("the store was changed")
	}
}

// A store that is in use is repaired under its lock, or not at all.
func TestRepairWaitsForTheLock(t *testing.T) {
	dir, _ := repairStore(t)
	newest := blocksOf(t, readFile(t, segmentPath(dir, 2)))
	change(t, segmentPath(dir, 2), spoil(newest[1]+50, newest[1]+51))
	before := contentsOf(t, dir)
	holder := startChild(t, "hold", dir, "stream2.puro")
	holder.expect(t, "locked")
	_, err := engine.Repair(context.Background(), dir,
		engine.Options{LockTimeout: 20 * time.Millisecond}, nil)
	if !errors.Is(err, engine.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	if contentsOf(t, dir) != before {
		t.Error("the store was changed without its lock")
	}
	holder.end()
	if report := repair(t, dir); len(report.Steps) == 0 {
		t.Error("nothing was repaired when the lock was free")
	}
}

// Logs that are open meanwhile go on: a reader in the middle of it, one that waits, and appends.
func TestRepairBesideALog(t *testing.T) {
	dir, values := repairStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: engine.SegmentBytesMin})
	waiting := reader(t, l, "t", engine.End())
	slow := reader(t, l, "t", engine.Start())
	for range 3 {
		wait(t, slow)
	}
	newest := blocksOf(t, readFile(t, segmentPath(dir, 2)))
	file, err := os.OpenFile(segmentPath(dir, 2), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte("spoilt"), int64(newest[2])+50); err != nil {
		t.Fatal(err)
	}
	repair(t, dir)
	appendTo(t, l, "t", "after the repair")
	if rec := wait(t, waiting); rec.Offset != uint64(len(values)) {
		t.Errorf("the waiting reader got offset %d, want %d", rec.Offset, len(values))
	}
	rest, damage := drain(t, slow)
	if len(rest) != len(values)-3-2+1 || len(damage) > 0 {
		t.Errorf("the slow reader got %d more records and %v", len(rest), damage)
	}
	closeLog(t, l)
	verify(t, dir, "clean")
}
