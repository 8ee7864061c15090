package mount_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/oracle"
)

// A crew is the processes that share a store through mounts in a test of the fault campaign; what
// must hold is said by package oracle.
type crew struct {
	*testing.T
	run     *oracle.Run
	store   string
	ledgers string
	plan    oracle.Plan // of all producers, but for their names
	notes   []string    // of consumers
	mounts  []*mount
}

// newCrew is one without a mount yet, for the test with that number in docs/testing.md.
func newCrew(t *testing.T, id string) *crew {
	t.Helper()
	needFuse(t)
	run := oracle.Start(t, id)
	return &crew{
		T: t, run: run,
		store:   filepath.Join(t.TempDir(), "store"),
		ledgers: oracle.Aside(t),
		plan: oracle.Plan{
			Seed: run.Seed, Topics: []string{"t"}, RecordsMax: 4, BytesMax: 200 << 10,
		},
	}
}

// mount mounts the store once more, on a directory of its own.
func (c *crew) mount(options ...string) *mount {
	c.Helper()
	m := mountOn(c.T, c.store, options...)
	c.mounts = append(c.mounts, m)
	return m
}

// job is that of a process in which so many producers write lines to a file, each that often.
func (c *crew) job(file, name string, goroutines, appends int) oracle.Job {
	job := oracle.Job{Kind: "produce", File: file, Ledgers: c.ledgers, Appends: appends}
	for g := range goroutines {
		plan := c.plan
		plan.Producer = fmt.Sprintf("%s.%d", name, g)
		job.Plans = append(job.Plans, plan)
	}
	return job
}

// launch starts a job and has it at work.
func (c *crew) launch(job oracle.Job) *oracle.Process {
	c.Helper()
	p := oracle.Launch(c.T, job)
	p.Ready()
	p.Begin()
	return p
}

// consuming is the job of a process that reads the lines of a file, of which the first one has that
// offset.
func (c *crew) consuming(file string, first, until uint64) oracle.Job {
	notes := filepath.Join(c.ledgers, fmt.Sprintf("consumer.%d", len(c.notes)))
	c.notes = append(c.notes, notes)
	return oracle.Job{
		Kind: "consume", File: file, Topic: "t", First: first, Until: until, Notes: notes,
	}
}

// consume starts a consuming process.
func (c *crew) consume(file string, first, until uint64) *oracle.Process {
	c.Helper()
	return c.launch(c.consuming(file, first, until))
}

// finish waits for processes to end well.
func (c *crew) finish(processes ...*oracle.Process) {
	c.Helper()
	for _, p := range processes {
		said, err := p.Outcome()
		if err != nil {
			c.Fatalf("%v\nrun it again with: %s", err, c.run.Again())
		}
		c.run.Count("refused", oracle.Refused(said))
	}
}

// check unmounts, and has a fresh process compare the store with what producers and consumers
// noted.
func (c *crew) check() *oracle.Report {
	c.Helper()
	for _, m := range c.mounts {
		select {
		case <-m.daemon.done:
		default:
			m.unmount()
		}
	}
	report, err := oracle.CheckFresh(c.T, c.store, c.ledgers, oracle.Options{
		Consumers: c.notes, Engine: engine.Options{LockTimeout: time.Minute},
	})
	c.run.Require(report, err)
	return report
}
