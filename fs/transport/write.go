package transport

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// A writeRequest is one WRITE, and the context that its handler gets. Both are reused.
type writeRequest struct {
	flight flight
	ctx    writeContext
	answer struct {
		fuse.OutHeader
		fuse.WriteOut
	}
}

func (c *Conn) newWriteRequest() any {
	w := new(writeRequest)
	w.ctx.interrupt, w.ctx.waits = w.ctx.cancel, c.callHelp
	return w
}

// serveWrite serves one WRITE.
func (c *Conn) serveWrite(in *fuse.WriteIn, data []byte) {
	w := c.writes.Get().(*writeRequest)
	c.flights.add(in.Unique, &w.flight, w.ctx.interrupt)
	n, errno := c.callWrite(&w.ctx, in, data)
	interrupted := c.flights.remove(&w.flight)

	length := len(bytesOf(&w.answer))
	if errno != 0 {
		length = outHeaderBytes
	}
	answerHeader(&w.answer.OutHeader, in.Unique, errno, length)
	w.answer.Size = n
	c.send(bytesOf(&w.answer)[:length])
	// The call of cancel that is on its way must not meet another WRITE.
	if w.ctx.reusable() && !interrupted {
		c.writes.Put(w)
	}
}

// callWrite calls the file system; a panic is an I/O error.
func (c *Conn) callWrite(
	ctx context.Context, in *fuse.WriteIn, data []byte,
) (n uint32, errno syscall.Errno) {
	defer func() {
		if reason := recover(); reason != nil {
			c.fsys.Panicked("WRITE", reason)
			n, errno = 0, syscall.EIO
		}
	}()
	return c.fsys.ServeWrite(ctx, in, data)
}

// A writeContext ends when its WRITE is interrupted, or has been served. It costs nothing as long
// as nobody asks for its channel, which most writes never do: they do not wait.
type writeContext struct {
	interrupt func() // cancel, bound once for all uses
	waits     func() // called when the handler gets ready to wait

	mu   sync.Mutex    // guards what follows
	done chan struct{} // nil: nobody has asked for it
	err  error
}

var _ context.Context = (*writeContext)(nil)

// Deadline implements context.Context: there is none.
func (c *writeContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context: there are none.
func (c *writeContext) Value(any) any { return nil }

// Done implements context.Context.
func (c *writeContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done != nil {
		return c.done
	}
	c.done = make(chan struct{})
	if c.err != nil {
		close(c.done)
	} else {
		c.waits()
	}
	return c.done
}

// Err implements context.Context.
func (c *writeContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *writeContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = context.Canceled
	if c.done != nil {
		close(c.done)
	}
}

// reusable ends the use of the context for one WRITE and tells whether it can serve another one. If
// it was cancelled or its channel was handed out, somebody may still hold on to it.
func (c *writeContext) reusable() bool {
	c.mu.Lock()
	fresh := c.done == nil && c.err == nil
	c.mu.Unlock()
	if !fresh {
		c.cancel()
	}
	return fresh
}
