package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/segment"
)

// A placed is a record as a walk over the whole store finds it.
type placed struct {
	offset, text uint64
	time         int64
	value        string
}

// walkStore reads all records of a store without an index, by topic.
func walkStore(t testing.TB, dir string) map[string][]placed {
	t.Helper()
	root, err := disk.OpenDir(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	topics := make(map[string][]placed)
	next := make(map[string]placed)
	for order := uint32(0); ; order++ {
		seg, err := segment.Open(root, order, false)
		if errors.Is(err, os.ErrNotExist) && order > 0 {
			return topics
		}
		if err != nil {
			t.Fatal(err)
		}
		scan := segment.NewScanner(seg, 0, segment.NoLimit)
		for {
			b, err := scan.Next()
			if errors.Is(err, engine.ErrDamaged) {
				continue
			}
			if err != nil {
				break
			}
			body, err := scan.Body()
			if err != nil {
				continue
			}
			for _, run := range b.Runs {
				p := next[string(run.Topic)]
				if b.Header {
					p.offset = run.Offset
				}
				next[string(run.Topic)] = p
			}
			for len(body) > 0 {
				r, n, err := format.ParseRecord(body)
				if err != nil {
					t.Fatal(err)
				}
				body = body[n:]
				if _, control := r.Control(); control {
					continue
				}
				p := next[string(r.Topic)]
				p.time, p.value = b.Time, string(r.Value)
				topics[string(r.Topic)] = append(topics[string(r.Topic)], p)
				p.offset++
				p.text += uint64(len(r.Value)) + 1
				next[string(r.Topic)] = p
			}
		}
		scan.Release()
		seg.Close()
	}
}

// bareBlock is a block as Puro writes it, without a header.
func bareBlock(topic string, values ...string) []byte {
	var inside []byte
	for _, v := range values {
		inside = format.AppendRecord(inside, []byte(topic), nil, []byte(v))
	}
	return framed(inside)
}

// framed puts records between a start record, with its signal raised, and an end record.
func framed(inside []byte) []byte {
	length := format.StartBytes + len(inside)
	b := append(format.AppendStart(nil, length), inside...)
	b[format.SignalOffset] = 1
	return format.AppendEnd(b, length)
}

// appendBare appends a block of Puro's to the newest segment.
func appendBare(t testing.TB, l *engine.Log, dir, topic string, values ...string) {
	t.Helper()
	appendRaw(t, segmentPath(dir, l.Status().Segments-1), bareBlock(topic, values...))
}

// appendRaw appends bytes to a file.
func appendRaw(t testing.TB, name string, b []byte) {
	t.Helper()
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(b); err != nil {
		t.Fatal(err)
	}
}

// rarities are how many in a thousand blocks of a random store have a topic.
var rarities = map[string]int{"many": 900, "some": 100, "few": 10, "rare": 1}

// fillAtRandom appends random blocks, some MiB in all, and now and then removes a topic.
func fillAtRandom(t testing.TB, l *engine.Log, dir string, rnd *rand.Rand, blocks int) {
	t.Helper()
	bare := rnd.IntN(2) == 0
	names := []string{"many", "some", "few", "rare"}
	for range blocks {
		var b engine.Batch
		for _, name := range names {
			for n := rnd.IntN(4); rnd.IntN(1000) < rarities[name] && n >= 0; n-- {
				b.Add(name, nil, bytes.Repeat([]byte{'a' + byte(rnd.IntN(26))}, rnd.IntN(700)))
			}
		}
		if b.Len() > 0 {
			if err := l.Append(context.Background(), &b); err != nil {
				t.Fatal(err)
			}
		}
		switch name := names[rnd.IntN(len(names))]; {
		case bare && rnd.IntN(50) == 0:
			appendBare(t, l, dir, name, "of Puro", "in two records")
		case rnd.IntN(2000) == 0:
			err := l.DeleteTopic(context.Background(), name)
			if err != nil && !errors.Is(err, engine.ErrNoTopic) {
				t.Fatal(err)
			}
		}
	}
}

// requireLikeWalk compares every kind of position, at random places of each topic, with what a walk
// over the store gives.
func requireLikeWalk(t testing.TB, l *engine.Log, dir string, rnd *rand.Rand, rounds int) {
	t.Helper()
	all := walkStore(t, dir)
	for _, topic := range l.Topics() {
		records := all[topic.Name]
		from, _ := slices.BinarySearchFunc(records, topic.First, compareOffset)
		records = records[from:]
		requireFrom(t, l, topic.Name, "start", engine.Start(), records)
		for range rounds {
			if len(records) == 0 {
				continue
			}
			i := rnd.IntN(len(records))
			r := records[i]
			first := slices.IndexFunc(records, func(p placed) bool { return p.time >= r.time })
			what := fmt.Sprintf("record %d of %d", i, len(records))
			requireFrom(t, l, topic.Name, what+" by offset", engine.AtOffset(r.offset), records[i:])
			requireFrom(t, l, topic.Name, what+" by last", engine.Last(topic.Next-r.offset), records[i:])
			requireFrom(t, l, topic.Name, what+" by text",
				engine.AtText(r.text+rnd.Uint64N(uint64(len(r.value))+1)), records[i:])
			requireSince(t, l, topic.Name, what, time.Unix(0, r.time), records[first:])
		}
	}
}

func compareOffset(p placed, offset uint64) int { return int(p.offset) - int(offset) }

// requireFrom reads from a position on: some records, or all if that is the start.
func requireFrom(
	t testing.TB, l *engine.Log, topic, what string, at engine.Position, want []placed,
) {
	t.Helper()
	r, err := l.OpenReader(topic, at)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := 0; ; i++ {
		if i == 200 && at != engine.Start() {
			return
		}
		text := r.Text()
		rec, err := r.TryNext()
		if errors.Is(err, engine.ErrNoRecord) && i == len(want) {
			return
		}
		if err != nil || i == len(want) {
			t.Fatalf("%s, %s: got %v after %d of %d records", topic, what, err, i, len(want))
		}
		got := placed{rec.Offset, text, rec.Time.UnixNano(), string(rec.Value)}
		if got != want[i] {
			t.Fatalf("%s, %s: got %+v, want %+v", topic, what, got, want[i])
		}
	}
}

// requireSince is requireFrom for a time. Blocks of Puro have that of the block before, so that
// records behind the first may be older; those are skipped.
func requireSince(
	t testing.TB, l *engine.Log, topic, what string, since time.Time, want []placed,
) {
	t.Helper()
	late := want[:0:0]
	for _, p := range want {
		if p.time >= since.UnixNano() {
			late = append(late, p)
		}
	}
	requireFrom(t, l, topic, what+" by time", engine.Since(since), late)
}

// indexFiles returns the names of a store's topic indexes.
func indexFiles(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "index", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Whatever a store holds, and however its index came to be: positions lead to the records to which
// a walk over the store leads.
func TestPositionsAreThoseOfAWalk(t *testing.T) {
	rnd := newRand(t)
	stores := 4
	if testing.Short() {
		stores = 1
	}
	for range stores {
		dir := newStore(t)
		opts := engine.Options{
			SegmentBytes: engine.SegmentBytesMin << rnd.IntN(6), Sync: engine.SyncNone}
		span := int64(100_000) << rnd.IntN(5)
		t.Logf("segments of %d bytes, chunks of %d", opts.SegmentBytes, span)
		l := open(t, dir, opts)
		engine.SetIndexSpan(l, span)
		fillAtRandom(t, l, dir, rnd, 2000)
		requireLikeWalk(t, l, dir, rnd, 4) // built by this process
		fillAtRandom(t, l, dir, rnd, 1000)
		requireLikeWalk(t, l, dir, rnd, 4) // built on
		closeLog(t, l)
		if len(indexFiles(t, dir)) == 0 {
			t.Fatal("nothing was stored")
		}
		for _, readOnly := range []bool{false, true} {
			opts.ReadOnly = readOnly
			l = open(t, dir, opts)
			engine.SetIndexSpan(l, span)
			requireLikeWalk(t, l, dir, rnd, 4) // read from its files
			closeLog(t, l)
		}
	}
}
