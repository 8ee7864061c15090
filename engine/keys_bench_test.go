package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"purofs/engine"
)

// keyedLog returns a log with records of 100 bytes under so many keys of 20 bytes, in blocks of
// 1000 records.
func keyedLog(b *testing.B, records, keys int) *engine.Log {
	b.Helper()
	l := openBench(b, engine.Options{Sync: engine.SyncNone})
	value := make([]byte, 100)
	var batch engine.Batch
	for i := range records {
		batch.Add("t", fmt.Appendf(nil, "customer.%011d", i*7919%keys), value)
		if batch.Len() < 1000 && i < records-1 {
			continue
		}
		if err := l.Append(context.Background(), &batch); err != nil {
			b.Fatal(err)
		}
		batch.Reset()
	}
	return l
}

func heapBytes() float64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// BenchmarkKeysBuild reads a topic of a million records for the first time: a few keys, or each
// record its own.
func BenchmarkKeysBuild(b *testing.B) {
	const records = 1_000_000
	for _, keys := range []int{1000, records} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			l := keyedLog(b, records, keys)
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				before := heapBytes()
				fresh, err := engine.Open(context.Background(), l.Status().Dir, engine.Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				if _, err := fresh.Key(context.Background(), "t", "customer.00000000000"); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				b.ReportMetric((heapBytes()-before)/float64(keys), "B/key")
				if err := fresh.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "rec/s")
		})
	}
}

// BenchmarkKey asks for one key of 100,000, and reads its value.
func BenchmarkKey(b *testing.B) {
	const keys = 100_000
	l := keyedLog(b, keys, keys)
	ctx := context.Background()
	for _, read := range []bool{false, true} {
		b.Run(fmt.Sprintf("read=%v", read), func(b *testing.B) {
			for i := range b.N {
				info, err := l.Key(ctx, "t", fmt.Sprintf("customer.%011d", i*31%keys))
				if err == nil && read {
					err = l.ReadRecord("t", info.Offset, func(*engine.Record) error { return nil })
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkKeys lists 100,000 keys.
func BenchmarkKeys(b *testing.B) {
	const keys = 100_000
	l := keyedLog(b, keys, keys)
	b.ResetTimer()
	for range b.N {
		infos, err := l.Keys(context.Background(), "t")
		if err != nil || len(infos) != keys {
			b.Fatalf("%d keys, %v", len(infos), err)
		}
	}
}
