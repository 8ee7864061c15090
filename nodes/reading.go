package nodes

import (
	"sync"

	"purofs/nodes/codec"
)

// A reading is the part of an open log or stream that makes its text.
type reading struct {
	tree  *Tree
	topic *topic

	mu        sync.Mutex // orders the reads, guards what follows
	text      textReader
	formatted *formatReader // nil in the plain format
	held      held
}

// init has it read a topic in a format, from the record with the offset first on.
func (r *reading) init(t *Tree, tp *topic, f codec.Format, first uint64) {
	r.tree, r.topic = t, tp
	r.text = textReader{log: t.log, topic: tp.name}
	r.held.by = r
	if f != codec.Plain {
		r.formatted = newFormatReader(t.log, tp, f, first)
	}
}

// noteHeld takes note of what is held for reading on. mu is held, as for rest.
func (r *reading) noteHeld() {
	bytes := bytesHeld(r.text.reader)
	if r.formatted != nil {
		bytes += bytesHeld(r.formatted.reader)
	}
	r.tree.held.note(&r.held, bytes)
}

func bytesHeld(reader Reader) int {
	if reader == nil {
		return 0
	}
	return reader.Held()
}

// rest gives back what is held for reading on.
func (r *reading) rest() {
	r.text.rest()
	if r.formatted != nil {
		r.formatted.rest()
	}
}

// giveBack implements holder.
func (r *reading) giveBack() bool {
	if !r.mu.TryLock() {
		return false
	}
	defer r.mu.Unlock()
	r.rest()
	r.tree.held.count(&r.held, 0)
	return true
}

// close gives everything back.
func (r *reading) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.close()
	if r.formatted != nil {
		r.formatted.close()
	}
	r.tree.held.count(&r.held, 0)
}
