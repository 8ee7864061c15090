package nodes

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Flags of the reply to OPEN. The kernel's page cache is never between a program and the log: what
// is written arrives write by write, and what is read is what is there.
const (
	// No FLUSH is asked for where close(2) has nothing to report.
	readFile = fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NOFLUSH
	// The FLUSH of close(2) gives a cursor back; see cursorHold.
	cursorFile = fuse.FOPEN_DIRECT_IO
	// Writers of one file that is not opened to append need not wait for each other.
	appendFile = fuse.FOPEN_DIRECT_IO | fuse.FOPEN_PARALLEL_DIRECT_WRITES
)

// Open opens a file. Files that are only read cannot be opened to write, or to truncate: EACCES, as
// their modes say.
func (t *Tree) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n := t.topics.node(in.NodeId)
	h, err := t.open(cancel, n, in.Flags, in.Owner)
	if err == nil {
		if out.Fh, err = t.keep(h, in.Uid); err != nil {
			h.release()
		}
	}
	if err != nil {
		t.refused(n.topicName(), "open", err)
		return fuse.Status(errnoOf(err))
	}
	out.OpenFlags = readFile
	switch {
	case n.kind.isAppend():
		out.OpenFlags = appendFile
	case n.kind.moves():
		out.OpenFlags = cursorFile
	}
	return fuse.OK
}

// keep gives a number to a handle that a user opens, unless that has too much open.
func (t *Tree) keep(h handle, user uint32) (fh uint64, err error) {
	if content, ok := h.(*contentHandle); ok {
		content.share = share{of: &t.texts, user: user}
		if !content.share.resize(int64(len(content.text))) {
			return 0, errTooManyOpen
		}
	}
	return t.handles.add(h, user)
}

func (t *Tree) open(
	cancel <-chan struct{}, n node, flags uint32, caller fuse.Owner,
) (handle, error) {
	nonblock := flags&syscall.O_NONBLOCK != 0
	changes := flags&syscall.O_ACCMODE != syscall.O_RDONLY || flags&syscall.O_TRUNC != 0
	if !n.kind.isWritten() && changes {
		return nil, syscall.EACCES
	}
	switch n.kind {
	case kindAppend, kindAppendJSONL, kindAppendTSV, kindAppendRaw:
		return t.openAppend(n.topic, n.format(), flags, caller.Uid)
	case kindLog, kindLogJSONL, kindLogTSV:
		return t.openLog(n.topic, n.format())
	case kindStream, kindStreamJSONL, kindStreamTSV, kindStreamRaw:
		return t.openStream(n.topic, n.format(), nonblock)
	case kindFrom:
		return t.openFrom(n, nonblock)
	case kindRecord, kindKey:
		return t.openRecord(cancel, n)
	case kindCursorStream, kindCursorStreamJSONL:
		return t.openCursorStream(n, nonblock)
	case kindCursorNext:
		return t.openNext(n, nonblock)
	case kindCursorPosition:
		return t.openPosition(n, flags)
	case kindCursorLag:
		return t.openLag(n)
	case kindInfo:
		return t.openInfo(n.topic)
	case kindStatus:
		return t.openStatus()
	case kindMetrics:
		return t.openMetrics(caller)
	case kindErrors:
		return t.openErrors()
	case kindNone:
		return nil, errRemoved
	}
	return nil, syscall.EISDIR
}

// Release closes a file for good.
func (t *Tree) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	if h := t.handles.take(in.Fh); h != nil {
		h.release()
	}
}
