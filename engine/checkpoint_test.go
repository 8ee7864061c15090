package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"purofs/engine"
	"purofs/engine/format"
)

// fiveBlocks makes a store of five blocks that was closed, and returns its segment's bytes and
// where the blocks start.
func fiveBlocks(t *testing.T) (dir string, bytes []byte, starts []int) {
	t.Helper()
	dir = newStore(t)
	l := open(t, dir, small)
	for i := range 5 {
		appendTo(t, l, "t", fmt.Sprint(i))
	}
	closeLog(t, l)
	b := readFile(t, segmentPath(dir, 0))
	return dir, b, blocksOf(t, b)
}

// checkpointOf is the checkpoint of a store, with a change.
func checkpointOf(t testing.TB, dir string, change func(c *format.Checkpoint)) []byte {
	t.Helper()
	c, err := format.ParseCheckpoint(readFile(t, filepath.Join(dir, "checkpoint")))
	if err != nil {
		t.Fatal(err)
	}
	change(c)
	return format.AppendCheckpoint(nil, c)
}

// Whatever stands in the checkpoint, what is opened is what is in the log.
func TestCheckpointIsNeverTrustedOverTheLog(t *testing.T) {
	dir, segment, starts := fiveBlocks(t)
	right := readFile(t, filepath.Join(dir, "checkpoint"))
	foreign, _, _ := fiveBlocks(t) // a block for block equal store, but for the times and its id
	changed := func(change func(c *format.Checkpoint)) []byte { return checkpointOf(t, dir, change) }
	flipped := slices.Clone(right)
	flipped[len(flipped)/2] ^= 1
	tests := []struct {
		name  string
		bytes []byte
	}{
		{"right", right},
		{"empty", []byte{}},
		{"garbage", []byte("garbage")},
		{"cut", right[:len(right)-1]},
		{"a bit flipped", flipped},
		{"of another store", readFile(t, filepath.Join(foreign, "checkpoint"))},
		{"of another boot", changed(func(c *format.Checkpoint) { c.BootID[0]++ })},
		{"of another boot, durable", changed(func(c *format.Checkpoint) {
			c.BootID[0]++
			c.SyncedOrder, c.SyncedPos = c.Log.Order, c.Pos
		})},
		{"inside a block", changed(func(c *format.Checkpoint) { c.Pos -= 3 })},
		{"behind the end", changed(func(c *format.Checkpoint) { c.Pos += 1000 })},
		{"of a segment that is not there", changed(func(c *format.Checkpoint) { c.Log.Order = 9 })},
		{"large", make([]byte, 40<<20)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := storeOf(t, segment)
			writeFile(t, filepath.Join(dir, "checkpoint"), tt.bytes)
			l := open(t, dir, small)
			requireValues(t, l, "t", "0", "1", "2", "3", "4")
			if topics := l.Topics(); len(topics) != 1 || topics[0].Next != 5 || topics[0].NextText != 10 {
				t.Errorf("got %+v, want one topic of 5 records", topics)
			}
			appendTo(t, l, "t", "5")
			requireValues(t, l, "t", "0", "1", "2", "3", "4", "5")
			verify(t, dir, "clean")
		})
	}

	t.Run("stale", func(t *testing.T) {
		dir := storeOf(t, segment[:starts[2]])
		closeLog(t, open(t, dir, small))
		stale := readFile(t, filepath.Join(dir, "checkpoint"))
		writeFile(t, segmentPath(dir, 0), segment)
		writeFile(t, filepath.Join(dir, "checkpoint"), stale)
		l := open(t, dir, small)
		requireValues(t, l, "t", "0", "1", "2", "3", "4")
		if info, err := l.Topic("t"); err != nil || info.Next != 5 {
			t.Errorf("got %+v, %v, want 5 records", info, err)
		}
	})
}

// After a crash of the machine: what stands behind a durable checkpoint and is not sound goes,
// with all behind it, but is kept; what stands before it is never touched.
func TestCrashOfTheMachine(t *testing.T) {
	_, segment, starts := fiveBlocks(t)
	tests := []struct {
		name   string
		damage func(b []byte) []byte
		values string // what is read
		lost   int    // from which byte on the bytes are kept, -1 if none
		told   int    // damaged places
	}{
		{"nothing", func(b []byte) []byte { return b }, "0 1 2 3 4", -1, 0},
		{"last block never reached the disk", func(b []byte) []byte {
			clear(b[starts[4]:])
			return b
		}, "0 1 2 3", starts[4], 0},
		{"last block half", func(b []byte) []byte { return b[:starts[4]+20] }, "0 1 2 3", starts[4], 0},
		{"a hole in a body", func(b []byte) []byte {
			clear(b[starts[3]+format.StartBytes : starts[3]+60])
			return b
		}, "0 1 2", starts[3], 0},
		{"one wrong byte in a value", func(b []byte) []byte {
			b[starts[4]-format.EndBytes-1] ^= 1
			return b
		}, "0 1 2", starts[3], 0},
		{"before the checkpoint", func(b []byte) []byte {
			b[starts[2]-format.EndBytes-1] ^= 1
			return b
		}, "0 2 3 4", -1, 1},
	}
	// The disk is known to have the first three blocks: from a checkpoint there, or from one behind
	// all five that says so.
	for _, blocks := range []int{3, 5} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/checkpoint behind %d", tt.name, blocks), func(t *testing.T) {
				dir := storeOf(t, append(segment, nil...)[:append(starts, len(segment))[blocks]])
				closeLog(t, open(t, dir, small))
				vouch := func(c *format.Checkpoint) {
					c.BootID[0]++
					c.SyncedOrder, c.SyncedPos = 0, int64(starts[3])
				}
				writeFile(t, filepath.Join(dir, "checkpoint"), checkpointOf(t, dir, vouch))
				damaged := tt.damage(slices.Clone(segment))
				writeFile(t, segmentPath(dir, 0), damaged)
				requireRecovered(t, dir, tt.values, tt.told, damaged, tt.lost)
			})
		}
	}
}

// A segment's first block tells what was before it. After a crash of the machine it is believed
// only if all of it reached the disk: what has to be removed leaves no log that begins there.
func TestCrashInTheFirstBlockOfASegment(t *testing.T) {
	made := newStore(t)
	l := open(t, made, small)
	values := fill(t, l, 2) // of which the last stands in the second segment
	closeLog(t, l)
	checkpoint := checkpointOf(t, made, func(c *format.Checkpoint) {
		c.BootID[0]++
		c.SyncedOrder, c.SyncedPos = 1, 0
	})
	first, second := readFile(t, segmentPath(made, 0)), readFile(t, segmentPath(made, 1))
	second[len(second)-format.EndBytes-1] ^= 1 // in the value: the header is as it was
	readOnly := small
	readOnly.ReadOnly = true
	for _, opts := range []engine.Options{readOnly, small} {
		t.Run(fmt.Sprintf("read only %v", opts.ReadOnly), func(t *testing.T) {
			dir := storeOf(t, first, second)
			writeFile(t, filepath.Join(dir, "checkpoint"), checkpoint)
			l := open(t, dir, opts)
			got, _ := drain(t, reader(t, l, "t", engine.Start()))
			if want := values[:len(values)-1]; !slices.Equal(got, want) {
				t.Fatalf("got %d records, want %d", len(got), len(want))
			}
			if opts.ReadOnly {
				return
			}
			if kept := lost(t, dir); kept != string(second) {
				t.Errorf("%d bytes are kept, want %d", len(kept), len(second))
			}
			appendTo(t, l, "t", "more")
			if rec := wait(t, reader(t, l, "t", engine.Last(1))); rec.Offset != uint64(len(got)) {
				t.Errorf("what came next has offset %d, want %d", rec.Offset, len(got))
			}
			verify(t, dir, "clean")
		})
	}
}

// requireRecovered opens a store and requires those values and so many damaged places, the bytes
// from lost on kept (none if it is negative), and that the log goes on.
func requireRecovered(t *testing.T, dir, values string, damages int, before []byte, lostFrom int) {
	t.Helper()
	l := open(t, dir, small)
	got, told := drain(t, reader(t, l, "t", engine.Start()))
	if strings.Join(got, " ") != values || len(told) != damages {
		t.Errorf("got %v, damage %v, want %s", got, told, values)
	}
	kept := ""
	if lostFrom >= 0 {
		kept = string(before[lostFrom:])
	}
	if got := lost(t, dir); got != kept {
		t.Errorf("%d bytes are kept, want %d", len(got), len(kept))
	}
	appendTo(t, l, "t", "more")
	if rec := wait(t, reader(t, l, "t", engine.Last(1))); string(rec.Value) != "more" {
		t.Errorf("got %q", rec.Value)
	}
}

// Without a checkpoint nobody knows of a crash of the machine: damage is told of, and nothing of it
// is cut off.
func TestNothingIsCutWithoutACheckpoint(t *testing.T) {
	_, segment, starts := fiveBlocks(t)
	tests := []struct {
		name   string
		damage func(b []byte) []byte
		values string
		told   int
	}{
		{"one wrong byte in the last value", func(b []byte) []byte {
			b[len(b)-format.EndBytes-1] ^= 1
			return b
		}, "0 1 2 3", 1},
		{"garbage at the end", func(b []byte) []byte {
			return append(b[:starts[4]], "what is this, and who wrote it?"...)
		}, "0 1 2 3", 0}, // readers are told when a producer has ended the segment behind it
		{"all garbage", func([]byte) []byte {
			return bytes.Repeat([]byte("what is this? "), 100)
		}, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			damaged := tt.damage(slices.Clone(segment))
			dir := storeOf(t, damaged)
			requireRecovered(t, dir, tt.values, tt.told, damaged, -1)
			if got := readFile(t, segmentPath(dir, 0)); !bytes.HasPrefix(got, damaged) {
				t.Error("the damaged segment was changed")
			}
		})
	}
}

// A store that is opened read-only is not changed, whatever state it is in.
func TestReadOnlyChangesNothing(t *testing.T) {
	_, segment, starts := fiveBlocks(t)
	for _, cut := range []int{0, 5, 9, starts[3], starts[3] + 5, starts[4] + 40, len(segment)} {
		dir := storeOf(t, segment[:cut])
		l := open(t, dir, engine.Options{ReadOnly: true})
		var want []string
		for i, start := range starts[1:] {
			if cut >= start {
				want = append(want, fmt.Sprint(i))
			}
		}
		requireValues(t, l, "t", want...)
		var b engine.Batch
		b.Add("t", nil, nil)
		for name, err := range map[string]error{
			"Append": l.Append(t.Context(), &b), "Sync": l.Sync(t.Context()),
			"SetTopic": l.SetTopic(t.Context(), "t", engine.TopicAttr{}),
		} {
			if !errors.Is(err, engine.ErrReadOnly) {
				t.Errorf("%s: got %v, want ErrReadOnly", name, err)
			}
		}
		closeLog(t, l)
		entries, err := os.ReadDir(dir)
		same := bytes.Equal(readFile(t, segmentPath(dir, 0)), segment[:cut])
		if err != nil || len(entries) != 1 || !same {
			t.Errorf("cut at %d: the store was changed: %v, %v", cut, entries, err)
		}
	}
}

// Who closes a log that it has not looked at for long does not take back what others have said in
// the checkpoint: after a crash of the machine all behind that is in doubt.
func TestCheckpointOfAnIdleProcess(t *testing.T) {
	for _, records := range []int{0, 1} {
		dir := newStore(t)
		busy := open(t, dir, engine.Options{Sync: engine.SyncAlways})
		idle := open(t, dir, engine.Options{Sync: engine.SyncNone})
		appendTo(t, busy, "t", "0")
		closeLog(t, busy)
		synced := int64(len(readFile(t, segmentPath(dir, 0))))
		for i := range records {
			appendTo(t, idle, "t", fmt.Sprint(i+1))
		}
		closeLog(t, idle)
		end := int64(len(readFile(t, segmentPath(dir, 0))))
		c, err := format.ParseCheckpoint(readFile(t, filepath.Join(dir, "checkpoint")))
		if err != nil || c.Pos != end || c.SyncedPos != synced {
			t.Errorf("got a checkpoint at %d, synced up to %d, %v, want %d and %d",
				c.Pos, c.SyncedPos, err, end, synced)
		}
	}
}
