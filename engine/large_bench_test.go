package engine_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"purofs/engine"
)

// BenchmarkLargeLog is goal M7: a log of many topics that is large, beside one that is empty. It
// needs a directory, PUROFS_LARGE_DIR, and how many gigabytes the large one has, PUROFS_LARGE_GB,
// and leaves the store "large" there, for the next run and for a mount. A file system that
// compresses needs a small part of that.
func BenchmarkLargeLog(b *testing.B) {
	dir := os.Getenv("PUROFS_LARGE_DIR")
	if dir == "" {
		b.Skip("PUROFS_LARGE_DIR is not set")
	}
	gigabytes, err := strconv.ParseInt(os.Getenv("PUROFS_LARGE_GB"), 10, 64)
	if err != nil {
		b.Fatalf("PUROFS_LARGE_GB: %v", err)
	}
	fillLarge(b, filepath.Join(dir, "large"), gigabytes<<30)
	empty, err := os.MkdirTemp(dir, "empty.")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(empty)
	fillLarge(b, filepath.Join(empty, "empty"), 0)
	for _, store := range []string{filepath.Join(empty, "empty"), filepath.Join(dir, "large")} {
		name := filepath.Base(store)
		b.Run(name+"/open", func(b *testing.B) {
			for b.Loop() {
				if err := openLarge(b, store).Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/append", func(b *testing.B) {
			l := openLarge(b, store)
			defer l.Close()
			value := make([]byte, 100)
			var batch engine.Batch
			n := 0
			for b.Loop() {
				batch.Reset()
				batch.Add(topicNames[n%len(topicNames)], nil, value)
				if err := l.Append(context.Background(), &batch); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
		b.Run(name+"/last", func(b *testing.B) {
			l := openLarge(b, store)
			defer l.Close()
			readLast(b, l, 0) // has the index of the segment built, or loaded
			n := 0
			for b.Loop() {
				readLast(b, l, n)
				n++
			}
		})
	}
}

// readLast reads the newest record of the nth topic.
func readLast(b *testing.B, l *engine.Log, n int) {
	b.Helper()
	r, err := l.OpenReader(topicNames[n%len(topicNames)], engine.Last(1))
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	if _, err := r.TryNext(); err != nil {
		b.Fatal(err)
	}
}

func openLarge(b *testing.B, store string) *engine.Log {
	b.Helper()
	l, err := engine.Open(context.Background(), store, engine.Options{Sync: engine.SyncNone})
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// fillLarge appends to all topics, until the segments have so many bytes, and once at least.
func fillLarge(b *testing.B, store string, size int64) {
	b.Helper()
	l := openLarge(b, store)
	defer l.Close()
	value := bytes.Repeat([]byte("a line of a log that says little. "), 30)
	var batch engine.Batch
	for first := true; first || l.Status().Bytes < size; first = false {
		for names := range slices.Chunk(topicNames, 1000) {
			batch.Reset()
			for _, name := range names {
				batch.Add(name, nil, value)
			}
			if err := l.Append(context.Background(), &batch); err != nil {
				b.Fatal(err)
			}
		}
	}
}
