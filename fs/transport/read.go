package transport

import (
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/nodes"
)

var _ nodes.ReadRequest = (*readRequest)(nil)

// A readRequest is one READ. It is reused after its answer unless it was parked: an interrupt of a
// parked one may still be on its way to the file system then.
type readRequest struct {
	flight flight
	conn   *Conn
	size   int     // bytes asked for
	buffer *buffer // nil: none held
	header fuse.OutHeader

	parked   bool        // Park was called; the serving goroutine's own
	answered atomic.Bool // there can be no second answer
}

// serveRead serves one READ. The request may outlive the call.
func (c *Conn) serveRead(in *fuse.ReadIn) {
	r := c.reads.Get().(*readRequest)
	r.conn, r.size = c, int(in.Size)
	c.flights.add(in.Unique, &r.flight, nil)
	c.callRead(in, r)
	if r.parked {
		return
	}
	if !r.answered.Load() {
		c.log.Error().Msg("BUG: a READ was neither answered nor parked; it gets an I/O error")
		r.Fail(syscall.EIO)
	}
	r.answered.Store(false)
	c.reads.Put(r)
}

// callRead calls the file system. A panic leaves the request as it is.
func (c *Conn) callRead(in *fuse.ReadIn, r *readRequest) {
	defer func() {
		if reason := recover(); reason != nil {
			c.fsys.Panicked("READ", reason)
		}
	}()
	c.fsys.ServeRead(in, r)
}

// Buffer implements nodes.ReadRequest.
func (r *readRequest) Buffer() []byte {
	if r.buffer == nil {
		r.buffer = r.conn.replies.get(r.size)
	}
	body := r.buffer.body()
	return body[:min(r.size, len(body))]
}

// Reply implements nodes.ReadRequest.
func (r *readRequest) Reply(n int) {
	r.begin()
	switch {
	case n == 0:
		r.finish(0)
	case r.buffer == nil || n < 0 || n > r.size:
		r.finish(syscall.EIO) // who reads is not to wait for the mend
		panic("BUG: a READ is answered with more than its buffer holds")
	default:
		message := r.buffer.memory[:outHeaderBytes+n]
		answerHeader(overlay[fuse.OutHeader](message), r.flight.unique, 0, len(message))
		r.conn.send(message)
		r.release()
	}
}

// Fail implements nodes.ReadRequest.
func (r *readRequest) Fail(errno syscall.Errno) {
	r.begin()
	r.finish(errno)
}

// Park implements nodes.ReadRequest.
func (r *readRequest) Park(interrupted func()) {
	r.release()
	r.parked = true
	r.conn.flights.ask(&r.flight, interrupted)
}

// begin takes the request out of the reach of interrupts.
func (r *readRequest) begin() {
	if r.answered.Swap(true) {
		panic("BUG: a READ is answered twice")
	}
	r.conn.flights.remove(&r.flight)
}

// finish sends an answer without data.
func (r *readRequest) finish(errno syscall.Errno) {
	answerHeader(&r.header, r.flight.unique, errno, outHeaderBytes)
	r.conn.send(bytesOf(&r.header))
	r.release()
}

func (r *readRequest) release() {
	if r.buffer != nil {
		r.buffer.release()
		r.buffer = nil
	}
}
