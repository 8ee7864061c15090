package mount_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sort"
	"testing"

	"golang.org/x/sys/unix"
)

// sectorBytes is what a disk writes as a whole or not at all.
const sectorBytes = 512

// A recording is the history of a disk: what was on it in the beginning, and all that happened.
type recording struct {
	kind    *fileSystem
	base    []traceEntry
	entries []traceEntry
	ends    []int64 // of the entries, in the trace
}

// readImage returns what is not zero in an image file.
func readImage(t *testing.T, path string) (content []traceEntry) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zeros := make([]byte, 64<<10)
	for at := int64(0); ; {
		chunk := make([]byte, len(zeros))
		n, err := io.ReadFull(file, chunk)
		if !bytes.Equal(chunk[:n], zeros[:n]) {
			content = append(content, traceEntry{at, chunk[:n]})
		}
		at += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return content
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// newRecording reads what happened to a disk whose content was base.
func newRecording(d *testDisk, kind *fileSystem, base []traceEntry) *recording {
	d.Helper()
	text, err := os.ReadFile(d.trace)
	if err != nil {
		d.Fatal(err)
	}
	r := &recording{kind: kind, base: base, entries: parseTrace(text)}
	end := int64(0)
	for _, e := range r.entries {
		end += traceHead + int64(len(e.data))
		r.ends = append(r.ends, end)
	}
	return r
}

// A powerCut is a moment in a recording, and what became then of the writes that no flush covered.
type powerCut struct {
	entry   int     // the first one that did not happen
	keep    float64 // share of those writes that reached the disk all the same
	sectors bool    // which is drawn for each of their sectors, and not for each as a whole
	boot    int     // in which the store is opened afterwards: 0 if only the disk has lost its power
	seed    uint64
}

func (c powerCut) String() string {
	return fmt.Sprintf("power cut at entry %d, keeping %.0f %% of what was not flushed "+
		"(sectors: %t), looked at in boot %d", c.entry, 100*c.keep, c.sectors, c.boot)
}

// randomCut draws a power cut behind entry from.
func (r *recording) randomCut(rnd *rand.Rand, from int) powerCut {
	shares := []float64{0, .2, .5, .8, 1}
	boot := 1
	if rnd.IntN(4) == 0 {
		boot = 0
	}
	return powerCut{
		entry: from + rnd.IntN(len(r.entries)-from+1), keep: shares[rnd.IntN(len(shares))],
		sectors: rnd.IntN(2) == 0, boot: boot, seed: rnd.Uint64(),
	}
}

// tracePos is how long the trace was at the moment of the power cut.
func (r *recording) tracePos(c powerCut) int64 {
	if c.entry == 0 {
		return 0
	}
	return r.ends[c.entry-1]
}

// entryAt is the number of the first entry that begins at that place of the trace or later.
func (r *recording) entryAt(pos int64) int {
	return sort.Search(len(r.ends), func(i int) bool { return r.ends[i] > pos })
}

// write makes the image that the power cut leaves. A flush covers what reached the disk before it;
// of what came later anything may be there.
func (r *recording) write(t *testing.T, path string, c powerCut) {
	t.Helper()
	flushed := 0
	for i, e := range r.entries[:c.entry] {
		if e.flush() {
			flushed = i
		}
	}
	rnd := rand.New(rand.NewPCG(c.seed, 0))
	kept := append([]traceEntry(nil), r.base...)
	kept = append(kept, r.entries[:flushed]...)
	for _, e := range r.entries[flushed:c.entry] {
		step := len(e.data)
		if c.sectors {
			step = sectorBytes
		}
		for at := 0; at < len(e.data); at += step {
			if rnd.Float64() < c.keep {
				kept = append(kept, traceEntry{e.at + int64(at), e.data[at:min(at+step, len(e.data))]})
			}
		}
	}
	writeImage(t, path, r.kind.bytes, kept)
}

func writeImage(t *testing.T, path string, size int64, content []traceEntry) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for _, e := range content {
		if _, err := file.WriteAt(e.data, e.at); err != nil {
			t.Fatal(err)
		}
	}
}

// newMemoryDir returns a directory in memory, for images.
func newMemoryDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4g"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}
