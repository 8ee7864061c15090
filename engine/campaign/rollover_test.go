package campaign_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/format"
	"purofs/engine/oracle"
)

// appendsOfAStore is how often each producer appends to a store before the test goes on with a new
// one: opening a store looks at all its segments, and here hardly a batch fits into one.
const appendsOfAStore = 150

// T12: producers reach the end of a segment together, again and again: a handful of records fills
// one. Some are killed in the middle of it. There is one successor, nothing is behind a tombstone,
// and consumers cross over in order.
func TestRolloverRaces(t *testing.T) {
	c := newCrew(t, "T12")
	c.small()
	kills := oracle.Size(200, 5_000)
	for killed := 0; killed < kills; killed += killsOfAStore {
		c.newStore()
		c.rollOverAndDie(min(killsOfAStore, kills-killed))
	}
	c.run.Count("kills", kills)
}

// rollOverAndDie has that many producers killed in a store.
func (c *crew) rollOverAndDie(kills int) {
	c.Helper()
	l := c.open()
	consumers := []*oracle.Process{c.consume(0, 0), c.consume(0, 0)}
	for n := 0; n < kills; n += killedTogether {
		c.killSome(l, n)
	}
	for _, p := range consumers {
		p.Stop()
		if _, err := p.Outcome(); err != nil {
			c.Error(err)
		}
	}
	c.run.Count("segments", l.Status().Segments)
	if err := l.Close(); err != nil {
		c.Fatal(err)
	}
	c.check("alive")
}

// small has segments hold a handful of records.
func (c *crew) small() {
	c.engine.SegmentBytes = engine.SegmentBytesMin
	c.plan.RecordsMax, c.plan.BytesMax = 200, 8<<10
}

// T12: while producers go from segment to segment, another program makes the next one before they
// do: empty, or with half of what stands at its beginning.
func TestRolloverMeetsAHalfMadeSegment(t *testing.T) {
	c := newCrew(t, "T12")
	c.small()
	for appends := oracle.Size(appendsOfAStore, 5_000); appends > 0; appends -= appendsOfAStore {
		c.newStore()
		c.rollOverBesideAnIntruder(min(appendsOfAStore, appends))
	}
}

// rollOverBesideAnIntruder has producers append that often each.
func (c *crew) rollOverBesideAnIntruder(appends int) {
	c.Helper()
	l := c.open()
	var producers []*oracle.Process
	for i := range 4 {
		p := c.produce(fmt.Sprintf("p%d", i), 2, appends)
		p.Begin()
		producers = append(producers, p)
	}
	consumer := c.consume(0, 0)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() { stopped <- c.intrude(stop) }()
	for _, p := range producers {
		if _, err := p.Outcome(); err != nil {
			c.Error(err)
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		c.Fatal(err)
	}
	consumer.Stop()
	if _, err := consumer.Outcome(); err != nil {
		c.Error(err)
	}
	if c.Failed() {
		c.Fatalf("run it again with: %s", c.run.Again())
	}
	if err := l.Close(); err != nil {
		c.Fatal(err)
	}
	c.check()
}

// intrude makes the next segment, now and then, until stop is closed.
func (c *crew) intrude(stop <-chan struct{}) error {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return nil
		case <-time.After(20 * time.Millisecond):
		}
		names, err := filepath.Glob(filepath.Join(c.store, "stream*.puro"))
		if err != nil {
			return err
		}
		next := filepath.Join(c.store, fmt.Sprintf("stream%d.puro", len(names)))
		file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue // a producer was faster
		}
		if err != nil {
			return err
		}
		// Without the lock it may not write where a producer may be at work already, so what it writes
		// is what the producer writes.
		if _, err = file.Write(format.Magic[:n%len(format.Magic)]); err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
		c.run.Count("intrusions", 1)
	}
}
