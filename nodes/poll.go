package nodes

import (
	"math"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// The events of poll(2) that files of the tree report. Linux has two names for each, for programs
// that know of priorities; of the second ones, package unix has those of epoll(7), which are the
// same.
const (
	pollIn  = unix.POLLIN | unix.EPOLLRDNORM
	pollOut = unix.POLLOUT | unix.EPOLLWRNORM
)

// noRecord is the offset of no record: nothing is waited for.
const noRecord = math.MaxUint64

// A pollWatch tells the kernel once that there is more to read in a stream which was polled. There
// is one for a handle: the kernel has one name for an open file, however many poll it. Its zero
// value is ready.
type pollWatch struct {
	mu      sync.Mutex // guards what follows, never held across a call to the log or the kernel
	armed   bool
	fired   bool // at least once
	ended   bool // the handle is released
	kernel  Kernel
	handle  uint64      // the kernel's name of the open file
	cancel  func() bool // ends the log's watch; nil if there is none
	watches uint64      // begun so far, so that each knows whether it is the current one
}

// poll is the answer to a poll of a file that can be read or not, and has more to read as soon as
// the topic has a record with the offset next. The kernel is told of that even if the file can be
// read: who asked for edges (EPOLLET) reads all there is, and does not poll again before that.
func (p *pollWatch) poll(t *Tree, tp *topic, in *PollIn, next uint64, ready bool) uint32 {
	if in.Flags&fuse.FUSE_POLL_SCHEDULE_NOTIFY != 0 && t.kernel != nil && next != noRecord {
		p.start(t, tp, in.Kh, next)
		// The tree may have been shut down between the question and the watch.
		ready = ready || t.waiters.over()
	}
	if ready {
		return pollIn
	}
	return 0
}

// start has the kernel told when there is such a record, unless it will be told anyway.
func (p *pollWatch) start(t *Tree, tp *topic, kh, next uint64) {
	p.mu.Lock()
	if p.armed || p.ended {
		p.mu.Unlock()
		return
	}
	p.armed, p.kernel, p.handle = true, t.kernel, kh
	p.watches++
	own := p.watches
	p.mu.Unlock()

	// The log may call wake before Watch returns.
	cancel := t.log.Watch(tp.name, next, p.wake)

	p.mu.Lock()
	if p.armed && p.watches == own {
		p.cancel, cancel = cancel, nil
	}
	p.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// wake tells the kernel, if it waits to be told.
func (p *pollWatch) wake() {
	p.mu.Lock()
	p.fired = true
	armed, cancel := p.disarm()
	kernel, handle := p.kernel, p.handle // the next poll may set them meanwhile
	p.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if armed {
		kernel.NotifyPoll(handle)
	}
}

// woken tells whether the kernel was told of anything yet.
func (p *pollWatch) woken() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fired
}

// stop ends the watch for good.
func (p *pollWatch) stop() {
	p.mu.Lock()
	p.ended = true
	_, cancel := p.disarm()
	p.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// disarm returns whether the watch was armed, and how to end the log's part of it. mu is held.
func (p *pollWatch) disarm() (armed bool, cancel func() bool) {
	armed, cancel = p.armed, p.cancel
	p.armed, p.cancel = false, nil
	return armed, cancel
}
