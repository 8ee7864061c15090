package nodes

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// ServeRead answers a READ: now, or, if it has to wait, from whichever goroutine brings the answer.
// in need not be valid after it has returned.
func (t *Tree) ServeRead(in *fuse.ReadIn, req ReadRequest) {
	h := t.handles.get(in.Fh)
	if h == nil {
		req.Fail(syscall.EBADF)
		return
	}
	h.read(in, req)
}

// ServeWrite answers a WRITE: all of data is taken, or nothing. ctx ends the wait for the log's
// lock, with EINTR, but not a write that has begun. Nothing is kept of data.
func (t *Tree) ServeWrite(
	ctx context.Context, in *fuse.WriteIn, data []byte,
) (uint32, syscall.Errno) {
	h, ok := t.handles.get(in.Fh).(writer)
	if !ok {
		return 0, syscall.EBADF
	}
	if err := h.write(ctx, in, data); err != nil {
		return 0, h.errno("write", err)
	}
	return uint32(len(data)), 0
}

// ServePoll answers a POLL with the events that are true now. If fuse.FUSE_POLL_SCHEDULE_NOTIFY is
// set and the file cannot be read yet then Kernel.NotifyPoll is called once as soon as it can.
func (t *Tree) ServePoll(in *PollIn) (revents uint32, errno syscall.Errno) {
	h := t.handles.get(in.Fh)
	if h == nil {
		return 0, syscall.EBADF
	}
	return h.poll(in) & (in.Events | unix.POLLERR | unix.POLLHUP), 0
}

// Write is ServeWrite for a server of go-fuse.
func (t *Tree) Write(
	cancel <-chan struct{}, in *fuse.WriteIn, data []byte,
) (uint32, fuse.Status) {
	n, errno := t.ServeWrite(&fuse.Context{Caller: in.Caller, Cancel: cancel}, in, data)
	return n, fuse.Status(errno)
}

// Read is ServeRead for a server of go-fuse: a read that waits keeps its goroutine and its buffer.
func (t *Tree) Read(
	cancel <-chan struct{}, in *fuse.ReadIn, buf []byte,
) (fuse.ReadResult, fuse.Status) {
	req := &blockingRead{buf: buf, answered: make(chan struct{}), parked: make(chan func(), 1)}
	t.ServeRead(in, req)
	req.await(cancel)
	if req.errno != 0 {
		return nil, fuse.Status(req.errno)
	}
	return fuse.ReadResultData(buf[:req.n]), fuse.OK
}

// A blockingRead is a ReadRequest whose goroutine waits for the answer.
type blockingRead struct {
	buf      []byte
	parked   chan func() // gets what Park was given
	answered chan struct{}
	n        int
	errno    syscall.Errno
}

func (r *blockingRead) Buffer() []byte          { return r.buf }
func (r *blockingRead) Park(interrupted func()) { r.parked <- interrupted }

func (r *blockingRead) Reply(n int) {
	r.n = n
	close(r.answered)
}

func (r *blockingRead) Fail(errno syscall.Errno) {
	r.errno = errno
	close(r.answered)
}

// await returns when the request is answered, and sees to that if it is interrupted.
func (r *blockingRead) await(cancel <-chan struct{}) {
	select {
	case <-r.answered:
		return
	case <-cancel:
	}
	select {
	case <-r.answered:
	case interrupted := <-r.parked: // ServeRead has returned without an answer, so it is parked
		interrupted()
		<-r.answered
	}
}

// Flush is called for each close(2).
func (t *Tree) Flush(_ <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	h, ok := t.handles.get(in.Fh).(flusher)
	if !ok {
		return fuse.OK
	}
	return fuse.Status(h.errno("close", h.flush(in.LockOwner)))
}

// Fsync returns when what was appended is on the disk; of other files nothing has to be.
func (t *Tree) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	h, ok := t.handles.get(in.Fh).(syncer)
	if !ok {
		return fuse.OK
	}
	ctx := &fuse.Context{Caller: in.Caller, Cancel: cancel}
	return fuse.Status(h.errno("fsync", h.fsync(ctx)))
}
