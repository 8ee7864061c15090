package nodes

import (
	"errors"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes/codec"
)

// A logHandle is one open file log, of any format: the text of a topic, as a file that grows at its
// end. Byte 0 is the first byte of the oldest record there is, so its size and its bytes agree at
// every moment. In the formats besides the plain one it stays that of the oldest record when the
// file was opened.
//
// In the plain format bytes that were lost to damage keep their places, so all others keep theirs:
// a read there is EIO, as at a bad sector of a disk, and a read behind them is not. In the others
// see formatReader.
type logHandle struct{ reading }

func (t *Tree) openLog(tp *topic, f codec.Format) (*logHandle, error) {
	info, err := t.info(tp)
	if err != nil {
		return nil, err
	}
	h := new(logHandle)
	h.init(t, tp, f, info.First)
	return h, nil
}

func (h *logHandle) read(in *fuse.ReadIn, req ReadRequest) {
	n, err := h.readAt(req.Buffer, in.Offset)
	if err != nil {
		h.tree.refused(h.topic.name, "read of log", err)
		req.Fail(errnoOf(err))
		return
	}
	req.Reply(n)
}

func (h *logHandle) readAt(buffer func() []byte, offset uint64) (int, error) {
	info, err := h.tree.info(h.topic)
	switch {
	case errors.Is(err, errRemoved):
		return 0, nil
	case err != nil:
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.noteHeld()
	n := 0
	switch {
	case h.formatted != nil:
		n, err = h.formatted.read(buffer, offset, false, &info)
	case offset < info.NextText-info.FirstText:
		n, err = h.text.read(buffer(), info.FirstText+offset, false)
	}
	if n == 0 && err == nil {
		h.rest() // who waits for more by reading again and again shall hold nothing meanwhile
	}
	if errors.Is(err, engine.ErrNoTopic) || errors.Is(err, errBeyondEnd) {
		return 0, nil
	}
	return n, err
}

func (h *logHandle) poll(*PollIn) uint32 { return pollIn }

func (h *logHandle) release() { h.close() }
