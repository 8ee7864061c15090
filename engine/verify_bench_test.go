package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"purofs/engine"
	"purofs/engine/format"
)

// BenchmarkVerify verifies stores of 100 MB that are in the page cache: with blocks of a record, of
// many records, of large ones, of many topics, and as Puro writes them, without a header, where the
// check of each record has to be looked at.
func BenchmarkVerify(b *testing.B) {
	const bytes = 100 << 20
	for _, shape := range []struct {
		name                 string
		topics, records, len int
		bare                 bool
	}{
		{name: "block=1x100", topics: 1, records: 1, len: 100},
		{name: "block=1000x100", topics: 1, records: 1000, len: 100},
		{name: "block=100000x10", topics: 1, records: 100_000, len: 10},
		{name: "block=1x1M", topics: 1, records: 1, len: 1 << 20},
		{name: "block=1000x100/topics=1000", topics: 1000, records: 1000, len: 100},
		{name: "puro/block=1x100", topics: 1, records: 1, len: 100, bare: true},
		{name: "puro/block=1000x100", topics: 1, records: 1000, len: 100, bare: true},
		{name: "puro/block=1x1M", topics: 1, records: 1, len: 1 << 20, bare: true},
	} {
		b.Run(shape.name, func(b *testing.B) {
			blocks := bytes / (shape.records * (shape.len + 20))
			dir := benchStore(b, blocks, shape.topics, shape.records, shape.len, shape.bare)
			b.ReportAllocs()
			b.ResetTimer()
			before, looked := processorTime(b), int64(0)
			for range b.N {
				report, err := engine.Verify(context.Background(), dir, nil)
				if err != nil || !report.Sound() || report.Records != int64(blocks*shape.records) {
					b.Fatalf("got %+v, %v, want a sound store of %d blocks", report, err, blocks)
				}
				b.SetBytes(report.Bytes)
				looked += report.Bytes
			}
			b.ReportMetric(float64(looked)/1e6/(processorTime(b)-before).Seconds(), "MB/cpu-s")
		})
	}
}

// processorTime is how long the processors have worked for this process. Where other work is on the
// machine it tells more than the time that passed.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// benchStore makes a store of equal blocks; bare ones have no header.
func benchStore(b *testing.B, blocks, topics, records, valueBytes int, bare bool) (dir string) {
	b.Helper()
	value := make([]byte, valueBytes)
	for i := range value {
		value[i] = 'a' + byte(i%26)
	}
	if bare {
		var body []byte
		for i := range records {
			topic := fmt.Appendf(nil, "topic%d", i%topics)
			body = format.AppendRecord(body, topic, nil, value)
		}
		length := format.StartBytes + len(body)
		block := format.AppendStart(nil, length)
		block[format.SignalOffset] = 1
		block = format.AppendEnd(append(block, body...), length)
		all := make([]byte, 0, blocks*len(block))
		for range blocks {
			all = append(all, block...)
		}
		return storeOf(b, all)
	}
	dir = newStore(b)
	l := open(b, dir, engine.Options{Sync: engine.SyncNone})
	var batch engine.Batch
	for range blocks {
		batch.Reset()
		for i := range records {
			batch.Add(fmt.Sprintf("topic%d", i%topics), nil, value)
		}
		if err := l.Append(context.Background(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	closeLog(b, l)
	return dir
}
