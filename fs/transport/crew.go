package transport

import (
	"sync/atomic"
	"time"
)

// A crew decides how many workers wait for requests.
//
// Two or more, taking turns, are needed when requests take long, or one would hold up the others.
// While requests are quick that costs: the kernel wakes waiting threads in turn, so that each
// request wakes a thread, and often a processor, that has slept for long. One worker alone serves
// quick requests at nearly twice the rate. So the crew leaves one alone while most requests are
// quick, and calls in others when many are not. A single one that holds up the worker alone is
// noticed by a watch, which runs only as long as a worker is alone; others wait for a few
// milliseconds then.
type crew struct {
	idleMax int32         // so many may wait for requests at most
	idle    atomic.Int32  // so many do, or are about to
	alone   atomic.Bool   // one is enough: nobody sees to it that another is waiting
	load    atomic.Int32  // long requests, weighed, less quick ones
	taken   atomic.Int64  // requests so far
	begun   chan struct{} // tells the watch that a worker is alone
}

const (
	// A quick request is served in less than this. Long ones are synced, wait, or move much data.
	quickMax = 50 * time.Microsecond
	// A request that was there already when the worker asked for it, after less than this, had to
	// wait for the worker. After so many in a row it counts as long.
	queuedMax  = 2 * time.Microsecond
	queuedHelp = 32

	// A long request weighs as much as so many quick ones; some are only quick ones that the
	// scheduler put off. At a load of loadHelp the worker alone gets help, at 0 the others leave.
	longWeight = 8
	loadHelp   = 64
	loadMax    = 2 * loadHelp

	// The watch looks this often, and leaves off after so many looks without a request.
	watchPeriod = time.Millisecond
	watchLooks  = 20
)

// newCrew returns a crew of one worker alone: the first request is INIT, and no other comes before
// its answer. The watch does not know of it, so that call relieve then.
func newCrew(idleMax int) *crew {
	c := &crew{idleMax: int32(idleMax), begun: make(chan struct{}, 1)}
	c.load.Store(loadMax)
	c.alone.Store(true)
	return c
}

// join tells whether the caller may wait for a request.
func (c *crew) join() bool {
	for {
		idle, limit := c.idle.Load(), c.idleMax
		if c.alone.Load() {
			limit = 1
		}
		if idle >= limit {
			return false
		}
		if c.idle.CompareAndSwap(idle, idle+1) {
			return true
		}
	}
}

// leave is called by who has waited, and tells whether another worker has to be called in. A
// request that may take long is not left to the watch.
func (c *crew) leave(long bool) (help bool) {
	idle := c.idle.Add(-1)
	c.taken.Add(1)
	return idle == 0 && (long || !c.alone.Load())
}

// served takes note of how long a request took, and how many before it this worker found waiting.
func (c *crew) served(took time.Duration, queued int) {
	long := took >= quickMax || queued >= queuedHelp
	load := c.load.Load()
	switch {
	case long && load < loadMax && c.load.Add(longWeight) >= loadHelp:
		c.alone.Store(false)
	case !long && load > 0 && c.load.Add(-1) == 0:
		c.alone.Store(true)
		select {
		case c.begun <- struct{}{}:
		default: // it has not looked at the last one yet
		}
	}
}

// relieve ends the time of one worker alone, and tells whether nobody waits for requests.
func (c *crew) relieve() (help bool) {
	if !c.alone.Load() {
		return false
	}
	c.load.Store(loadMax)
	c.alone.Store(false)
	return c.idle.Load() == 0
}

// watch calls help when a worker alone is held up by its request. It returns when over is closed.
func (c *crew) watch(over <-chan struct{}, help func()) {
	ticker := time.NewTicker(watchPeriod)
	defer ticker.Stop()
	for {
		ticker.Stop()
		select {
		case <-c.begun:
		case <-over:
			return
		}
		ticker.Reset(watchPeriod)
		for taken, looks := c.taken.Load(), 0; c.alone.Load(); {
			select {
			case <-ticker.C:
			case <-over:
				return
			}
			now := c.taken.Load()
			if now != taken {
				taken, looks = now, 0
				continue
			}
			// No request since: the worker is held up by the one it has, or there is none.
			if looks++; c.idle.Load() > 0 && looks < watchLooks {
				continue
			}
			if c.relieve() {
				help()
			}
		}
	}
}
