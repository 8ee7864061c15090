package nodes

import (
	"errors"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
)

// A logHandle is one open file log: the plain text of a topic, as a file that grows at its end.
// Byte 0 is the first byte of the oldest record there is, so its size and its bytes agree at every
// moment.
//
// Bytes that were lost to damage keep their places, so all others keep theirs: a read there is EIO,
// as at a bad sector of a disk, and a read behind them is not.
type logHandle struct {
	tree  *Tree
	topic *topic

	mu   sync.Mutex // orders the reads, guards text
	text textReader
}

func (t *Tree) openLog(tp *topic) (*logHandle, error) {
	if _, err := t.info(tp); err != nil {
		return nil, err
	}
	return &logHandle{tree: t, topic: tp, text: textReader{log: t.log, topic: tp.name}}, nil
}

func (h *logHandle) read(in *fuse.ReadIn, req ReadRequest) {
	n, err := h.readAt(req.Buffer(), in.Offset)
	if err != nil {
		h.tree.refused(h.topic.name, "read of log", err)
		req.Fail(errnoOf(err))
		return
	}
	req.Reply(n)
}

func (h *logHandle) readAt(buf []byte, offset uint64) (int, error) {
	info, err := h.tree.info(h.topic)
	switch {
	case errors.Is(err, errRemoved):
		return 0, nil
	case err != nil:
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if offset >= info.NextText-info.FirstText {
		h.text.rest() // who waits for more by reading again and again shall hold nothing meanwhile
		return 0, nil
	}
	n, err := h.text.read(buf, info.FirstText+offset, false)
	if errors.Is(err, engine.ErrNoTopic) {
		return 0, nil
	}
	return n, err
}

func (h *logHandle) poll(*PollIn) uint32 { return pollIn }

func (h *logHandle) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.close()
}
