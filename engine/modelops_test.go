package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"purofs/engine"
	"purofs/engine/format"
)

// ops are the operations of FuzzOpsVsModel, some of them more often than others. An input names one
// by its number, so a new one goes to the end.
var ops = []func(w *opsWorld){
	(*opsWorld).append, (*opsWorld).append, (*opsWorld).append, (*opsWorld).append,
	(*opsWorld).append, (*opsWorld).refuse, (*opsWorld).setTopic, (*opsWorld).deleteTopic,
	(*opsWorld).openOrClose, (*opsWorld).sync, (*opsWorld).openReader, (*opsWorld).read,
	(*opsWorld).read, (*opsWorld).lines, (*opsWorld).readOne, (*opsWorld).cursor,
	(*opsWorld).commit, (*opsWorld).commit, (*opsWorld).syncCursor, (*opsWorld).tear,
	(*opsWorld).kill, (*opsWorld).cutPower, (*opsWorld).verify, (*opsWorld).repair,
	(*opsWorld).appendBare, (*opsWorld).forget, (*opsWorld).check,
}

// append appends a batch.
func (w *opsWorld) append() {
	h, flags := w.writer(), w.byte()
	b := engine.Batch{Sync: flags%8 == 0, NoWait: flags%3 == 0}
	var e opsEvent
	var offsets []uint64
	next := make(map[string]uint64)
	for range 1 + flags>>3%12 {
		r := w.record()
		cut := len(r.value) / 2
		b.Add(r.topic, []byte(r.key), []byte(r.value[:cut]), []byte(r.value[cut:]))
		if _, known := next[r.topic]; !known {
			next[r.topic] = w.model.topic(r.topic).next()
		}
		offsets = append(offsets, next[r.topic])
		next[r.topic]++
		e.records = append(e.records, r)
	}
	w.note("%s appends %d records, the first to %.9q with key %q and %d bytes, sync %v", h.name,
		b.Len(), e.records[0].topic, e.records[0].key, len(e.records[0].value), b.Sync)
	w.must(h.Append(context.Background(), &b))
	for i, want := range offsets {
		e.records[i].time = b.Time()
		if got := b.Offset(i); got != want {
			w.Fatalf("record %d of the batch, of topic %.9q, got offset %d, want %d", i, e.records[i].topic,
				got, want)
		}
	}
	w.stored(e, b.Sync)
	w.checkInfo(w.any(), e.records[0].topic)
}

// refuse appends what cannot be stored; nothing of it is.
func (w *opsWorld) refuse() {
	h := w.any()
	var b engine.Batch
	want := engine.ErrEmptyBatch
	if kind := w.byte() % 4; kind > 0 {
		r := w.record()
		b.Add(r.topic, []byte(r.key), []byte(r.value))
		switch kind {
		case 1:
			b.Add([]string{"", "a/b", "\x01", ".puro", r.topic + "\x00"}[w.byte()%5], nil)
			want = engine.ErrInvalidTopic
		case 2:
			b.Add(r.topic, nil, make([]byte, opsValueMax+1))
			want = engine.ErrTooLarge
		case 3:
			b.Add("never seen", make([]byte, format.KeyBytesMax+1), []byte("x"))
			want = engine.ErrTooLarge
		}
	}
	if h.readOnly {
		want = engine.ErrReadOnly
	}
	w.note("%s is asked for what it refuses: %v", h.name, want)
	if err := h.Append(context.Background(), &b); !errors.Is(err, want) {
		w.Fatalf("got %v, want %v", err, want)
	}
}

func (w *opsWorld) setTopic() {
	h, name, mode := w.writer(), w.topic(), uint32(w.upTo(0o777))
	w.note("%s makes topic %.9q, mode %o", h.name, name, mode)
	w.must(h.SetTopic(context.Background(), name, engine.TopicAttr{Mode: mode}))
	w.stored(opsEvent{set: name, mode: mode}, false)
	w.checkInfo(w.any(), name)
}

// deleteTopic deletes a topic. Whoever reads it is done with it.
func (w *opsWorld) deleteTopic() {
	h, name := w.writer(), w.topic()
	w.note("%s deletes topic %.9q", h.name, name)
	err := h.DeleteTopic(context.Background(), name)
	if !w.model.topic(name).exists {
		if !errors.Is(err, engine.ErrNoTopic) {
			w.Fatalf("got %v, want ErrNoTopic", err)
		}
		return
	}
	w.must(err)
	w.stored(opsEvent{deleted: name}, false)
	for _, h := range w.handles {
		h.readers = slices.DeleteFunc(h.readers, func(r *opsReader) bool {
			if r.topic == name {
				r.Close()
			}
			return r.topic == name
		})
	}
	for _, c := range w.model.cursors {
		if c.topic == name && c.by != nil {
			w.must(c.held.Close())
			c.held, c.by = nil, nil
		}
	}
	w.checkInfo(w.any(), name)
}

func (w *opsWorld) openOrClose() {
	if n := w.byte(); len(w.handles) == opsHandles || len(w.handles) > 0 && n%2 == 0 {
		w.close(w.any())
	} else {
		w.open(n%8 == 1)
	}
}

func (w *opsWorld) sync() {
	h := w.writer()
	w.note("%s syncs", h.name)
	w.must(h.Sync(context.Background()))
	w.model.synced()
}

// tear leaves what a producer leaves that dies while it appends: a block up to some byte, with a
// low signal, or of which only the size got anywhere. It is never shown.
func (w *opsWorld) tear() {
	if w.torn != nil {
		return
	}
	block := bareBlock(w.topic(), "never", strings.Repeat("seen", w.byte()))
	switch kind := w.byte() % 3; kind {
	case 0:
		block = block[:1+w.upTo(len(block)-2)]
	case 1:
		block[format.SignalOffset] = 0
		block = block[:1+w.upTo(len(block)-1)]
	case 2:
		clear(block)
	}
	w.note("a producer dies and leaves %d bytes", len(block))
	appendRaw(w, segmentPath(w.dir, w.model.order), block)
	w.torn = block
}

// appendBare has Puro append a block, which has no header.
func (w *opsWorld) appendBare() {
	if w.torn != nil {
		return // Puro would not know what to do
	}
	topic, n := w.topic(), w.byte()
	var values []string
	e := opsEvent{bare: true}
	for i := range 1 + n%3 {
		w.serial++
		v := strings.Repeat(fmt.Sprintf("puro %d ", w.serial), i*n)
		values = append(values, v)
		e.records = append(e.records, opsRecord{topic: topic, value: v})
	}
	w.note("Puro appends %d records to %.9q", len(values), topic)
	appendRaw(w, segmentPath(w.dir, w.model.order), bareBlock(topic, values...))
	if w.opts.Sync >= engine.SyncAlways {
		w.must(w.writer().Sync(context.Background())) // or it were done in the background, some time
	}
	w.stored(e, false)
	w.checkInfo(w.any(), topic)
}

// move has the store be at another place, as it is now, for those who come next. The logs of before
// are left where they are.
func (w *opsWorld) move() {
	w.crashes++
	old := w.dir
	w.dir = filepath.Join(w.work, fmt.Sprintf("store%d", w.crashes))
	for {
		err := os.CopyFS(w.dir, os.DirFS(old))
		if !errors.Is(err, fs.ErrNotExist) {
			w.must(err)
			break
		}
		w.must(os.RemoveAll(w.dir)) // a log was finishing a checkpoint, under another name
	}
	// The mode of the directory is that of topics that nobody made.
	w.must(os.Chmod(w.dir, 0o700))
	durable := w.model.durable
	for len(w.handles) > 0 {
		w.close(w.handles[0])
	}
	w.model.durable = durable // that was synced in the old place, and later
	w.must(os.RemoveAll(old))
}

// kill has all processes die at once, with what they had open: all that the kernel had stays.
func (w *opsWorld) kill() {
	w.note("all are killed")
	w.move()
}

// cutPower has the machine crash: of the blocks that no sync has reached a part is lost, and what
// remains has to be a prefix.
func (w *opsWorld) cutPower() {
	w.move()
	m := &w.model
	keep := m.durable + w.upTo(len(m.events)-m.durable)
	w.note("the power is cut: of %d blocks, %d of them durable, %d remain", len(m.events), m.durable,
		keep)
	if keep < len(m.events) {
		w.cut = true
		w.lose(keep)
	}
	crash := func(c *format.Checkpoint) { c.BootID = [16]byte{0xee} }
	writeFile(w, filepath.Join(w.dir, "checkpoint"), checkpointOf(w.T, w.dir, crash))
	files, err := filepath.Glob(filepath.Join(w.dir, "cursors", "*", "*"))
	w.must(err)
	for _, file := range files {
		reboot(w.T, file, func(slot *format.CursorSlot) { slot.BootID = [16]byte{0xee} })
	}
	m.lose(keep)
	w.torn = nil
	w.open(false) // until then it is shown as it lies on the disk, see N16
}

// lose spoils the block behind those that remain: it is cut, or zeros from some byte on, with all
// that follows, or has one wrong bit, whatever follows.
func (w *opsWorld) lose(keep int) {
	name := segmentPath(w.dir, w.model.order)
	b := readFile(w, name)
	e := w.model.events[keep]
	from, end := len(format.Magic), int(e.end)
	if keep > 0 && w.model.events[keep-1].order == w.model.order {
		from = int(w.model.events[keep-1].end)
	} else if e.bare {
		from = 0 // Puro begins a segment without a magic
	}
	at := from + w.upTo(end-format.EndBytes-from)
	switch kind := w.byte() % 3; {
	case kind == 0:
		b = b[:at]
	case kind == 1 || e.bare: // whose checks a wrong bit may pass
		clear(b[at:])
	default:
		b[at] ^= 1 << (w.byte() % 8)
	}
	writeFile(w, name, b)
}

// forget removes, while nobody has the store open, what may be removed from it.
func (w *opsWorld) forget() {
	for len(w.handles) > 0 {
		w.close(w.handles[0])
	}
	what := []string{"checkpoint", "index", "lost"}[w.byte()%3]
	w.note("%s is removed", what)
	w.must(os.RemoveAll(filepath.Join(w.dir, what)))
	w.open(false)
	if what == "checkpoint" {
		w.model.synced() // all that was found without one is made durable
	}
}

// repair looks for what there is to repair, and does it: nothing but a torn end, and indexes of
// blocks that a power cut took.
func (w *opsWorld) repair() {
	w.note("a repair")
	report, err := engine.Repair(context.Background(), w.dir, w.opts, nil)
	w.must(err)
	steps := slices.DeleteFunc(report.Steps, func(s engine.RepairStep) bool {
		return w.cut && strings.HasPrefix(s.File, "index/")
	})
	if torn := w.torn != nil; len(steps) > 0 != torn {
		w.Fatalf("the end is torn: %v, and a repair did %+v", torn, steps)
	}
	w.torn = nil
}

// verify checks the store as it is.
func (w *opsWorld) verify() {
	w.note("a verify")
	tail := "clean"
	if w.torn != nil {
		tail = "torn"
	}
	report := verify(w, w.dir, tail)
	if w.Failed() {
		w.FailNow()
	}
	if report.Cursors != len(w.model.cursors) {
		w.Fatalf("verify found %d cursors, want %d", report.Cursors, len(w.model.cursors))
	}
}

// check compares all that one log shows with the model.
func (w *opsWorld) check() {
	h := w.any()
	w.note("%s is checked", h.name)
	w.checkAll(h)
}
