package campaign_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/oracle"
)

func TestMain(m *testing.M) {
	if store := os.Getenv(spinEnv); store != "" {
		if err := spin(store); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	oracle.RunJob()
	os.Exit(m.Run())
}

// A crew is the processes that share a store in a test.
type crew struct {
	*testing.T
	run            *oracle.Run
	store, ledgers string
	engine         engine.Options // of all processes
	plan           oracle.Plan    // of all producers, but for their names
	notes          []string       // of consumers
}

// newCrew is one without a member yet, for the test with that number.
func newCrew(t *testing.T, id string) *crew {
	t.Helper()
	run := oracle.Start(t, id)
	c := &crew{
		T: t, run: run,
		engine: engine.Options{
			SegmentBytes: 1 << 20, Sync: engine.SyncNone, LockTimeout: time.Minute,
		},
		plan: oracle.Plan{Seed: run.Seed, Keyed: true},
	}
	c.newStore()
	return c
}

// newStore leaves what is there and goes on with a new store and empty ledgers.
func (c *crew) newStore() {
	c.Helper()
	for _, dir := range []string{c.store, c.ledgers} {
		if err := os.RemoveAll(dir); err != nil {
			c.Fatal(err)
		}
	}
	c.store, c.ledgers, c.notes = filepath.Join(c.TempDir(), "store"), oracle.Aside(c), nil
}

// job is that of a process in which so many producers append, each that often.
func (c *crew) job(name string, goroutines, appends int) oracle.Job {
	job := oracle.Job{
		Kind: "produce", Store: c.store, Engine: c.engine, Ledgers: c.ledgers, Appends: appends,
	}
	for g := range goroutines {
		plan := c.plan
		plan.Producer = fmt.Sprintf("%s.%d", name, g)
		job.Plans = append(job.Plans, plan)
	}
	return job
}

// produce starts a process in which so many producers append, and has it ready.
func (c *crew) produce(name string, goroutines, appends int, wrapper ...string) *oracle.Process {
	c.Helper()
	p := oracle.Launch(c, c.job(name, goroutines, appends), wrapper...)
	p.Ready()
	return p
}

// consume starts a process that reads a topic, and has it reading.
func (c *crew) consume(first, until uint64) *oracle.Process {
	c.Helper()
	notes := filepath.Join(c.ledgers, fmt.Sprintf("consumer.%d", len(c.notes)))
	p := oracle.Launch(c, oracle.Job{
		Kind: "consume", Store: c.store, Engine: c.engine, Topic: oracle.TopicDefault,
		First: first, Until: until, Notes: notes,
	})
	p.Ready()
	p.Begin()
	c.notes = append(c.notes, notes)
	return p
}

// open opens the store in this process.
func (c *crew) open() *engine.Log {
	c.Helper()
	l, err := engine.Open(context.Background(), c.store, c.engine)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, engine.ErrClosed) {
			c.Error(err)
		}
	})
	return l
}

// check has a fresh process compare the store with what producers and consumers noted.
func (c *crew) check(otherTopics ...string) *oracle.Report {
	c.Helper()
	report, err := oracle.CheckFresh(c, c.store, c.ledgers, oracle.Options{
		Consumers: c.notes, OtherTopics: otherTopics, Engine: c.engine,
	})
	c.run.Require(report, err)
	return report
}

// books reads the ledgers of all producers, as they are now.
func (c *crew) books() *oracle.Books {
	c.Helper()
	names, err := filepath.Glob(oracle.LedgerOf(c.ledgers, "*"))
	if err != nil {
		c.Fatal(err)
	}
	books, err := oracle.ReadBooks(names...)
	if err != nil {
		c.Fatal(err)
	}
	return books
}

// appendOne appends a record of this process to a topic, and returns how long that took.
func (c *crew) appendOne(l *engine.Log, topic string) time.Duration {
	c.Helper()
	var b engine.Batch
	b.Add(topic, nil, []byte("alive"))
	began := time.Now()
	if err := l.Append(context.Background(), &b); err != nil {
		c.Fatalf("%v\nrun it again with: %s", err, c.run.Again())
	}
	return time.Since(began)
}

// publish notes percentiles of times.
func (c *crew) publish(name string, times []time.Duration) {
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	for _, p := range []int{50, 99} {
		c.run.Note(fmt.Sprintf("%s_p%d_ms", name, p), milliseconds(times[len(times)*p/100]))
	}
	c.run.Note(name+"_max_ms", milliseconds(times[len(times)-1]))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
