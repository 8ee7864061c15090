package transport

import (
	"testing"
	"time"
)

// serveQuick has the crew note quick requests until one worker is left alone.
func serveQuick(t *testing.T, c *crew) {
	t.Helper()
	for range loadMax + 1 {
		if c.alone.Load() {
			return
		}
		c.served(0, 0)
	}
	t.Fatal("after many quick requests no worker is alone")
}

func TestCrewFollowsTheLoad(t *testing.T) {
	c := newCrew(3)
	c.relieve() // as after INIT
	for want := range 4 {
		if got := c.join(); got != (want < 3) {
			t.Errorf("worker %d of at most 3 may wait: %v", want+1, got)
		}
	}
	for want := 2; want >= 0; want-- {
		if help := c.leave(false); help != (want == 0) {
			t.Errorf("with %d left waiting: help %v", want, help)
		}
	}
	serveQuick(t, c)
	if !c.join() || c.join() {
		t.Error("one worker alone: want exactly one to wait")
	}
	if c.leave(false) {
		t.Error("a worker alone called for help for a quick request")
	}
	c.join()
	if !c.leave(true) {
		t.Error("a worker alone called for no help for a long request")
	}
	for range loadHelp / longWeight {
		c.served(quickMax, 0)
	}
	if c.alone.Load() {
		t.Error("after many long requests a worker is still alone")
	}
	serveQuick(t, c)
	for range loadHelp / longWeight {
		c.served(0, queuedHelp)
	}
	if c.alone.Load() {
		t.Error("with a queue of requests a worker is still alone")
	}
}

// What holds up the worker alone gets noticed, and so does the end of all requests.
func TestCrewWatch(t *testing.T) {
	for name, idle := range map[string]int32{"held up": 0, "quiet": 1} {
		t.Run(name, func(t *testing.T) {
			c := newCrew(2)
			c.relieve()
			c.idle.Store(idle)
			over, helped := make(chan struct{}), make(chan struct{}, 1)
			watched := make(chan struct{})
			go func() {
				defer close(watched)
				c.watch(over, func() { helped <- struct{}{} })
			}()
			serveQuick(t, c)
			if idle == 0 {
				<-helped
			}
			for c.alone.Load() {
				time.Sleep(watchPeriod)
			}
			close(over)
			<-watched
			if len(helped) != 0 {
				t.Error("help was called for nothing")
			}
		})
	}
}
