package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"

	"purofs/engine"
)

// An opsReader is a reader that lives for some operations.
type opsReader struct {
	*engine.Reader
	topic string
	want  uint64 // the offset of its next record
	ahead bool   // that was still to come when it was opened
}

// openReader opens a reader at any kind of position.
func (w *opsWorld) openReader() {
	h, name := w.any(), w.topic()
	if len(h.readers) == opsReaders {
		h.readers[0].Close()
		h.readers = h.readers[1:]
	}
	from, want := w.position(w.model.topic(name))
	w.note("%s reads topic %.9q from offset %d: %+v", h.name, name, want, from)
	r, err := h.OpenReader(name, from)
	w.must(err)
	h.readers = append(h.readers, &opsReader{r, name, want, want > w.model.topic(name).next()})
	w.readOn(h.readers[len(h.readers)-1], w.byte()%4)
}

// position is one of a topic, and the offset that a reader from there begins with.
func (w *opsWorld) position(t *opsTopic) (engine.Position, uint64) {
	next := t.next()
	switch n := w.upTo(len(t.records) + 2); w.byte() % 6 {
	case 1:
		return engine.End(), next
	case 2:
		offset := max(int(t.first)+n-1, 0)
		return engine.AtOffset(uint64(offset)), max(uint64(offset), t.first)
	case 3:
		return engine.Last(uint64(n)), next - uint64(min(n, len(t.records)))
	case 4:
		text := uint64(w.upTo(int(t.text)))
		i := 0
		for at := t.firstText; i < len(t.records); i++ {
			if at += uint64(len(t.records[i].value)) + 1; at > text {
				break
			}
		}
		return engine.AtText(text), t.first + uint64(i)
	case 5:
		if n < len(t.records) && !w.model.bare {
			at := t.records[n].time
			return engine.Since(at), t.first + uint64(slices.IndexFunc(t.records,
				func(r opsRecord) bool { return !r.time.Before(at) }))
		}
	}
	return engine.Start(), t.first
}

// reader is one of those that are open, nil if there is none.
func (w *opsWorld) reader() *opsReader {
	h := w.any()
	if len(h.readers) == 0 {
		return nil
	}
	r := h.readers[w.byte()%len(h.readers)]
	w.note("%s reads on from offset %d of topic %.9q", h.name, r.want, r.topic)
	return r
}

func (w *opsWorld) read() {
	if r := w.reader(); r != nil {
		w.readOn(r, 1+w.byte())
	}
}

// readOn reads some records, as many as there are.
func (w *opsWorld) readOn(r *opsReader, n int) {
	w.Helper()
	t := w.model.topic(r.topic)
	for range n {
		w.checkPlace(r, t)
		got, err := r.TryNext()
		if r.want >= t.next() {
			want := engine.ErrNoRecord
			if !t.exists && w.model.topics[r.topic] != nil {
				want = engine.ErrNoTopic
			}
			if !errors.Is(err, want) {
				w.Fatalf("topic %.9q has no record %d: got %v, %v, want %v", r.topic, r.want, got, err, want)
			}
			return
		}
		w.must(err)
		w.checkRecord(got, t, r.want)
		r.want, r.ahead = r.want+1, false
	}
}

// checkPlace compares where a reader stands.
func (w *opsWorld) checkPlace(r *opsReader, t *opsTopic) {
	w.Helper()
	if got := r.Next(); got != r.want {
		w.Fatalf("the reader of %.9q stands at %d, want %d", r.topic, got, r.want)
	}
	if r.want <= t.next() && !r.ahead {
		if got, want := r.Text(), t.textAt(r.want); got != want {
			w.Fatalf("the reader of %.9q stands at byte %d, want %d", r.topic, got, want)
		}
	}
}

// checkRecord compares a record with that of an offset.
func (w *opsWorld) checkRecord(got *engine.Record, t *opsTopic, offset uint64) {
	w.Helper()
	want := t.records[offset-t.first]
	if got.Offset != offset || string(got.Key) != want.key || string(got.Value) != want.value {
		w.Fatalf("got record %d with key %q and value %.20q, want %d, %q, %.20q", got.Offset, got.Key,
			got.Value, offset, want.key, want.value)
	}
	if !want.time.IsZero() && !got.Time.Equal(want.time) {
		w.Fatalf("record %d has the time %v, want %v", offset, got.Time, want.time)
	}
}

// lines reads as text.
func (w *opsWorld) lines() {
	r := w.reader()
	if r == nil {
		return
	}
	t := w.model.topic(r.topic)
	text := make([]byte, w.upTo(64<<10))
	text = text[:r.Lines(text)]
	for len(text) > 0 {
		if r.want >= t.next() {
			w.Fatalf("topic %.9q has %d records, and then %.20q", r.topic, r.want, text)
		}
		line := t.records[r.want-t.first].value + "\n"
		rest, found := strings.CutPrefix(string(text), line)
		if !found {
			w.Fatalf("record %d of %.9q reads %.20q, want %.20q", r.want, r.topic, text, line)
		}
		text = []byte(rest)
		r.want++
	}
	w.readOn(r, 1)
}

// readOne looks for one record, or for one that is not there.
func (w *opsWorld) readOne() {
	h, name := w.any(), w.topic()
	t := w.model.topic(name)
	offset := uint64(w.upTo(int(t.next())))
	w.note("%s looks for record %d of topic %.9q", h.name, offset, name)
	err := h.ReadRecord(name, offset, func(r *engine.Record) error {
		w.checkRecord(r, t, offset)
		return nil
	})
	var want error
	switch {
	case !t.exists:
		want = engine.ErrNoTopic
	case offset < t.first || offset >= t.next():
		want = engine.ErrNoRecord
	}
	if !errors.Is(err, want) {
		w.Fatalf("got %v, want %v", err, want)
	}
}

// checkInfo compares what a log says of a topic.
func (w *opsWorld) checkInfo(h *opsHandle, name string) {
	w.Helper()
	t := w.model.topic(name)
	got, err := h.Topic(name)
	if !t.exists {
		if !errors.Is(err, engine.ErrNoTopic) {
			w.Fatalf("%s: topic %.9q: got %v, %v, want ErrNoTopic", h.name, name, got, err)
		}
		return
	}
	w.must(err)
	want := got
	want.Name, want.Mode = name, t.mode
	want.First, want.Next, want.FirstText, want.NextText = t.first, t.next(), t.firstText, t.text
	if got != want {
		w.Fatalf("%s: got %+v, want %+v", h.name, got, want)
	}
}

// checkAll compares all that a log shows.
func (w *opsWorld) checkAll(h *opsHandle) {
	w.Helper()
	var names, want []string
	for _, info := range h.Topics() {
		names = append(names, info.Name)
	}
	records := 0
	for _, name := range opsTopics {
		if w.model.topic(name).exists {
			want = append(want, name)
			records += len(w.model.topic(name).records)
		}
		w.checkInfo(h, name)
		w.checkRecords(h, name)
		w.checkKeys(h, name)
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		w.Fatalf("%s: got the topics %q, want %q", h.name, names, want)
	}
	if s := h.Status(); s.Topics != len(want) || s.Records != uint64(records) || !s.Healthy ||
		s.Troubles != h.troubles || s.Segments != w.model.order+1 {
		w.Fatalf("%s: got %+v, want %d topics, %d records, %d segments; %v", h.name, s, len(want),
			records, w.model.order+1, h.Log.Troubles())
	}
	for _, c := range w.model.cursors {
		w.checkCursor(h, c)
	}
}

// checkRecords reads a topic from its start to its end.
func (w *opsWorld) checkRecords(h *opsHandle, name string) {
	w.Helper()
	r, err := h.OpenReader(name, engine.Start())
	w.must(err)
	defer r.Close()
	t := w.model.topic(name)
	w.readOn(&opsReader{r, name, t.first, false}, len(t.records)+1)
}

// checkKeys compares the keys that have a value, and what is said of each.
func (w *opsWorld) checkKeys(h *opsHandle, name string) {
	w.Helper()
	t := w.model.topic(name)
	got, err := h.Keys(context.Background(), name)
	if !t.exists {
		if !errors.Is(err, engine.ErrNoTopic) && (err != nil || len(got) > 0) {
			w.Fatalf("%s: keys of topic %.9q: got %v, %v", h.name, name, got, err)
		}
		return
	}
	w.must(err)
	newest := make(map[string]int)
	for i, r := range t.records {
		switch {
		case r.key == "":
		case r.value == "":
			delete(newest, r.key)
		default:
			newest[r.key] = i
		}
	}
	for _, k := range got {
		i, known := newest[k.Key]
		if !known || k.Offset != t.first+uint64(i) || k.ValueBytes != len(t.records[i].value) ||
			!k.Time.Equal(t.records[i].time) {
			w.Fatalf("%s: topic %.9q: got key %+v, want record %d of %d", h.name, name, k, i, len(t.records))
		}
	}
	if len(got) != len(newest) {
		w.Fatalf("%s: topic %.9q: got %d keys, want %d", h.name, name, len(got), len(newest))
	}
}
