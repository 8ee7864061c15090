package transport

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// others are the requests that go-fuse's ProtocolServer serves. It can be told to cancel one, by an
// INTERRUPT, but not all, so their numbers are kept here.
type others struct {
	protocol *fuse.ProtocolServer

	mu       sync.Mutex      // guards what follows
	underway map[uint64]bool // whether it was interrupted
	ended    bool
}

// serve hands a request to the ProtocolServer and returns how many bytes of out are its answer, 0
// if it gets none.
func (o *others) serve(header *fuse.InHeader, message, out []byte) int {
	if !o.add(header.Unique) {
		return 0
	}
	defer o.remove(header.Unique)
	return o.handle(message, out)
}

func (o *others) handle(message, out []byte) int {
	n, status := o.protocol.HandleRequest([][]byte{message}, [][]byte{out})
	if n == 0 && !status.Ok() {
		// The request was malformed and has not been served. Whoever sent it still waits.
		header := overlay[fuse.OutHeader](out)
		answerHeader(header, overlay[fuse.InHeader](message).Unique, syscall.EIO, outHeaderBytes)
		return outHeaderBytes
	}
	return n
}

// interrupt passes an INTERRUPT on and returns the length of its answer: none if a request was
// interrupted, EAGAIN if it has not arrived or is gone. The kernel then asks again, or knows that
// it is answered.
func (o *others) interrupt(in *fuse.InterruptIn, out []byte) int {
	n := o.handle(bytesOf(in), out)
	if n == 0 {
		o.mu.Lock()
		if _, there := o.underway[in.Unique]; there {
			o.underway[in.Unique] = true
		}
		o.mu.Unlock()
	}
	return n
}

// end interrupts all requests under way, and lets no other in.
func (o *others) end() {
	o.mu.Lock()
	o.ended = true
	pending := make([]uint64, 0, len(o.underway))
	for unique := range o.underway {
		pending = append(pending, unique)
	}
	o.mu.Unlock()
	out := make([]byte, outHeaderBytes)
	for _, unique := range pending {
		in := &fuse.InterruptIn{Unique: unique}
		in.Opcode, in.Length = opInterrupt, uint32(len(bytesOf(in)))
		// A request that is on its way into the ProtocolServer is not known there for a moment.
		for o.uninterrupted(unique) && o.interrupt(in, out) != 0 {
			runtime.Gosched()
		}
	}
}

func (o *others) add(unique uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return false
	}
	o.underway[unique] = false
	return true
}

func (o *others) remove(unique uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.underway, unique)
}

func (o *others) uninterrupted(unique uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	interrupted, there := o.underway[unique]
	return there && !interrupted
}

// serveOther has go-fuse serve a request.
func (c *Conn) serveOther(header *fuse.InHeader, message []byte) {
	out := c.replies.get(outPayloadBytes(header.Opcode, message))
	defer out.release()
	n := c.others.serve(header, message, out.memory)
	if n > 0 {
		c.send(out.memory[:n])
	}
	if header.Opcode == opInit {
		c.initialized(overlay[fuse.OutHeader](out.memory).Status)
	}
}

func (c *Conn) initialized(status int32) {
	if status != 0 {
		c.end(fmt.Errorf("the kernel's FUSE protocol is not supported, use Linux 5.4 or newer: %w",
			syscall.Errno(-status)))
		return
	}
	c.callHelp()
	c.readyOnce.Do(func() { close(c.ready) })
}
