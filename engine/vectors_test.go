package engine_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"purofs/engine"
)

// A vector is a segment of the test data, with the values of each topic in it.
type vector struct {
	bytes  []byte
	topics map[string][]string
}

func readVectors(t *testing.T) map[string]vector {
	t.Helper()
	paths, err := filepath.Glob("format/testdata/vectors/*.puro")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	vectors := make(map[string]vector)
	for _, path := range paths {
		base := strings.TrimSuffix(path, ".puro")
		var records []struct{ Topic, Value []byte }
		if err := json.Unmarshal(readFile(t, base+".json"), &records); err != nil {
			t.Fatal(err)
		}
		v := vector{readFile(t, path), make(map[string][]string)}
		for _, r := range records {
			v.topics[string(r.Topic)] = append(v.topics[string(r.Topic)], string(r.Value))
		}
		vectors[filepath.Base(base)] = v
	}
	return vectors
}

// What Puro wrote is read, appended to, and rolled over; the next segment then says all that was
// before it, so that the first one is not needed any more.
func TestVectorsLiveOn(t *testing.T) {
	for name, v := range readVectors(t) {
		t.Run(name, func(t *testing.T) {
			dir := storeOf(t, v.bytes)
			l := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes, Sync: engine.SyncNone})
			requireTopics(t, l, v.topics)
			for topic := range v.topics {
				if engine.CheckTopicName(topic) == nil {
					appendTo(t, l, topic, "appended")
					v.topics[topic] = append(v.topics[topic], "appended")
				}
			}
			requireTopics(t, l, v.topics)
			v.topics["t2"] = append(v.topics["t2"], fill2(t, l)...)
			requireTopics(t, l, v.topics)
			before := l.Topics()
			closeLog(t, l)
			verify(t, dir, "clean")

			again := open(t, dir, engine.Options{})
			requireTopics(t, again, v.topics)
			if got := again.Topics(); fmt.Sprint(got) != fmt.Sprint(before) {
				t.Errorf("reopened: got\n%+v, want\n%+v", got, before)
			}
			requireRoundTrips(t, again)
		})
	}
}

// fill2 appends to topic t2 until a new segment is reached.
func fill2(t *testing.T, l *engine.Log) (values []string) {
	t.Helper()
	for want := l.Status().Segments + 1; l.Status().Segments < want; {
		values = append(values, strings.Repeat("z", 20_000))
		appendTo(t, l, "t2", values[0])
	}
	return values
}

func requireTopics(t *testing.T, l *engine.Log, topics map[string][]string) {
	t.Helper()
	infos := l.Topics()
	for _, info := range infos {
		want := topics[info.Name]
		text := 0
		for _, v := range want {
			text += len(v) + 1
		}
		if got := read(t, l, info.Name); !slices.Equal(got, want) {
			t.Errorf("topic %q: got %d records, want %d", info.Name, len(got), len(want))
		}
		if info.First != 0 || info.Next != uint64(len(want)) || info.NextText != uint64(text) {
			t.Errorf("topic %q: got %+v, want %d records and %d bytes", info.Name, info, len(want), text)
		}
	}
	for name := range topics {
		if !slices.ContainsFunc(infos, func(i engine.TopicInfo) bool { return i.Name == name }) {
			t.Errorf("topic %q is not there", name)
		}
	}
}

// requireRoundTrips looks each record of each topic up, by its offset and by each end of its text.
func requireRoundTrips(t *testing.T, l *engine.Log) {
	t.Helper()
	for _, info := range l.Topics() {
		r := reader(t, l, info.Name, engine.Start())
		text := info.FirstText
		all, err := l.OpenReader(info.Name, engine.Start())
		if err != nil {
			t.Fatal(err)
		}
		for offset := info.First; offset < info.Next; offset++ {
			rec, err := all.TryNext()
			if err != nil || rec.Offset != offset {
				t.Fatalf("topic %q: got %v, %v, want record %d", info.Name, rec, err, offset)
			}
			written, size := rec.Time, uint64(len(rec.Value))+1
			seeks := []engine.Position{
				engine.AtOffset(offset), engine.Last(info.Next - offset),
				engine.AtText(text), engine.AtText(text + size - 1),
			}
			for i, seek := range seeks {
				what := fmt.Sprintf("topic %q, record %d, seek %d", info.Name, offset, i)
				requireSeek(t, r, seek, offset, text, what)
				if rec, err := r.TryNext(); err != nil || rec.Offset != offset || !rec.Time.Equal(written) {
					t.Fatalf("%s: got %v, %v, want its time %v", what, rec, err, written)
				}
			}
			text += size
		}
		all.Close()
		if text != info.NextText {
			t.Errorf("topic %q: its text has %d bytes, want %d", info.Name, text, info.NextText)
		}
	}
}

func requireSeek(
	t *testing.T, r *engine.Reader, to engine.Position, offset, text uint64, what string,
) {
	t.Helper()
	if err := r.Seek(to); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if r.Next() != offset || r.Text() != text {
		t.Fatalf("%s: got offset %d, byte %d, want %d, %d", what, r.Next(), r.Text(), offset, text)
	}
}

// Whatever is written, every record is found again, in one segment and in many, before and after
// the log was closed.
func TestSeekRoundTrips(t *testing.T) {
	rnd := newRand(t)
	dir := newStore(t)
	opts := engine.Options{SegmentBytes: testSegmentBytes, Sync: engine.SyncNone}
	l := open(t, dir, opts)
	for l.Status().Segments < 4 {
		var b engine.Batch
		for range 1 + rnd.IntN(40) {
			topic := fmt.Sprint("topic-", rnd.IntN(4))
			b.Add(topic, nil, make([]byte, rnd.IntN(1+rnd.IntN(2000))))
		}
		if err := l.Append(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	requireRoundTrips(t, l)
	closeLog(t, l)
	requireRoundTrips(t, open(t, dir, opts))
}
