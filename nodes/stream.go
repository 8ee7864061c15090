package nodes

import (
	"errors"
	"math"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes/codec"
)

// splitReadBytes is the size from which on a READ may be a part of a larger read(2): the kernel
// asks for what a request can carry, and for the rest if it got all of that. Since the rest may
// have to be waited for, such a READ is never filled to its last byte.
const splitReadBytes = 64 << 10

// noGap is not the place of a loss in any file.
const noGap = math.MaxUint64

// A streamHandle is one open file stream or from/POSITION, of any format: the text of a topic from
// some place on, without an end. In the plain format byte 0 of the file is the byte at base of the
// topic's text; in the others the place is the business of formatted.
//
// A read returns what is there at once, and waits if that is nothing. Any earlier place can be read
// again. Bytes that are lost, to damage or to retention, are reported once (EIO, EPIPE); the file
// then goes on, at the same offset, with what comes after them.
type streamHandle struct {
	reading
	nonblock bool // O_NONBLOCK at open

	// What follows is guarded by mu.

	base uint64
	// from is where the file begins, until that record is there: then base is known, and from nil.
	from *engine.Position
	last uint64 // file offset behind the last byte that was read
	gap  uint64 // file offset at which a loss was told last: a record begins there; or noGap

	polled pollWatch
}

func (t *Tree) openStream(tp *topic, f codec.Format, nonblock bool) (*streamHandle, error) {
	info, err := t.info(tp)
	if err != nil {
		return nil, err
	}
	h := &streamHandle{nonblock: nonblock, base: info.FirstText, gap: noGap}
	h.init(t, tp, f, info.First)
	return h, nil
}

// A readResult is what a read of a stream has come to.
type readResult struct {
	n    int           // bytes in the request's buffer
	err  syscall.Errno // 0 if n counts
	wait bool          // there is nothing yet
	next uint64        // the offset of the record that is waited for
	// over is what the read comes to if Shutdown ends its wait; 0 is the end of the file.
	over syscall.Errno
}

func (r readResult) answer(req ReadRequest) {
	if r.err != 0 {
		req.Fail(r.err)
		return
	}
	req.Reply(r.n)
}

func (h *streamHandle) read(in *fuse.ReadIn, req ReadRequest) {
	h.tree.serve(h.topic, h.readAt, req, in.Offset, h.nonblock)
}

// readAt reads at an offset of the file. buffer is called only if there is something to read. Who
// was woken does not wait for a topic that is still not there: the log ended the watch for another
// reason.
func (h *streamHandle) readAt(buffer func() []byte, offset uint64, woken bool) readResult {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.noteHeld()
	info, err := h.tree.info(h.topic)
	switch {
	case errors.Is(err, errRemoved) || h.tree.waiters.over():
		return readResult{}
	case err != nil:
		return h.failed(err)
	case woken && !h.topic.seen.Load():
		return readResult{}
	}
	if next, known, err := h.resolve(&info); err != nil {
		return h.failed(err)
	} else if !known {
		return readResult{wait: true, next: next}
	}
	if h.formatted != nil {
		return h.readFormatted(buffer, offset, &info)
	}
	place := h.base + offset
	switch {
	case place > info.NextText || place < h.base:
		return readResult{err: errnoOf(errBeyondEnd)}
	case place < info.FirstText:
		h.base += info.FirstText - place
		return h.lost(offset, errOvertaken)
	case place == info.NextText:
		h.text.rest()
		return readResult{wait: true, next: info.Next}
	}
	return h.fill(buffer(), offset, place, &info)
}

// readFormatted is the rest of readAt in the formats besides the plain one.
func (h *streamHandle) readFormatted(
	buffer func() []byte, offset uint64, info *engine.TopicInfo,
) readResult {
	room := func() []byte { return unsplit(buffer()) }
	n, err := h.formatted.read(room, offset, true, info)
	switch {
	case n > 0:
		h.last = offset + uint64(n)
		return readResult{n: n}
	case err == nil:
		h.formatted.rest()
		return readResult{wait: true, next: h.formatted.at.record}
	case errors.Is(err, errBeyondEnd):
		return readResult{err: errnoOf(err)}
	case errors.Is(err, engine.ErrNoTopic):
		return readResult{}
	}
	return h.lost(offset, err)
}

// unsplit is the part of the room for a read that may be filled.
func unsplit(buf []byte) []byte {
	if len(buf) >= splitReadBytes {
		return buf[:len(buf)-1]
	}
	return buf
}

// fill reads what is there at a place before the end of the text.
func (h *streamHandle) fill(buf []byte, offset, place uint64, info *engine.TopicInfo) readResult {
	n, err := h.text.read(unsplit(buf), place, true)
	switch {
	case err == nil && n > 0:
		h.last = offset + uint64(n)
		return readResult{n: n}
	case err == nil:
		// What was lost at the very end: the text goes on behind it.
		err = errLost
		h.base += info.NextText - place
	case errors.Is(err, engine.ErrNoTopic):
		return readResult{} // removed just now
	default:
		h.base += h.text.sound(place) - place
	}
	return h.lost(offset, err)
}

// lost is failed at an offset of the file, where the text goes on with the record behind a loss.
func (h *streamHandle) lost(offset uint64, err error) readResult {
	h.gap = offset
	return h.failed(err)
}

func (h *streamHandle) failed(err error) readResult {
	h.tree.refused(h.topic.name, "read of stream", err)
	return readResult{err: errnoOf(err)}
}

func (h *streamHandle) release() {
	h.polled.stop()
	h.close()
}

// readUpTo returns the file offset behind what the last read got, and that of the last loss.
func (h *streamHandle) readUpTo() (last, gap uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last, h.gap
}

// readable tells whether a read where the last one ended would return at once. next is the offset
// of the record with which there is more to read.
func (h *streamHandle) readable() (next uint64, ready bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.noteHeld()
	info, err := h.tree.info(h.topic)
	switch {
	case err != nil || h.tree.waiters.over():
		return noRecord, true // an error and the end of the file can be read
	case !h.topic.seen.Load() && h.polled.woken():
		return noRecord, true // see readAt: so can the end of the wait for a topic
	}
	next, known, err := h.resolve(&info)
	switch {
	case err != nil:
		return noRecord, true
	case !known:
		return next, false
	case h.formatted != nil:
		return h.formatted.readable(h.last, &info)
	}
	return info.Next, h.base+h.last != info.NextText
}

func (h *streamHandle) poll(in *PollIn) uint32 {
	next, ready := h.readable()
	return h.polled.poll(h.tree, h.topic, in, next, ready)
}

func (h *streamHandle) wakePoll() { h.polled.wake() }
