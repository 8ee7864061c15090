package oracle

import (
	"bytes"
	"fmt"
	"time"

	"purofs/engine"
)

// A checker compares the records of a log with the books.
type checker struct {
	books     *Books
	opts      Options
	report    *Report
	producers map[string]*producerCheck
}

// A producerCheck is what was found of a producer.
type producerCheck struct {
	*book
	gen   *generator
	found []int    // of each append, how many records
	seen  []uint64 // of each record a bit
}

func newChecker(books *Books, opts Options) *checker {
	c := &checker{
		books: books, opts: opts,
		report:    &Report{Producers: len(books.books)},
		producers: make(map[string]*producerCheck, len(books.books)),
	}
	for name, b := range books.books {
		c.producers[name] = &producerCheck{
			book: b, gen: newGenerator(b.plan),
			found: make([]int, len(b.batches)), seen: make([]uint64, b.next()/64+1),
		}
		c.report.Appends += len(b.batches)
	}
	return c
}

// A walk goes through the records of one topic.
type walk struct {
	*checker
	name string
	next uint64   // offset
	sums []uint64 // sums[n] is over the records before offset n
	time time.Time
	last map[*producerCheck]place
}

// A place is that of a record of some producer in a topic.
type place struct {
	offset, seq uint64
	append      int // its index
}

func (c *checker) walk(topic string) *walk {
	return &walk{checker: c, name: topic, sums: []uint64{0}, last: make(map[*producerCheck]place)}
}

// record checks the next record.
func (w *walk) record(r *engine.Record) {
	if r.Offset != w.next {
		w.report.violated(Order, "topic %s: offset %d follows on %d", w.name, r.Offset, int64(w.next)-1)
	}
	if r.Time.Before(w.time) {
		w.report.violated(Order, "topic %s: the time of record %d is before that of the one before it",
			w.name, r.Offset)
	}
	w.next, w.time = r.Offset+1, r.Time
	for uint64(len(w.sums)) <= r.Offset {
		w.sums = append(w.sums, w.sums[len(w.sums)-1])
	}
	w.sums = append(w.sums[:r.Offset+1], w.sums[r.Offset]+recordSum(r.Offset, r.Key, r.Value))
	w.report.Records++
	w.report.Bytes += uint64(len(r.Key) + len(r.Value))
	w.identify(r)
}

// identify finds out whose record it is, and compares it.
func (w *walk) identify(r *engine.Record) {
	name, seq, ok := parseName(r.Key, r.Value)
	p := w.producers[name]
	if !ok || p == nil {
		w.report.violated(Phantom, "%s is of no producer: key %.60q, value %.60q",
			w.at(r.Offset), r.Key, r.Value)
		return
	}
	index := p.batch(seq)
	if index < 0 {
		w.report.violated(Phantom, "%s is %s %d, which was never intended: %s has no such entry",
			w.at(r.Offset), name, seq, p.path)
		return
	}
	p.gen.reset()
	want := p.gen.record(seq)
	if !bytes.Equal(r.Key, want.Key) || !bytes.Equal(r.Value, want.Value) {
		w.report.violated(Torn, "%s is %s %d: %s", w.at(r.Offset), name, seq, difference(r, &want))
		return
	}
	if want.Topic != w.name {
		w.report.violated(Phantom, "%s is %s %d, which belongs to topic %s",
			w.at(r.Offset), name, seq, want.Topic)
		return
	}
	w.place(p, index, place{r.Offset, seq, index}, name)
}

// place checks where a record stands that is what its producer wrote.
func (w *walk) place(p *producerCheck, index int, here place, name string) {
	b := &p.batches[index]
	if b.state == stateRefused {
		w.report.violated(Phantom, "%s is %s %d, whose append was refused",
			w.at(here.offset), name, here.seq)
	}
	if here.seq == b.first && b.offset >= 0 && uint64(b.offset) != here.offset {
		w.report.violated(Order, "%s is %s %d, which was acknowledged at offset %d",
			w.at(here.offset), name, here.seq, b.offset)
	}
	last, before := w.last[p]
	if p.seen[here.seq/64]&(1<<(here.seq%64)) != 0 {
		w.report.violated(Doubled, "%s is %s %d, which stands before it already",
			w.at(here.offset), name, here.seq)
		return
	}
	p.seen[here.seq/64] |= 1 << (here.seq % 64)
	p.found[index]++
	if before && here.seq < last.seq {
		w.report.violated(Order, "%s is %s %d, which follows on %d at offset %d",
			w.at(here.offset), name, here.seq, last.seq, last.offset)
	}
	if before && last.append == index && here.offset != last.offset+1 {
		w.report.violated(Block, "%s is %s %d, of the same append as %d at offset %d",
			w.at(here.offset), name, here.seq, last.seq, last.offset)
	}
	w.last[p] = here
}

func (w *walk) at(offset uint64) string {
	return fmt.Sprintf("record %d of topic %s", offset, w.name)
}

// difference tells where a record is not what it should be.
func difference(got *engine.Record, want *Record) string {
	g, s, part := got.Value, want.Value, "value"
	if !bytes.Equal(got.Key, want.Key) {
		g, s, part = got.Key, want.Key, "key"
	}
	at := 0
	for at < min(len(g), len(s)) && g[at] == s[at] {
		at++
	}
	return fmt.Sprintf("its %s has %d bytes, want %d, and differs from byte %d on: %.40q, want %.40q",
		part, len(g), len(s), at, g[at:], s[at:])
}

// finish compares what consumers saw with the topic.
func (w *walk) finish(consumers []string) error {
	for _, path := range consumers {
		topic, first, seen, err := parseConsumer(path)
		if err != nil {
			return err
		}
		if topic != w.name {
			continue
		}
		from := first
		for _, s := range seen {
			w.report.Sightings++
			if s.next >= uint64(len(w.sums)) {
				w.report.violated(Order, "%s saw %d records of topic %s, of which there are %d",
					path, s.next, w.name, len(w.sums)-1)
				break
			}
			if s.sum != w.sums[s.next]-w.sums[first] {
				w.report.violated(Order, "%s saw others, or another order, from %d to %d of topic %s",
					path, from, s.next, w.name)
				break
			}
			from = s.next
		}
	}
	return nil
}

// finish looks at what is missing.
func (c *checker) finish() {
	for name, p := range c.producers {
		hole := -1
		for i := range p.batches {
			b := &p.batches[i]
			if i > 0 && b.life != p.batches[i-1].life {
				hole = -1
			}
			c.batch(name, p, i, hole)
			if p.found[i] == 0 && b.state >= stateAcked {
				hole = i
			}
		}
	}
}

// batch looks at an append, of which all or nothing has to be there. hole is one before it that was
// acknowledged and is not there, or -1.
func (c *checker) batch(name string, p *producerCheck, index, hole int) {
	b, found := &p.batches[index], p.found[index]
	last := b.first + uint64(b.count) - 1
	if c.counts(b) {
		c.report.Acknowledged += uint64(b.count)
		if found < b.count {
			c.report.violated(Lost, "%s %d to %d were acknowledged, %d of them are there (%s)",
				name, b.first, last, found, p.path)
		}
	}
	if b.state == stateUnknown {
		c.report.Unknown += uint64(found)
	}
	if found > 0 && found < b.count {
		c.report.violated(Block, "%s %d to %d were one append, %d of them are there (%s)",
			name, b.first, last, found, p.path)
	}
	if found > 0 && hole >= 0 && !c.opts.Holes {
		c.report.violated(Lost, "%s %d is there, though %d, acknowledged before it, is not (%s)",
			name, b.first, p.batches[hole].first, p.path)
	}
}

// counts tells whether an append has to be there.
func (c *checker) counts(b *batch) bool {
	switch c.opts.Acks {
	case AcksAll:
		return b.state >= stateAcked
	case AcksSynced:
		return b.state == stateSynced
	default:
		return false
	}
}
