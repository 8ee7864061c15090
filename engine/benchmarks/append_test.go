package benchmarks

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"purofs/engine"
)

// BenchmarkAppend is goals E1 (one record a call) and E2 (1000 a call): no sync.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ records, producers int }{{1, 1}, {1, 4}, {1000, 1}} {
		for _, s := range allSides {
			b.Run(fmt.Sprintf("records=%d/producers=%d/%s", c.records, c.producers, s.name),
				func(b *testing.B) {
					benchAppend(b, s.mustOpen(b, options{}), c.records, c.producers)
				})
		}
	}
}

// BenchmarkSynced is goal E3: an append returns when its record is on the disk. The side "file"
// with one producer is what fdatasync(2) alone allows.
func BenchmarkSynced(b *testing.B) {
	for _, producers := range []int{1, 4, 64} {
		for _, s := range allSides {
			b.Run(fmt.Sprintf("producers=%d/%s", producers, s.name), func(b *testing.B) {
				dir := b.TempDir()
				st, err := s.open(dir, options{synced: true})
				if err != nil {
					b.Fatal(err)
				}
				benchAppend(b, st, 1, producers)
				if err := st.Close(); err != nil {
					b.Fatal(err)
				}
				if s.name == purofsSide.name {
					reportSyncs(b, dir)
				}
			})
		}
	}
}

// reportSyncs reports how many syncs there were and how many producers shared one: each block is
// written and synced for all the records in it.
func reportSyncs(b *testing.B, dir string) {
	report, err := engine.Verify(context.Background(), filepath.Join(dir, "store"), nil)
	if err != nil {
		b.Fatal(err)
	}
	if report.Records != int64(b.N) {
		b.Fatalf("the log has %d records, want %d", report.Records, b.N)
	}
	b.ReportMetric(float64(report.Blocks)/b.Elapsed().Seconds(), "sync/s")
	b.ReportMetric(float64(report.Records)/float64(report.Blocks), "rec/sync")
}

// benchAppend makes b.N calls, divided between the producers.
func benchAppend(b *testing.B, st store, records, producers int) {
	b.Helper()
	adders := make([]appender, producers)
	for i := range adders {
		add, err := st.producer()
		if err != nil {
			b.Fatal(err)
		}
		adders[i] = add
	}
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for i, add := range adders {
		calls := (b.N + i) / producers
		all.Go(func() {
			for range calls {
				if err := add(records); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "rec/s")
}

// BenchmarkBytes is goal E7: what a record takes on the disk, with whatever index is kept there.
func BenchmarkBytes(b *testing.B) {
	for _, records := range []int{1, 1000} {
		for _, s := range allSides {
			b.Run(fmt.Sprintf("records=%d/%s", records, s.name), func(b *testing.B) {
				benchBytes(b, s, records)
			})
		}
	}
}

func benchBytes(b *testing.B, s side, records int) {
	const total = 100_000
	used := 0
	for b.Loop() {
		dir := b.TempDir()
		st, err := s.open(dir, options{})
		if err != nil {
			b.Fatal(err)
		}
		mustFill(b, st, total, records)
		if err := st.Close(); err != nil {
			b.Fatal(err)
		}
		if used, err = bytesUsed(dir); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(used)/total, "B/rec")
}
