package nodes

import (
	"sync"
	"syscall"
)

// A waiter is one READ that waits for records. Three may want to answer it: the log, which has a
// record; the kernel, because the reader was interrupted; and Shutdown. It belongs to one of them
// at a time, and who finds it taken leaves word.
//
// While it waits it holds no buffer, no reader of the log and no goroutine.
type waiter struct {
	tree   *Tree
	topic  *topic
	readAt readAt
	req    ReadRequest
	offset uint64        // of the READ
	over   syscall.Errno // see readResult

	mu      sync.Mutex // guards what follows
	state   waiterState
	ending  func()      // how to answer as soon as whoever has the waiter gives it back; may be nil
	stop    func() bool // ends the log's watch; nil if there is none
	watches uint64      // begun so far, so that each knows whether it is the current one
}

// A readAt reads at an offset of a file; see streamHandle.readAt.
type readAt func(buffer func() []byte, offset uint64, woken bool) readResult

type waiterState uint8

const (
	waiterTaken    waiterState = iota // somebody is about to answer
	waiterWaiting                     // for the log
	waiterAnswered                    // for ever
)

// serve answers a request now, or as soon as the topic has a record to read; with nonblock set it
// does not wait.
func (t *Tree) serve(tp *topic, read readAt, req ReadRequest, offset uint64, nonblock bool) {
	result := read(req.Buffer, offset, false)
	switch {
	case !result.wait:
		result.answer(req)
	case nonblock:
		req.Fail(syscall.EAGAIN)
	default:
		w := &waiter{
			tree: t, topic: tp, readAt: read, req: req, offset: offset, over: result.over,
		}
		defer w.recovered()
		req.Park(w.interrupted)
		if !t.waiters.add(w) {
			w.shutDown()
		}
		w.watch(result.next)
	}
}

// watch gives the waiter to the log. It is called by who has it.
func (w *waiter) watch(next uint64) {
	w.mu.Lock()
	if w.ending != nil {
		w.mu.Unlock()
		w.answer(w.ending)
		return
	}
	w.state = waiterWaiting
	w.watches++
	own := w.watches
	w.mu.Unlock()

	// The log may call wake before Watch returns.
	stop := w.tree.log.Watch(w.topic.name, next, w.wake)

	w.mu.Lock()
	if w.state == waiterWaiting && w.watches == own {
		w.stop, stop = stop, nil
	}
	w.mu.Unlock()
	if stop != nil {
		stop() // it was answered meanwhile, or the watch is over
	}
}

// wake is called by the log, in the goroutine that appended the record if that is in this process.
// The reader is answered right here: a goroutine of its own would have it wait for a thread to wake
// up, which takes several times as long as the answer.
func (w *waiter) wake() {
	defer w.recovered()
	w.mu.Lock()
	mine := w.state == waiterWaiting
	if mine {
		w.state, w.stop = waiterTaken, nil
	}
	w.mu.Unlock()
	if mine && !w.tree.waiters.serve(w) {
		w.answer(w.lastAnswer)
	}
}

// recovered is deferred where a parked read is served, since a panic there is nobody else's: the
// goroutine may be that of any append.
func (w *waiter) recovered() {
	reason := recover()
	if reason == nil {
		return
	}
	w.tree.Panicked("READ", reason)
	w.mu.Lock()
	answered := w.state == waiterAnswered
	w.mu.Unlock()
	if !answered {
		w.answer(func() { w.req.Fail(syscall.EIO) })
	}
}

// serve answers with what there is now, or waits again.
func (w *waiter) serve() {
	result := w.readAt(w.req.Buffer, w.offset, true)
	if result.wait {
		w.watch(result.next)
		return
	}
	w.answer(func() { result.answer(w.req) })
}

// answer is called by who has the waiter: nobody else answers any more.
func (w *waiter) answer(how func()) {
	w.mu.Lock()
	w.state = waiterAnswered
	w.mu.Unlock()
	w.tree.waiters.remove(w)
	how()
}

// interrupted is called by the kernel's side when the reader does not wait any longer.
func (w *waiter) interrupted() { w.end(func() { w.req.Fail(syscall.EINTR) }) }

// shutDown ends the wait because the tree is shut down.
func (w *waiter) shutDown() { w.end(w.lastAnswer) }

// lastAnswer is the one of a wait that came to nothing.
func (w *waiter) lastAnswer() { readResult{err: w.over}.answer(w.req) }

// end answers the waiter, or has it answered by who has it if it were to wait again.
func (w *waiter) end(how func()) {
	w.mu.Lock()
	if w.state != waiterWaiting {
		w.ending = how
		w.mu.Unlock()
		return
	}
	w.state = waiterTaken
	stop := w.stop
	w.stop = nil
	w.mu.Unlock()
	if stop != nil {
		stop()
	}
	w.answer(how)
}

// A waiterSet holds the waiters of a tree, so that Shutdown can end them, and waits for those that
// are being answered. It is safe for concurrent use; its zero value is empty.
type waiterSet struct {
	serving sync.WaitGroup // added to with mu held, while not draining

	mu       sync.Mutex // guards what follows
	waiters  map[*waiter]struct{}
	draining bool // nobody may wait any more
}

// add takes note of a waiter and tells whether it may wait.
func (s *waiterSet) add(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	if s.waiters == nil {
		s.waiters = map[*waiter]struct{}{}
	}
	s.waiters[w] = struct{}{}
	return true
}

func (s *waiterSet) remove(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiters, w)
}

// serve has a waiter answered, or wait again, unless it is too late for that.
func (s *waiterSet) serve(w *waiter) bool {
	s.mu.Lock()
	if s.draining {
		s.mu.Unlock()
		return false
	}
	s.serving.Add(1)
	s.mu.Unlock()
	defer s.serving.Done()
	w.serve()
	return true
}

// over tells whether nobody may wait any more.
func (s *waiterSet) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// drain lets nobody wait any more, and has end called for each that does.
func (s *waiterSet) drain(end func(*waiter)) {
	s.mu.Lock()
	s.draining = true
	waiters := make([]*waiter, 0, len(s.waiters))
	for w := range s.waiters {
		waiters = append(waiters, w)
	}
	s.mu.Unlock()
	for _, w := range waiters {
		end(w)
	}
	s.serving.Wait()
}
