package benchmarks

import (
	"fmt"
	"testing"
)

// readRecords is how many records the logs have that are read.
const readRecords = 1_000_000

// BenchmarkRead is the first half of goal E4: a log of one topic is read from its beginning. It was
// written 1000 records a call.
func BenchmarkRead(b *testing.B) {
	for _, s := range append(allSides[:len(allSides):len(allSides)], noCopySide) {
		b.Run(s.name, func(b *testing.B) {
			st := s.mustOpen(b, options{})
			mustFill(b, st, readRecords, 1000)
			benchRead(b, readRecords, st.read)
		})
	}
	b.Run("purofs-alone", func(b *testing.B) {
		st := purofsSide.mustOpen(b, options{})
		mustFill(b, st, readRecords, 1)
		benchRead(b, readRecords, st.read)
	})
}

// BenchmarkReadTopic is the second half of goal E4: what it costs to read a topic that is 1 % of a
// log, as against the other 99 %. Blocks are of one topic; what a block of the rare one costs is
// mostly the system call that reads it, so that their size decides.
func BenchmarkReadTopic(b *testing.B) {
	for _, each := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("block=%d", each), func(b *testing.B) { benchReadTopic(b, each) })
	}
}

func benchReadTopic(b *testing.B, each int) {
	const share = 100
	st := purofsSide.mustOpen(b, options{}).(purofsStore)
	many, few := st.producerOf("many"), st.producerOf("few")
	for i := range readRecords / each {
		add := many
		if i%share == 0 {
			add = few
		}
		if err := add(each); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("percent=99", func(b *testing.B) {
		benchRead(b, readRecords-readRecords/share, func() (int, error) { return st.readTopic("many") })
	})
	b.Run("percent=1", func(b *testing.B) {
		benchRead(b, readRecords/share, func() (int, error) { return st.readTopic("few") })
	})
}

func benchRead(b *testing.B, total int, read func() (int, error)) {
	b.ReportAllocs()
	for b.Loop() {
		n, err := read()
		if err != nil {
			b.Fatal(err)
		}
		if n != total {
			b.Fatalf("read %d records, want %d", n, total)
		}
	}
	b.ReportMetric(float64(b.N*total)/b.Elapsed().Seconds(), "rec/s")
}
