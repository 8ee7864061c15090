package transport

import "sync"

// flightBuckets spreads the flights, so that neither two workers nor a thousand waiting readers get
// in each other's way. The kernel counts requests up in steps of two.
const flightBuckets = 128

// A flight is a READ or a WRITE between its arrival and its answer. It is part of the request, so
// that keeping track of it allocates nothing. Its fields are guarded by its bucket's lock.
type flight struct {
	unique      uint64
	next        *flight
	interrupted bool
	// onInterrupt is called once, without the lock, when the flight is interrupted; nil: nobody
	// asked yet.
	onInterrupt func()
}

// flights are all READ and WRITE requests under way, by the number that the kernel gave them.
type flights struct {
	buckets [flightBuckets]bucket
}

type bucket struct {
	mu    sync.Mutex // guards the bucket and its flights
	first *flight
	ended bool // flights are interrupted as they come
}

func (t *flights) bucket(unique uint64) *bucket { return &t.buckets[unique>>1%flightBuckets] }

// add enters a flight. If it is interrupted by then, onInterrupt is called before add returns.
func (t *flights) add(unique uint64, f *flight, onInterrupt func()) {
	f.unique, f.interrupted, f.onInterrupt = unique, false, onInterrupt
	b := t.bucket(unique)
	b.mu.Lock()
	f.next, b.first = b.first, f
	call := b.interrupt(f, b.ended)
	b.mu.Unlock()
	if call != nil {
		call()
	}
}

// remove takes a flight out and tells whether it was interrupted. It is not any more, but if it was
// then the call may still be on its way.
func (t *flights) remove(f *flight) (interrupted bool) {
	b := t.bucket(f.unique)
	b.mu.Lock()
	defer b.mu.Unlock()
	for p := &b.first; *p != nil; p = &(*p).next {
		if *p == f {
			*p, f.next = f.next, nil
			break
		}
	}
	return f.interrupted
}

// ask notes what to call when a flight is interrupted. If it is by then, that is called before ask
// returns.
func (t *flights) ask(f *flight, onInterrupt func()) {
	b := t.bucket(f.unique)
	b.mu.Lock()
	f.onInterrupt = onInterrupt
	call := b.interrupt(f, f.interrupted)
	b.mu.Unlock()
	if call != nil {
		call()
	}
}

// interrupt interrupts one flight and tells whether there is one of that number.
func (t *flights) interrupt(unique uint64) bool {
	b := t.bucket(unique)
	b.mu.Lock()
	f := b.first
	for f != nil && f.unique != unique {
		f = f.next
	}
	var call func()
	if f != nil {
		call = b.interrupt(f, true)
	}
	b.mu.Unlock()
	if call != nil {
		call()
	}
	return f != nil
}

// end interrupts all flights, and those to come as they come.
func (t *flights) end() {
	for i := range t.buckets {
		b := &t.buckets[i]
		b.mu.Lock()
		b.ended = true
		var calls []func()
		for f := b.first; f != nil; f = f.next {
			if call := b.interrupt(f, true); call != nil {
				calls = append(calls, call)
			}
		}
		b.mu.Unlock()
		for _, call := range calls {
			call()
		}
	}
}

// interrupt interrupts a flight if asked to, and returns what the caller is to call when it has
// given up the lock. Each flight's function is returned once.
func (b *bucket) interrupt(f *flight, yes bool) (call func()) {
	if !yes {
		return nil
	}
	call, f.onInterrupt, f.interrupted = f.onInterrupt, nil, true
	return call
}
