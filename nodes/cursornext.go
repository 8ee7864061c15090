package nodes

import (
	"errors"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes/codec"
)

// A nextHandle is one open file next of a cursor: the record at its position, in the plain format,
// and then the end of the file. The READ that gets the end says that the record is done.
type nextHandle struct {
	hold     *cursorHold
	nonblock bool // O_NONBLOCK at open

	mu     sync.Mutex // orders the reads, guards what follows
	reader Reader     // nil until it is needed, and once the record is known
	record *recordHandle
	offset uint64 // of the record, or of the one that is waited for
	size   uint64 // of its text
	got    uint64 // how much of that was read, from its beginning on

	polled pollWatch
}

func (t *Tree) openNext(n node, nonblock bool) (*nextHandle, error) {
	hold, err := t.holdCursor(n.topic, n.name)
	if err != nil {
		return nil, err
	}
	return &nextHandle{hold: hold, nonblock: nonblock, offset: hold.next}, nil
}

func (h *nextHandle) read(in *fuse.ReadIn, req ReadRequest) {
	if err := h.hold.reading(in); err != nil {
		result := h.failed(err)
		result.answer(req)
		return
	}
	h.hold.tree.serve(h.hold.topic, h.readAt, req, in.Offset, h.nonblock)
}

func (h *nextHandle) readAt(buffer func() []byte, offset uint64, woken bool) readResult {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.record == nil {
		if result, known := h.find(woken); !known {
			return result
		}
	}
	switch {
	case offset == h.size && h.got == h.size:
		if err := h.hold.done(h.offset + 1); err != nil && !errors.Is(err, engine.ErrNoTopic) {
			return h.failed(err)
		}
		return readResult{}
	case offset >= h.size:
		return readResult{}
	}
	return h.copy(unsplit(buffer()), offset)
}

// copy copies a part of the record's text: its value and a newline.
func (h *nextHandle) copy(buf []byte, place uint64) readResult {
	n, err := 0, error(nil)
	if place < h.size-1 {
		if n, err = h.record.readAt(buf, place); err != nil {
			return h.failed(err)
		}
	}
	if n < len(buf) && place+uint64(n) == h.size-1 {
		buf[n] = '\n'
		n++
	}
	if place <= h.got {
		h.got = max(h.got, place+uint64(n))
	}
	return readResult{n: n}
}

// find looks for the record, and tells whether it is there; if not, what the read has come to.
// mu is held, as below.
func (h *nextHandle) find(woken bool) (readResult, bool) {
	t := h.hold.tree
	// A wait that came to nothing is an error: the end of the file would look like an empty record.
	over := errnoOf(errShutDown)
	if t.waiters.over() {
		return readResult{err: over}, false
	}
	if _, err := t.info(h.hold.topic); err != nil {
		return h.failed(err), false
	}
	record, err := h.tryNext()
	switch {
	case errors.Is(err, engine.ErrNoRecord):
		return readResult{wait: true, next: h.offset, over: over}, false
	case errors.Is(err, engine.ErrNoTopic):
		return h.failed(errRemoved), false
	case err != nil:
		return h.failed(err), false // damage, once: the next read gets what is behind it
	}
	h.offset, h.size = record.Offset, codec.LineBytes(record.Value)
	h.record = &recordHandle{tree: t, topic: h.hold.topic, offset: h.offset}
	h.reader.Close()
	h.reader = nil
	return readResult{}, true
}

func (h *nextHandle) tryNext() (*engine.Record, error) {
	if h.reader == nil {
		reader, err := h.hold.tree.log.OpenReader(h.hold.topic.name, engine.AtOffset(h.offset))
		if err != nil {
			return nil, err
		}
		h.reader = reader
	}
	return h.reader.TryNext()
}

func (h *nextHandle) failed(err error) readResult {
	h.hold.tree.refused(h.hold.topic.name, "read of next", err)
	return readResult{err: errnoOf(err)}
}

func (h *nextHandle) poll(in *PollIn) uint32 {
	next, ready := h.readable()
	return h.polled.poll(h.hold.tree, h.hold.topic, in, next, ready)
}

// readable tells whether a read would return at once; if not, next is the offset of the record that
// it would wait for.
func (h *nextHandle) readable() (next uint64, ready bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.hold.tree
	if h.record != nil || t.waiters.over() {
		return noRecord, true
	}
	info, err := t.info(h.hold.topic)
	if err != nil || h.offset < info.Next {
		return noRecord, true
	}
	return h.offset, false
}

func (h *nextHandle) wakePoll() { h.polled.wake() }

func (h *nextHandle) flush(lockOwner uint64) error { return h.hold.flush(lockOwner) }

func (h *nextHandle) errno(call string, err error) syscall.Errno {
	return h.hold.tree.errnoFor(h.hold.topic, call, err, h.nonblock)
}

func (h *nextHandle) release() {
	h.polled.stop()
	h.mu.Lock()
	if h.reader != nil {
		h.reader.Close()
		h.reader = nil
	}
	if h.record != nil {
		h.record.release()
	}
	h.mu.Unlock()
	h.hold.release()
}
