package engine_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/format"
)

// Where a sync has failed, what the kernel shows counts no more than after a crash of the machine,
// even in the same boot: what is behind the last sync is written again and checked in full, and
// what is not sound is a torn tail.
func TestOpeningAfterAFailedSync(t *testing.T) {
	_, segment, starts := fiveBlocks(t)
	for _, noted := range []bool{true, false} {
		dir := storeOf(t, segment)
		closeLog(t, open(t, dir, small))
		vouch := func(c *format.Checkpoint) { c.SyncedOrder, c.SyncedPos = 0, int64(starts[3]) }
		writeFile(t, filepath.Join(dir, "checkpoint"), checkpointOf(t, dir, vouch))
		note := filepath.Join(dir, "unsynced")
		want, damages, lostFrom := "0 1 2 4", 1, -1 // otherwise a raised block counts, and is damaged
		if noted {
			writeFile(t, note, nil)
			want, damages, lostFrom = "0 1 2", 0, starts[3]
		}
		damaged := append([]byte(nil), segment...)
		damaged[starts[4]-format.EndBytes-1] ^= 1
		writeFile(t, segmentPath(dir, 0), damaged)
		requireRecovered(t, dir, want, damages, damaged, lostFrom)
		if _, err := os.Stat(note); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the note of the failed sync is still there: %v", err)
		}
	}
}

// A read-only log leaves the note to whoever may write.
func TestReadOnlyKeepsTheNoteOfAFailedSync(t *testing.T) {
	_, segment, _ := fiveBlocks(t)
	dir := storeOf(t, segment)
	note := filepath.Join(dir, "unsynced")
	writeFile(t, note, nil)
	l := open(t, dir, engine.Options{ReadOnly: true})
	requireValues(t, l, "t", "0", "1", "2", "3", "4")
	closeLog(t, l)
	if _, err := os.Stat(note); err != nil {
		t.Error(err)
	}
}

// What a killed process left of a checkpoint is swept away when the log is opened the next time,
// and the checkpoint that another process writes in that moment is not.
func TestCheckpointsLeftOver(t *testing.T) {
	dir := newStore(t)
	closeLog(t, open(t, dir, small))
	left := filepath.Join(dir, "checkpoint.new.0000")
	young := filepath.Join(dir, "checkpoint.new.0001")
	for _, file := range []string{left, young} {
		writeFile(t, file, []byte("half"))
	}
	killed := time.Now().Add(-time.Hour)
	if err := os.Chtimes(left, killed, killed); err != nil {
		t.Fatal(err)
	}
	closeLog(t, open(t, dir, engine.Options{ReadOnly: true}))
	if _, err := os.Stat(left); err != nil {
		t.Errorf("a read-only log has removed it: %v", err)
	}
	closeLog(t, open(t, dir, small))
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", left, err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("what somebody writes is gone: %v", err)
	}
}

// What was left of a checkpoint by a process that was killed is swept away, and a checkpoint whose
// segment a power cut took still tells of the crash.
func TestCheckpointRemains(t *testing.T) {
	_, segment, starts := fiveBlocks(t)
	dir := storeOf(t, segment)
	closeLog(t, open(t, dir, small))
	rest := filepath.Join(dir, "checkpoint.new.0000")
	writeFile(t, rest, []byte("half"))
	vouch := func(c *format.Checkpoint) {
		c.BootID[0]++
		c.Log.Order, c.Pos = 1, 9 // of a segment that is not there
		c.SyncedOrder, c.SyncedPos = 0, int64(starts[4])
	}
	writeFile(t, filepath.Join(dir, "checkpoint"), checkpointOf(t, dir, vouch))
	damaged := append([]byte(nil), segment...)
	damaged[len(damaged)-format.EndBytes-1] ^= 1
	writeFile(t, segmentPath(dir, 0), damaged)
	requireRecovered(t, dir, "0 1 2 3", 0, damaged, starts[4])
	if _, err := os.Stat(rest); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", rest, err)
	}
}
