package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"purofs/engine"
)

// openBench opens a fresh log for a benchmark.
func openBench(b *testing.B, opts engine.Options) *engine.Log {
	b.Helper()
	l, err := engine.Open(context.Background(), b.TempDir()+"/store", opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	return l
}

// BenchmarkAppend appends records of 100 bytes: so many a call, by so many goroutines.
func BenchmarkAppend(b *testing.B) {
	for _, records := range []int{1, 1000} {
		for _, producers := range []int{1, 4, 64} {
			b.Run(fmt.Sprintf("records=%d/producers=%d", records, producers), func(b *testing.B) {
				l := openBench(b, engine.Options{Sync: engine.SyncNone})
				benchAppend(b, l, records, producers)
			})
		}
	}
}

// BenchmarkAppendSynced is the same with a sync before each append returns.
func BenchmarkAppendSynced(b *testing.B) {
	for _, producers := range []int{1, 4, 64} {
		b.Run(fmt.Sprintf("records=1/producers=%d", producers), func(b *testing.B) {
			l := openBench(b, engine.Options{Sync: engine.SyncAlways})
			benchAppend(b, l, 1, producers)
		})
	}
}

func benchAppend(b *testing.B, l *engine.Log, records, producers int) {
	value := make([]byte, 100)
	for i := range value {
		value[i] = 'a' + byte(i%26)
	}
	b.ReportAllocs()
	b.SetBytes(int64(records * len(value)))
	b.SetParallelism((producers + 1) / 2)
	turn := make(chan struct{}, producers)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		turn <- struct{}{}
		defer func() { <-turn }()
		var batch engine.Batch
		for pb.Next() {
			batch.Reset()
			for range records {
				batch.Add("orders", nil, value)
			}
			if err := l.Append(context.Background(), &batch); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "rec/s")
}

// BenchmarkCommit moves a cursor record by record, with so many records in a block.
func BenchmarkCommit(b *testing.B) {
	for _, mode := range []engine.SyncMode{engine.SyncNone, engine.SyncInterval, engine.SyncAlways} {
		for _, records := range []int{1, 1000} {
			b.Run(fmt.Sprintf("sync=%v/block=%d", mode, records), func(b *testing.B) {
				l := openBench(b, engine.Options{Sync: mode})
				fillBench(b, l, 20_000, records)
				benchCommit(b, l, 20_000)
			})
		}
	}
}

func fillBench(b *testing.B, l *engine.Log, total, records int) {
	value := make([]byte, 100)
	var batch engine.Batch
	for range total / records {
		batch.Reset()
		for range records {
			batch.Add("orders", nil, value)
		}
		if err := l.Append(context.Background(), &batch); err != nil {
			b.Fatal(err)
		}
	}
}

func benchCommit(b *testing.B, l *engine.Log, total uint64) {
	if err := l.CreateCursor(context.Background(), "orders", "billing"); err != nil {
		b.Fatal(err)
	}
	c, err := l.OpenCursor("orders", "billing")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Commit((c.Next() + 1) % (total + 1)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead reads a log of one topic from the start.
func BenchmarkRead(b *testing.B) {
	for _, records := range []int{1, 1000} {
		b.Run(fmt.Sprintf("block=%d", records), func(b *testing.B) {
			const total = 1_000_000
			l := openBench(b, engine.Options{Sync: engine.SyncNone})
			var batch engine.Batch
			value := make([]byte, 100)
			for range total / records {
				batch.Reset()
				for range records {
					batch.Add("orders", nil, value)
				}
				if err := l.Append(context.Background(), &batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				r, err := l.OpenReader("orders", engine.Start())
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for {
					_, err := r.TryNext()
					if errors.Is(err, engine.ErrNoRecord) {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != total {
					b.Fatalf("read %d records, want %d", n, total)
				}
				r.Close()
			}
			b.ReportMetric(float64(b.N*total)/b.Elapsed().Seconds(), "rec/s")
		})
	}
}

// BenchmarkOpen opens a log of a million records, in blocks of one, which was closed before: from
// its checkpoint, and without it, as after that was lost.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir() + "/store"
	l, err := engine.Open(context.Background(), dir, engine.Options{Sync: engine.SyncNone})
	if err != nil {
		b.Fatal(err)
	}
	var batch engine.Batch
	for range 1_000_000 {
		batch.Reset()
		batch.Add("orders", nil, make([]byte, 100))
		if err := l.Append(context.Background(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	for _, checkpoint := range []bool{true, false} {
		b.Run(fmt.Sprintf("checkpoint=%t", checkpoint), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if !checkpoint {
					b.StopTimer()
					if err := os.Remove(filepath.Join(dir, "checkpoint")); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				l, err := engine.Open(context.Background(), dir, engine.Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}
