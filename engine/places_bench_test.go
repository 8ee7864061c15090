package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"purofs/engine"
)

// The store of these benchmarks: blocks of ten records of 100 bytes, in segments of 64 MiB. One
// block in a hundred is of topic few, one in all of topic once, the others are of topic many.
const (
	placesBlocks = 300_000
	placesEach   = 10
	fewRecords   = (placesBlocks/100 - 1) * placesEach
	manyRecords  = placesBlocks*placesEach - fewRecords - placesEach
)

// newPlacesStore fills a store without its index, and returns a log of it.
func newPlacesStore(b *testing.B) (l *engine.Log, dir string) {
	b.Helper()
	dir = filepath.Join(b.TempDir(), "store")
	opts := engine.Options{Sync: engine.SyncNone, SegmentBytes: 64 << 20}
	l, err := engine.Open(context.Background(), dir, opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	value := make([]byte, 100)
	var batch engine.Batch
	for i := range placesBlocks {
		topic := "many"
		switch {
		case i == placesBlocks/2:
			topic = "once"
		case i%100 == 0:
			topic = "few"
		}
		batch.Reset()
		for range placesEach {
			batch.Add(topic, nil, value)
		}
		if err := l.Append(context.Background(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	return l, dir
}

// BenchmarkIndexBuild reads a topic that is everywhere in a store without an index, which builds
// all of it.
func BenchmarkIndexBuild(b *testing.B) {
	l, dir := newPlacesStore(b)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	var size int64
	segments, _ := filepath.Glob(filepath.Join(dir, "stream*.puro"))
	for _, name := range segments {
		info, err := os.Stat(name)
		if err != nil {
			b.Fatal(err)
		}
		size += info.Size()
	}
	b.SetBytes(size)
	for b.Loop() {
		b.StopTimer()
		if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
			b.Fatal(err)
		}
		l, err := engine.Open(context.Background(), dir, engine.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		readTopic(b, l, "few", fewRecords)
		b.StopTimer()
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkReadRare reads a topic that is all of the log, one block in a hundred, or a single
// one.
func BenchmarkReadRare(b *testing.B) {
	l, _ := newPlacesStore(b)
	for _, topic := range []struct {
		name    string
		records int
	}{
		{"many", manyRecords}, {"few", fewRecords}, {"once", placesEach},
	} {
		b.Run(topic.name, func(b *testing.B) {
			readTopic(b, l, topic.name, topic.records) // builds the index
			for b.Loop() {
				readTopic(b, l, topic.name, topic.records)
			}
			b.ReportMetric(float64(b.N*topic.records)/b.Elapsed().Seconds(), "rec/s")
		})
	}
}

// BenchmarkSeek goes to a place in the middle of a topic, and gets the record there.
func BenchmarkSeek(b *testing.B) {
	l, _ := newPlacesStore(b)
	info, err := l.Topic("many")
	if err != nil {
		b.Fatal(err)
	}
	r, err := l.OpenReader("many", engine.AtOffset(info.Next/2))
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	middle, err := r.TryNext()
	if err != nil {
		b.Fatal(err)
	}
	at := middle.Time
	for name, position := range map[string]engine.Position{
		"offset": engine.AtOffset(info.Next/2 + 5), "last": engine.Last(info.Next / 3),
		"time": engine.Since(at.Add(time.Nanosecond)), "text": engine.AtText(info.NextText / 5 * 2),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := r.Seek(position); err != nil {
					b.Fatal(err)
				}
				if _, err := r.TryNext(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// readTopic reads all of a topic, which has that many records.
func readTopic(b *testing.B, l *engine.Log, topic string, records int) {
	b.Helper()
	r, err := l.OpenReader(topic, engine.Start())
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for n := range records {
		if _, err := r.TryNext(); err != nil {
			b.Fatalf("record %d of topic %s: %v", n, topic, err)
		}
	}
}

// BenchmarkManyTopics appends to the topics of a log in turn, a record a call, changes them, and
// lists them.
func BenchmarkManyTopics(b *testing.B) {
	for _, topics := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("topics=%d/append", topics), func(b *testing.B) {
			l := openTopics(b, topics)
			value := make([]byte, 100)
			var batch engine.Batch
			n := 0
			for b.Loop() {
				batch.Reset()
				batch.Add(topicNames[n%topics], nil, value)
				if err := l.Append(context.Background(), &batch); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
		b.Run(fmt.Sprintf("topics=%d/change", topics), func(b *testing.B) {
			l := openTopics(b, topics)
			attr := engine.TopicAttr{Mode: 0o755}
			n := 0
			for b.Loop() {
				if err := l.SetTopic(context.Background(), topicNames[n%topics], attr); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
		b.Run(fmt.Sprintf("topics=%d/list", topics), func(b *testing.B) {
			l := openTopics(b, topics)
			for b.Loop() {
				if got := len(l.Topics()); got != topics {
					b.Fatalf("got %d topics", got)
				}
			}
		})
	}
}

var topicNames = func() (names []string) {
	for i := range 10_000 {
		names = append(names, fmt.Sprintf("topic-%d", i))
	}
	return names
}()

// openTopics opens a log in which each of so many topics has a record.
func openTopics(b *testing.B, topics int) *engine.Log {
	b.Helper()
	l := openBench(b, engine.Options{Sync: engine.SyncNone})
	var batch engine.Batch
	for _, name := range topicNames[:topics] {
		batch.Add(name, nil, []byte("first"))
	}
	if err := l.Append(context.Background(), &batch); err != nil {
		b.Fatal(err)
	}
	return l
}
