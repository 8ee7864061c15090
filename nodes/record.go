package nodes

import (
	"bytes"
	"errors"
	"strconv"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
)

// ValueBytesMax is how many bytes of values all open records and keys of a tree hold together. One
// that would exceed it is read from the log again by each READ.
const ValueBytesMax = 256 << 20

// A recordHandle is one open record: its value, of any bytes. A large value comes in several reads,
// so it is held from the first one to the one that gets its end.
type recordHandle struct {
	tree   *Tree
	topic  *topic
	offset uint64

	mu    sync.Mutex // orders the reads, guards what follows
	size  uint64     // of the value, once read says so
	known bool
	value []byte // nil if it is not held
}

// parseOffset reads the name of a record: its offset, written in one way only.
func parseOffset(name string) (uint64, bool) {
	offset, err := strconv.ParseUint(name, 10, 64)
	return offset, err == nil && name == strconv.FormatUint(offset, 10)
}

// offsetOf returns the offset of the record that a node of kindRecord is, or of the newest one of
// the key that it is.
func (t *Tree) offsetOf(cancel <-chan struct{}, n node) (uint64, error) {
	if n.kind == kindKey {
		key, err := t.key(cancel, n)
		return key.Offset, err
	}
	offset, ok := parseOffset(n.name)
	if !ok {
		return 0, errNoRecord // cannot be: it was looked up
	}
	return offset, nil
}

// readRecord is ReadRecord of the log, with an error of a node that is not there.
func (t *Tree) readRecord(tp *topic, offset uint64, use func(*engine.Record) error) error {
	err := t.log.ReadRecord(tp.name, offset, use)
	if errors.Is(err, engine.ErrNoRecord) || errors.Is(err, engine.ErrNoTopic) {
		return errNoRecord
	}
	return err
}

// recordFacts are the size of a record's value, and its time.
func (t *Tree) recordFacts(n node) (f facts, err error) {
	offset, err := t.offsetOf(nil, n)
	if err != nil {
		return f, err
	}
	err = t.readRecord(n.topic, offset, func(r *engine.Record) error {
		f = facts{size: uint64(len(r.Value)), time: r.Time}
		return nil
	})
	return f, err
}

// openRecord opens a record that is there, or the newest one of a key: what it is now, it stays for
// who opened it. The value is only asked for by the first read.
func (t *Tree) openRecord(cancel <-chan struct{}, n node) (*recordHandle, error) {
	info, err := t.info(n.topic)
	if err != nil {
		return nil, err
	}
	offset, err := t.offsetOf(cancel, n)
	if err == nil && (offset < info.First || offset >= info.Next && n.kind == kindRecord) {
		err = errNoRecord
	}
	if err != nil {
		return nil, err
	}
	return &recordHandle{tree: t, topic: n.topic, offset: offset}, nil
}

func (h *recordHandle) read(in *fuse.ReadIn, req ReadRequest) {
	n, err := h.readAt(req.Buffer(), in.Offset)
	if err != nil {
		h.tree.refused(h.topic.name, "read of a record", err)
		req.Fail(errnoOf(err))
		return
	}
	req.Reply(n)
}

// readAt copies the value from place on.
func (h *recordHandle) readAt(buf []byte, place uint64) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.known && place >= h.size:
	case h.value != nil:
		n = copy(buf, h.value[place:])
	default:
		n, err = h.fetch(buf, place)
	}
	if err == nil && place+uint64(n) >= h.size {
		h.drop()
	}
	return n, err
}

// fetch reads the value from place on, and holds it if that is not all. A record that was removed
// since it was opened is an error: its end would look like that of a short value.
func (h *recordHandle) fetch(buf []byte, place uint64) (n int, err error) {
	err = h.tree.readRecord(h.topic, h.offset, func(r *engine.Record) error {
		h.size, h.known = uint64(len(r.Value)), true
		if place >= h.size {
			return nil
		}
		n = copy(buf, r.Value[place:])
		if place+uint64(n) < h.size && h.tree.reserveValue(len(r.Value)) {
			h.value = bytes.Clone(r.Value)
		}
		return nil
	})
	if errors.Is(err, errNoRecord) {
		err = errRecordRemoved
	}
	return n, err
}

// reserveValue tells whether a value of that size may be held.
func (t *Tree) reserveValue(size int) bool {
	if t.valueBytes.Add(int64(size)) > ValueBytesMax {
		t.valueBytes.Add(-int64(size))
		return false
	}
	return true
}

func (h *recordHandle) drop() {
	h.tree.valueBytes.Add(-int64(len(h.value)))
	h.value = nil
}

func (h *recordHandle) poll(*PollIn) uint32 { return pollIn }

func (h *recordHandle) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop()
}
