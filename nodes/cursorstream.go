package nodes

import (
	"errors"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes/codec"
)

// A cursorStreamHandle is one open file stream of a cursor, of some format: a stream that begins at
// the cursor's position. A READ at an offset of the file says that all records that end at or
// before it are done. Nothing else does, for the end of a program that was killed looks like that
// of one that is done.
type cursorStreamHandle struct {
	hold   *cursorHold
	stream *streamHandle

	mu   sync.Mutex // orders the acknowledging part of the reads, guards what follows
	acks recordEnds
	held held // by acks
	// delivered is the file offset behind all that was read. Nothing behind it can be
	// acknowledged, so that whoever looks for the end of the file does not skip to it.
	delivered uint64
}

func (t *Tree) openCursorStream(n node, nonblock bool) (*cursorStreamHandle, error) {
	hold, err := t.holdCursor(n.topic, n.name)
	if err != nil {
		return nil, err
	}
	stream, err := t.openStreamAt(n.topic, n.format(), engine.AtOffset(hold.next), nonblock)
	if err != nil {
		hold.release()
		return nil, err
	}
	h := &cursorStreamHandle{hold: hold, stream: stream}
	h.held.by = h
	h.acks = recordEnds{
		log: t.log, topic: n.topic.name, text: codec.NewText(n.format()), next: hold.next,
	}
	if err := h.acks.begin(); err != nil {
		h.release()
		return nil, err
	}
	return h, nil
}

func (h *cursorStreamHandle) read(in *fuse.ReadIn, req ReadRequest) {
	if err := h.acknowledge(in); err != nil {
		h.hold.tree.refused(h.hold.topic.name, "read by a cursor", err)
		req.Fail(errnoOf(err))
		return
	}
	h.stream.read(in, req)
}

// acknowledge has the cursor moved as far as a READ says.
func (h *cursorStreamHandle) acknowledge(in *fuse.ReadIn) error {
	if err := h.hold.reading(in); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.noteHeld()
	last, gap := h.stream.readUpTo()
	h.delivered = max(h.delivered, last)
	if in.Offset > h.delivered {
		return errUnread
	}
	next, err := h.acks.before(in.Offset, gap)
	if err != nil {
		return err
	}
	err = h.hold.done(next)
	if errors.Is(err, engine.ErrNoTopic) {
		return nil // it was removed: the stream says so, by its end
	}
	return err
}

func (h *cursorStreamHandle) poll(in *PollIn) uint32 { return h.stream.poll(in) }

func (h *cursorStreamHandle) wakePoll() { h.stream.wakePoll() }

func (h *cursorStreamHandle) flush(lockOwner uint64) error { return h.hold.flush(lockOwner) }

func (h *cursorStreamHandle) errno(call string, err error) syscall.Errno {
	return h.hold.tree.errnoFor(h.hold.topic, call, err, h.stream.nonblock)
}

func (h *cursorStreamHandle) release() {
	h.stream.release()
	h.mu.Lock()
	h.giveBackAcks()
	h.mu.Unlock()
	h.hold.release()
}

// noteHeld takes note of what is held for acknowledging on. mu is held, as for giveBackAcks.
func (h *cursorStreamHandle) noteHeld() {
	h.hold.tree.held.note(&h.held, bytesHeld(h.acks.reader))
}

// giveBack implements holder.
func (h *cursorStreamHandle) giveBack() bool {
	if !h.mu.TryLock() {
		return false
	}
	defer h.mu.Unlock()
	h.giveBackAcks()
	return true
}

func (h *cursorStreamHandle) giveBackAcks() {
	h.acks.close()
	h.hold.tree.held.count(&h.held, 0)
}

// recordEnds tells which records end at or before a place of a file that begins with one of them.
// It goes over the records a second time, behind who reads them: what a program has read but not
// done may be more than there is room to remember.
type recordEnds struct {
	log   Log
	topic string
	text  *codec.Text

	reader Reader // nil until it is needed
	next   uint64 // the offset of the record at place
	place  uint64 // all before it was gone over
	size   uint64 // of the text of the record at place; 0 if it is not known
	// astray is set when records were lost that the program may have got before: nobody knows then
	// where the next ones are in the file, and none is acknowledged before it is opened again.
	astray bool
}

// begin finds the record that the file begins with, which is another one if that was lost.
func (e *recordEnds) begin() error {
	reader, err := e.log.OpenReader(e.topic, engine.AtOffset(e.next))
	if err != nil {
		return err
	}
	e.next = reader.Next()
	reader.Close()
	return nil
}

// before returns the offset of the first record that does not end at or before place. gap is the
// place of the last loss that the program was told of.
func (e *recordEnds) before(place, gap uint64) (uint64, error) {
	for e.place < place && !e.astray {
		if e.size == 0 {
			found, err := e.take(gap)
			if err != nil || !found {
				return e.next, err
			}
		}
		if e.size > place-e.place {
			break
		}
		e.place, e.next, e.size = e.place+e.size, e.next+1, 0
	}
	return e.next, nil
}

// take looks at the next record, and tells whether there is one. What was lost has no text, and
// nobody can be waited for to have done it.
func (e *recordEnds) take(gap uint64) (bool, error) {
	if e.reader == nil {
		reader, err := e.log.OpenReader(e.topic, engine.AtOffset(e.next))
		if err != nil {
			return false, err
		}
		e.reader = reader
	}
	record, err := e.reader.TryNext()
	for errors.Is(err, engine.ErrDamaged) {
		record, err = e.reader.TryNext()
	}
	switch {
	case errors.Is(err, engine.ErrNoRecord), errors.Is(err, engine.ErrNoTopic):
		return false, nil
	case err != nil:
		return false, err
	}
	if record.Offset > e.next && e.place != gap {
		e.astray = true
		return false, nil
	}
	e.text.Set(record.Offset, record.Time, record.Key, record.Value)
	e.next, e.size = record.Offset, e.text.Len()
	return true, nil
}

func (e *recordEnds) close() {
	if e.reader != nil {
		e.reader.Close()
		e.reader = nil
	}
}
