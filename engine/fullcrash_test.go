package engine_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"purofs/engine"
	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/segment"
)

// A noRoom is a disk on which there is no room for what repairs keep.
type noRoom struct{ met int }

func (n *noRoom) Before(op *disk.Op) error {
	if op.Kind == disk.OpWrite && filepath.Base(filepath.Dir(op.Path)) == segment.LostDir {
		n.met++
		return syscall.ENOSPC
	}
	return nil
}

func (n *noRoom) After(*disk.Op, int, error) {}

// A machine crashes, and its disk is too full for a copy of the torn tail. Then nothing is removed:
// the log is not opened to append, and says why; it can be opened to read, and when there is room
// it is opened as if nothing had been in the way.
func TestCrashOnAFullDisk(t *testing.T) {
	_, whole, starts := fiveBlocks(t)
	dir := storeOf(t, whole)
	closeLog(t, open(t, dir, small))
	writeFile(t, filepath.Join(dir, "checkpoint"), checkpointOf(t, dir, func(c *format.Checkpoint) {
		c.BootID[0]++
		c.SyncedOrder, c.SyncedPos = 0, int64(starts[4])
	}))
	damaged := append([]byte(nil), whole...)
	damaged[len(damaged)-format.EndBytes-1] ^= 1
	writeFile(t, segmentPath(dir, 0), damaged)

	full := &noRoom{}
	for range 2 {
		_, err := engine.Open(context.Background(), dir, engine.Options{FileHook: full})
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "keeping the torn tail") {
			t.Fatalf("opening a log whose torn tail has no room elsewhere: got %v", err)
		}
		if string(readFile(t, segmentPath(dir, 0))) != string(damaged) {
			t.Fatal("the tail is gone, and kept nowhere")
		}
		if got := lost(t, dir); got != "" {
			t.Fatalf("kept a part of the tail, %q, which would only mislead", got)
		}
	}
	if full.met != 2 {
		t.Errorf("met a full disk %d times, want 2", full.met)
	}

	reading := open(t, dir, engine.Options{ReadOnly: true, FileHook: full})
	if values, _ := drain(t, reader(t, reading, "t", engine.Start())); strings.Join(values, " ") !=
		"0 1 2 3" {
		t.Errorf("read %q, want what is sound", values)
	}
	closeLog(t, reading)

	requireRecovered(t, dir, "0 1 2 3", 0, damaged, starts[4])
}
