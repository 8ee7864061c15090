package segment

import (
	"errors"
	"io"
	"sync"
)

// Sizes of a window's reads. Small ones serve hops over large blocks, large ones bulk reading.
const (
	windowBytesMin  = 4 << 10
	windowBytesMax  = 512 << 10
	jumpBytesMin    = 1 << 10 // after a jump to a block whose size is known
	windowBytesKeep = 1 << 20 // a larger buffer is not kept for others
)

// windows are the buffers of closed windows, for the next ones.
var windows = sync.Pool{New: func() any { return new([]byte) }}

// A window is a view that moves forward over a file and reads ahead.
type window struct {
	file  io.ReaderAt
	buf   *[]byte
	pos   int64 // place in the file of the buffer's first byte
	ahead int   // how much to read at least
}

// view returns the n bytes at pos, or as many as the file has. They are valid until the next call.
func (w *window) view(pos int64, n int) ([]byte, error) {
	if w.buf == nil {
		w.buf = windows.Get().(*[]byte)
		*w.buf = (*w.buf)[:0]
	}
	buf := *w.buf
	if pos >= w.pos && pos+int64(n) <= w.pos+int64(len(buf)) {
		at := int(pos - w.pos)
		return buf[at : at+n : at+n], nil
	}
	kept := 0
	if pos >= w.pos && pos < w.pos+int64(len(buf)) {
		kept = len(buf) - int(pos-w.pos)
	}
	want := max(n, w.ahead)
	next := buf
	if cap(next) < want {
		next = make([]byte, want)
	}
	next = next[:want]
	copy(next, buf[len(buf)-kept:])
	w.pos = pos
	*w.buf = next[:kept]
	got, err := w.file.ReadAt(next[kept:], pos+int64(kept))
	if err != nil && !errors.Is(err, io.EOF) {
		w.drop()
		return nil, err
	}
	next = next[:kept+got]
	*w.buf = next
	n = min(n, len(next))
	return next[:n:n], nil
}

// has tells whether the n bytes at pos are in the buffer.
func (w *window) has(pos int64, n int) bool {
	return w.buf != nil && pos >= w.pos && pos+int64(n) <= w.pos+int64(len(*w.buf))
}

// drop forgets what was read, so that it is read again.
func (w *window) drop() {
	if w.buf != nil {
		*w.buf = (*w.buf)[:0]
	}
}

// held is the size of the buffer.
func (w *window) held() int {
	if w.buf == nil {
		return 0
	}
	return cap(*w.buf)
}

// release gives the buffer back.
func (w *window) release() {
	if w.buf != nil && cap(*w.buf) <= windowBytesKeep {
		windows.Put(w.buf)
	}
	w.buf = nil
}
