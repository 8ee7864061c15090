package engine_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"

	"purofs/engine"
)

// An opsCursor is a cursor that somebody made.
type opsCursor struct {
	topic, name string
	next        uint64 // that was committed last
	// After a power cut it may stand before that, but not behind what was left of the topic: records
	// that were lost were done, those that came in their place are not.
	crashed bool
	left    uint64

	held *engine.Cursor // nil if nobody has it
	by   *opsHandle
}

func (c *opsCursor) powerCut(left uint64) {
	if !c.crashed {
		c.crashed, c.left = true, math.MaxUint64
	}
	c.left = min(c.left, left)
}

// opsCursors are the names of cursors.
var opsCursors = []string{"c", "d 100%"}

// cursor makes a cursor, takes it, gives it back, or removes it.
func (w *opsWorld) cursor() {
	h, topic, name := w.writer(), w.topic(), opsCursors[w.byte()%len(opsCursors)]
	key := topic + "/" + name
	t, c := w.model.topic(topic), w.model.cursors[key]
	switch n := w.byte(); {
	case c == nil || !t.exists:
		w.makeCursor(h, topic, name)
	case c.by != nil && n%2 == 0:
		w.note("cursor %.9q/%s is given back", topic, name)
		w.must(c.held.Close())
		c.held, c.by = nil, nil
	case c.by != nil:
		w.note("%s asks for cursor %.9q/%s, which is held", h.name, topic, name)
		_, err := h.OpenCursor(topic, name)
		removed := h.RemoveCursor(topic, name)
		if !errors.Is(err, engine.ErrCursorHeld) || !errors.Is(removed, engine.ErrCursorHeld) {
			w.Fatalf("got %v, %v, want ErrCursorHeld", err, removed)
		}
	case n%8 == 0:
		w.note("%s removes cursor %.9q/%s", h.name, topic, name)
		w.must(h.RemoveCursor(topic, name))
		delete(w.model.cursors, key)
	default:
		w.takeCursor(h, c)
	}
}

func (w *opsWorld) makeCursor(h *opsHandle, topic, name string) {
	w.note("%s makes cursor %.9q/%s", h.name, topic, name)
	err := h.CreateCursor(context.Background(), topic, name)
	if !w.model.topic(topic).exists {
		if !errors.Is(err, engine.ErrNoTopic) {
			w.Fatalf("got %v, want ErrNoTopic", err)
		}
		return
	}
	w.must(err)
	w.model.cursors[topic+"/"+name] = &opsCursor{topic: topic, name: name}
}

func (w *opsWorld) takeCursor(h *opsHandle, c *opsCursor) {
	w.note("%s takes cursor %.9q/%s, of %d", h.name, c.topic, c.name, c.next)
	held, err := h.OpenCursor(c.topic, c.name)
	w.must(err)
	c.held, c.by = held, h
	w.settled()
	w.checkPosition(held.Next(), c)
	if got := held.Next(); got != max(c.next, w.model.topic(c.topic).first) {
		c.next = got // it has gone back, and from now on it is known again where it stands
		h.troubles++
	}
	c.crashed = false
}

// checkCursor compares a cursor's position, as everybody can see it.
func (w *opsWorld) checkCursor(h *opsHandle, c *opsCursor) {
	w.Helper()
	got, err := h.CursorPosition(c.topic, c.name)
	if !w.model.topic(c.topic).exists {
		if !errors.Is(err, engine.ErrNoTopic) {
			w.Fatalf("cursor %.9q/%s: got %v, want ErrNoTopic", c.topic, c.name, err)
		}
		return
	}
	w.must(err)
	w.checkPosition(got, c)
}

// checkPosition compares a position with what was committed, and with what a power cut has taken
// since.
func (w *opsWorld) checkPosition(got uint64, c *opsCursor) {
	w.Helper()
	t := w.model.topic(c.topic)
	least, most := max(c.next, t.first), max(c.next, t.first)
	if c.crashed {
		most = max(min(c.next, c.left), t.first)
		least = t.first
		if before := most - 1; most == max(c.next, t.first) && most > t.first && before < t.next() &&
			!t.records[before-t.first].time.IsZero() {
			least = most // nothing that it has passed was lost, and that can be told
		}
	}
	if got < least || got > most {
		w.Fatalf("cursor %.9q/%s stands at %d, want %d to %d: %d was committed, the topic has %d to %d, "+
			"and after the crash it had up to %d", c.topic, c.name, got, least, most, c.next, t.first,
			t.next(), c.left)
	}
}

// taken is a cursor that somebody holds, or takes now; nil if there is none of a topic that exists.
func (w *opsWorld) taken() *opsCursor {
	var all []*opsCursor
	for _, key := range slices.Sorted(maps.Keys(w.model.cursors)) {
		if c := w.model.cursors[key]; w.model.topic(c.topic).exists {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil
	}
	c := all[w.byte()%len(all)]
	if c.by == nil {
		w.takeCursor(w.writer(), c)
	}
	return c
}

// commit moves a cursor to any record of its topic, or beyond the end, which is refused.
func (w *opsWorld) commit() {
	c := w.taken()
	if c == nil {
		return
	}
	t := w.model.topic(c.topic)
	next := t.first + uint64(w.upTo(len(t.records)+1))
	w.note("cursor %.9q/%s moves to %d", c.topic, c.name, next)
	err := c.held.Commit(next)
	if next > t.next() {
		if !errors.Is(err, engine.ErrPosition) {
			w.Fatalf("got %v, want ErrPosition", err)
		}
		return
	}
	w.must(err)
	w.settled()
	if next != max(c.next, t.first) { // where it stood already nothing is written
		c.next = next
	}
	if got := c.held.Next(); got != next {
		w.Fatalf("got position %d, want %d", got, next)
	}
}

// settled notes that a position was written, for which the log may have been synced.
func (w *opsWorld) settled() {
	if w.opts.Sync != engine.SyncNone {
		w.model.synced()
	}
}

func (w *opsWorld) syncCursor() {
	if c := w.taken(); c != nil {
		w.note("cursor %.9q/%s syncs", c.topic, c.name)
		w.must(c.held.Sync(context.Background()))
		w.model.synced()
	}
}
