package nodes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
)

// positionBytesMax is the longest that is taken for a position.
const positionBytesMax = 64

// A positionHandle is one open file position of a cursor: it reads as the position was when the
// file was opened, and each write moves the cursor.
type positionHandle struct {
	tree  *Tree
	topic *topic
	name  string
	flags uint32 // of open(2)

	mu      sync.Mutex // orders the calls, guards content
	content contentHandle
}

// openPosition opens position.
func (t *Tree) openPosition(n node, flags uint32) (*positionHandle, error) {
	h := &positionHandle{tree: t, topic: n.topic, name: n.name, flags: flags}
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY && t.config.ReadOnly {
		return nil, engine.ErrReadOnly
	}
	next, err := t.log.CursorPosition(n.topic.name, n.name)
	if err != nil {
		return nil, err
	}
	h.content.text = number(next)
	return h, nil
}

func number(n uint64) []byte { return append(strconv.AppendUint(nil, n, 10), '\n') }

// openLag opens lag: how many records are not done.
func (t *Tree) openLag(n node) (*contentHandle, error) {
	next, err := t.log.CursorPosition(n.topic.name, n.name)
	if err != nil {
		return nil, err
	}
	info, err := t.info(n.topic)
	if err != nil {
		return nil, err
	}
	return &contentHandle{text: number(info.Next - min(next, info.Next))}, nil
}

func (h *positionHandle) read(in *fuse.ReadIn, req ReadRequest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.content.read(in, req)
}

// write moves the cursor to the position that data spells, wherever in the file it is written.
func (h *positionHandle) write(ctx context.Context, in *fuse.WriteIn, data []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	spelled := string(bytes.TrimSuffix(data[:min(len(data), positionBytesMax+1)], []byte("\n")))
	if len(spelled) > positionBytesMax {
		return fmt.Errorf("%w: more than %d bytes are no position", errBadPosition, positionBytesMax)
	}
	to, err := engine.ParsePosition(spelled, time.Now())
	if err != nil {
		return fmt.Errorf("%w: %w", errBadPosition, err)
	}
	sync := (in.Flags|h.flags)&syscall.O_DSYNC != 0
	return h.use(func(c Cursor) error {
		reader, err := h.tree.log.OpenReader(h.topic.name, to)
		if err != nil {
			return err
		}
		next := reader.Next()
		reader.Close()
		if err := c.Commit(next); err != nil {
			if errors.Is(err, engine.ErrPosition) {
				err = fmt.Errorf("%w: %w", errBadPosition, err)
			}
			return err
		}
		h.content.text = number(next)
		if sync {
			return c.Sync(ctx)
		}
		return nil
	})
}

// use has the cursor for as long as do takes.
func (h *positionHandle) use(do func(Cursor) error) error {
	c, err := h.tree.log.OpenCursor(h.topic.name, h.name)
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.Close())
}

// fsync returns when the position is on the disk.
func (h *positionHandle) fsync(ctx context.Context) error {
	return h.use(func(c Cursor) error { return c.Sync(ctx) })
}

func (h *positionHandle) poll(*PollIn) uint32 { return pollIn | pollOut }

func (h *positionHandle) flush(uint64) error { return nil }

func (h *positionHandle) errno(call string, err error) syscall.Errno {
	return h.tree.errnoFor(h.topic, call, err, h.flags&syscall.O_NONBLOCK != 0)
}

func (h *positionHandle) release() {}
