package engine_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/format"
)

// BenchmarkCrashed is T21: how long it takes to open a store after a crash, and to append the first
// record to it, which removes the torn tail; and what it takes to look at all of it. Run it with
// -benchtime 300x, for the percentiles; "GiB" makes a segment of 1 GiB, once for each line.
func BenchmarkCrashed(b *testing.B) {
	for _, size := range []struct {
		name          string
		bytes, blocks int
	}{
		{"64MiB/blocks=10000", 64 << 20, 10_000},
		{"1GiB/blocks=1000000", 1 << 30, 1_000_000},
	} {
		b.Run(size.name, func(b *testing.B) {
			s := newCrashed(b, size.bytes, size.blocks)
			for _, after := range []struct {
				name   string
				change func(c *format.Checkpoint)
			}{
				{"producer", killedProducer},
				{"machine-synced", crashedSynced},
				{"machine-not-synced", crashedMachine},
			} {
				b.Run(after.name, func(b *testing.B) { s.benchOpen(b, after.change) })
			}
			s.reset(b, killedProducer)
			b.Run("verify", func(b *testing.B) {
				b.SetBytes(s.end)
				for b.Loop() {
					if r, err := engine.Verify(context.Background(), s.dir, nil); err != nil || !r.Sound() {
						b.Fatal(r, err)
					}
				}
			})
			b.Run("repair", func(b *testing.B) { s.benchRepair(b) })
		})
	}
}

// benchOpen opens the store again and again, as after the same crash.
func (s *crashed) benchOpen(b *testing.B, change func(c *format.Checkpoint)) {
	var took, worked []time.Duration
	for range b.N {
		b.StopTimer()
		s.reset(b, change)
		b.StartTimer()
		start, before := time.Now(), processorTime(b)
		l := open(b, s.dir, crashedOptions)
		appendTo(b, l, "t", "and on")
		took = append(took, time.Since(start))
		worked = append(worked, processorTime(b)-before)
		b.StopTimer()
		closeLog(b, l)
	}
	b.ReportMetric(0, "ns/op") // the mean; the percentiles say more
	reportPercentiles(b, "", took)
	reportPercentiles(b, "-cpu", worked)
}

// reportPercentiles reports the median, the 99th percentile and the most of some times.
func reportPercentiles(b *testing.B, of string, times []time.Duration) {
	slices.Sort(times)
	for name, nth := range map[string]int{
		"p50": len(times) / 2, "p99": len(times) * 99 / 100, "max": len(times) - 1,
	} {
		b.ReportMetric(float64(times[nth])/float64(time.Millisecond), name+of+"-ms")
	}
}

// benchRepair repairs the store, whose only flaw is its torn tail.
func (s *crashed) benchRepair(b *testing.B) {
	b.SetBytes(s.end)
	for range b.N {
		b.StopTimer()
		s.reset(b, killedProducer)
		b.StartTimer()
		r, err := engine.Repair(context.Background(), s.dir, engine.Options{}, nil)
		if err != nil || len(r.Steps) != 1 {
			b.Fatal(r, err)
		}
	}
}
