package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/oracle"
)

// FuzzOpsVsModel (T8): the input is a sequence of operations on a store, each a byte and its
// arguments. Whatever they are, and in which order, what the log shows is what a model of it in
// memory has: opsModel. (T24, mount_test.TestModel, does the same to the tree of a mount.)
func FuzzOpsVsModel(f *testing.F) {
	f.Fuzz(runOps)
}

// The sequences that FuzzOpsVsModel gets when nobody fuzzes are always the same; here they are new
// each time.
func TestOpsVsModel(t *testing.T) {
	run := oracle.Start(t, "T8")
	for i := range oracle.Size(30, 20_000) {
		in := make([]byte, 200+run.Rand.IntN(1000))
		for j := range in {
			in[j] = byte(run.Rand.Uint32())
		}
		// Runs of one operation get further than a mixture: to the end of a segment, for example.
		for at := 1; at < len(in) && run.Rand.IntN(3) > 0; {
			at += run.Rand.IntN(100)
			for j := at; j < min(len(in), at+run.Rand.IntN(60)); j++ {
				in[j] = in[at]
			}
		}
		if !t.Run(fmt.Sprint(i), func(t *testing.T) { runOps(t, in) }) {
			t.Fatalf("the input is %q\nrun it again with: %s", in, run.Again())
		}
		run.Count("sequences", 1)
	}
}

// What an input may cost: a second, and some MiB, on a slow machine.
const (
	opsMax      = 150
	opsBytesMax = 768 << 10 // of all values
	opsHandles  = 3
	opsReaders  = 3 // of a handle
)

// An opsWorld is the store, those who have it open, and the model.
type opsWorld struct {
	*testing.T
	in      []byte // what is left of the input
	work    string
	dir     string // of the store: another one in work after each crash
	crashes int
	cut     bool // some of them took blocks
	opts    engine.Options
	span    int64 // of the topic indexes' chunks
	handles []*opsHandle
	model   opsModel
	torn    []byte // what a producer that died has left behind the last block
	serial  int    // of values: no two are alike
	spent   int
	history []string
}

// An opsHandle is a log that somebody has open.
type opsHandle struct {
	*engine.Log
	name     string
	readOnly bool
	readers  []*opsReader
	troubles uint64 // that it was right to tell of
}

// runOps acts an input out.
func runOps(t *testing.T, in []byte) {
	w := &opsWorld{T: t, in: in, work: oracle.Aside(t)}
	w.dir = filepath.Join(w.work, "store0")
	w.opts = engine.Options{
		SegmentBytes: engine.SegmentBytesMin << (w.byte() % 2), ValueBytes: opsValueMax,
		Sync: engine.SyncMode(w.byte() % 4), SyncInterval: engine.SyncIntervalMax,
	}
	w.span = 4 << 10 << (w.byte() % 8)
	w.model.reset()
	t.Cleanup(func() {
		for _, h := range w.handles {
			_ = h.Close()
		}
		if t.Failed() {
			t.Logf("sync %v, segments of %d, index %d:\n%s", w.opts.Sync, w.opts.SegmentBytes, w.span,
				strings.Join(w.history, "\n"))
		}
	})
	w.open(false)
	for n := 0; n < opsMax && len(w.in) > 0; n++ {
		ops[w.byte()%len(ops)](w)
	}
	w.finish()
}

// finish looks at everything, through all who have the store open, and through a new log.
func (w *opsWorld) finish() {
	for _, h := range w.handles {
		w.checkAll(h)
	}
	w.verify()
	for len(w.handles) > 0 {
		w.close(w.handles[0])
	}
	w.checkAll(w.open(true))
	w.checkAll(w.open(false))
	for len(w.handles) > 0 {
		w.close(w.handles[0])
	}
	w.verify()
}

// byte is the next byte of the input, 0 behind its end.
func (w *opsWorld) byte() int {
	if len(w.in) == 0 {
		return 0
	}
	b := w.in[0]
	w.in = w.in[1:]
	return int(b)
}

// upTo is a number from 0 to n, of two bytes of the input.
func (w *opsWorld) upTo(n int) int { return (w.byte()<<8 | w.byte()) % (n + 1) }

// note keeps an operation for the report of a failure.
func (w *opsWorld) note(format string, args ...any) {
	w.history = append(w.history, fmt.Sprintf(format, args...))
}

// must fails the test where an operation does not go well.
func (w *opsWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// open has one more log open the store.
func (w *opsWorld) open(readOnly bool) *opsHandle {
	w.Helper()
	opts := w.opts
	opts.ReadOnly = readOnly
	l, err := engine.Open(context.Background(), w.dir, opts)
	w.must(err)
	engine.SetIndexSpan(l, w.span)
	h := &opsHandle{Log: l, name: fmt.Sprintf("log %d", len(w.history)), readOnly: readOnly}
	w.note("%s opens, read-only %v", h.name, readOnly)
	w.handles = append(w.handles, h)
	return h
}

// close closes a log, and what was read through it.
func (w *opsWorld) close(h *opsHandle) {
	w.Helper()
	w.note("%s closes", h.name)
	for _, r := range h.readers {
		r.Close()
	}
	for _, c := range w.model.cursors {
		if c.by == h {
			w.must(c.held.Close())
			c.held, c.by = nil, nil
		}
	}
	w.must(h.Close())
	w.handles = slices.DeleteFunc(w.handles, func(other *opsHandle) bool { return other == h })
	if !h.readOnly && w.opts.Sync != engine.SyncNone {
		w.model.synced()
	}
}

// any is one of those who have the store open. There is one at least.
func (w *opsWorld) any() *opsHandle {
	if len(w.handles) == 0 {
		return w.open(w.byte()%4 == 0)
	}
	return w.handles[w.byte()%len(w.handles)]
}

// writer is one of those who may write.
func (w *opsWorld) writer() *opsHandle {
	var writers []*opsHandle
	for _, h := range w.handles {
		if !h.readOnly {
			writers = append(writers, h)
		}
	}
	if len(writers) == 0 {
		if len(w.handles) == opsHandles {
			w.close(w.handles[0])
		}
		return w.open(false)
	}
	return writers[w.byte()%len(writers)]
}

// opsTopics are the names that topics have.
var opsTopics = []string{"a", "orders", "caf\u00e9 100%", strings.Repeat("n", 255)}

func (w *opsWorld) topic() string { return opsTopics[w.byte()%len(opsTopics)] }

// opsValueMax is the largest value that the log takes.
const opsValueMax = 16 << 10

// record is the next one that is written to a topic: no value is there twice, but for the empty
// one, which takes a key's value away.
func (w *opsWorld) record() opsRecord {
	r := opsRecord{topic: w.topic()}
	if n := w.byte(); n%3 > 0 {
		r.key = fmt.Sprintf("k%d", n%9)
	}
	n := w.byte()
	if n > 200 {
		n = (n - 200) * 290
	}
	if w.spent += n; n == 0 || w.spent > opsBytesMax {
		return r
	}
	w.serial++
	r.value = fmt.Sprintf("%d.", w.serial)
	r.value += strings.Repeat(string(rune('a'+w.serial%26)), max(0, n-len(r.value)))
	return r
}

// stored takes an event into the model that the log has just acknowledged.
func (w *opsWorld) stored(e opsEvent, synced bool) {
	w.Helper()
	for {
		if _, err := os.Stat(segmentPath(w.dir, w.model.order+1)); err != nil {
			break
		}
		w.model.order++
		w.model.synced() // a segment is on the disk before the next one has a name
	}
	info, err := os.Stat(segmentPath(w.dir, w.model.order))
	w.must(err)
	e.order, e.end = w.model.order, info.Size()
	w.model.add(e)
	if synced || w.opts.Sync >= engine.SyncAlways {
		w.model.synced()
	}
	if w.torn != nil && !strings.Contains(lost(w, w.dir), string(w.torn)) {
		w.Fatalf("the %d bytes that a producer left are not kept", len(w.torn))
	}
	w.torn = nil
}

// An opsModel is what a log must show: all that happened to it, and what that comes to.
type opsModel struct {
	events  []opsEvent
	durable int // how many of them no power cut can take
	order   int // the number of the newest segment
	bare    bool
	topics  map[string]*opsTopic
	cursors map[string]*opsCursor
}

// An opsEvent is a block of the log: records, or what was done to a topic.
type opsEvent struct {
	records []opsRecord
	set     string // a topic that was made
	mode    uint32
	deleted string
	order   int   // of its segment
	end     int64 // behind it, in the segment
	bare    bool  // a block as Puro writes it: it has no time
}

type opsRecord struct {
	topic, key, value string
	time              time.Time // zero in a block of Puro's
}

// An opsTopic is a topic. One that is deleted keeps its next offset.
type opsTopic struct {
	exists    bool
	mode      uint32
	first     uint64 // offset of records[0]
	firstText uint64
	text      uint64
	records   []opsRecord
}

func (t *opsTopic) next() uint64 { return t.first + uint64(len(t.records)) }

// textAt is where a record begins in the plain text.
func (t *opsTopic) textAt(offset uint64) uint64 {
	at := t.firstText
	for _, r := range t.records[:offset-t.first] {
		at += uint64(len(r.value)) + 1
	}
	return at
}

func (m *opsModel) reset() {
	m.topics, m.bare = make(map[string]*opsTopic), false
	if m.cursors == nil {
		m.cursors = make(map[string]*opsCursor)
	}
}

// topic is the one of that name, if it ever was.
func (m *opsModel) topic(name string) *opsTopic {
	if t := m.topics[name]; t != nil {
		return t
	}
	return &opsTopic{}
}

func (m *opsModel) synced() { m.durable = len(m.events) }

// add has one more block come.
func (m *opsModel) add(e opsEvent) {
	m.events = append(m.events, e)
	m.bare = m.bare || e.bare
	get := func(name string) *opsTopic {
		if m.topics[name] == nil {
			m.topics[name] = &opsTopic{mode: 0o700} // that of the store's directory
		}
		return m.topics[name]
	}
	for _, r := range e.records {
		t := get(r.topic)
		t.exists = true
		t.records = append(t.records, r)
		t.text += uint64(len(r.value)) + 1
	}
	if e.set != "" {
		t := get(e.set)
		t.exists, t.mode = true, e.mode
	}
	if e.deleted != "" {
		t := get(e.deleted)
		t.exists, t.first, t.firstText, t.records = false, t.next(), t.text, nil
	}
}

// lose has a power cut take all but so many blocks.
func (m *opsModel) lose(keep int) {
	events := m.events[:keep]
	m.events = nil
	m.reset()
	for _, e := range events {
		m.add(e)
	}
	m.synced() // who opens the store next sees to that
	for _, c := range m.cursors {
		c.powerCut(m.topic(c.topic).next())
	}
}
