package campaign_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/oracle"
)

// T10: a crowd in which every 50 ms somebody is killed and replaced, or stopped for a while, or a
// reader comes or goes. Those who wait too long for somebody who was stopped are refused: nobody
// takes a lock away, and what was refused is never there.
func TestRiot(t *testing.T) {
	c := newCrew(t, "T10")
	c.plan.RecordsMax, c.plan.BytesMax = 3, 100<<10
	// With a pause the oracle reads in minutes what was written in a quarter of an hour.
	r := c.riot(oracle.Size(4, 8), time.Duration(oracle.Size(0, 5))*time.Millisecond)
	r.goOnFor(time.Duration(oracle.Size(60, 15*60))*time.Second, 50*time.Millisecond, nil)
	r.end()
	// In a few seconds nobody may happen to hold the lock when it is stopped.
	if r.refused == 0 && oracle.Torture() {
		t.Error("nobody was refused: no holder of the lock was stopped long enough")
	}
	c.check()
}

// A riot is producers and consumers to which something happens all the time.
type riot struct {
	*crew
	log       *engine.Log
	producers []*rioter
	consumers []*oracle.Process
	pause     time.Duration // of a producer after each append
	started   int
	refused   int
}

// A rioter is a producer that may be stopped.
type rioter struct {
	*oracle.Process
	resume time.Time // zero unless it is stopped
}

const (
	riotTimeout = 100 * time.Millisecond // for the lock
	riotReaders = 4
)

// riot starts the producers.
func (c *crew) riot(producers int, pause time.Duration) *riot {
	c.Helper()
	c.engine.LockTimeout = time.Minute
	r := &riot{crew: c, log: c.open(), pause: pause}
	c.engine.LockTimeout = riotTimeout
	for range producers {
		r.producers = append(r.producers, r.start())
	}
	return r
}

// start starts a producer under a name of its own. Not everybody is fast enough to open the store
// while others are stopped, so they are patient there.
func (r *riot) start() *rioter {
	r.Helper()
	r.started++
	job := r.job(fmt.Sprintf("p%d", r.started), 2, 0)
	job.Pause = r.pause
	p := oracle.Launch(r, job)
	p.Ready()
	p.Begin()
	return &rioter{Process: p}
}

// goOnFor has something happen at each step, for that long; meanwhile is called after each, if it
// is not nil.
func (r *riot) goOnFor(d, step time.Duration, meanwhile func()) {
	r.Helper()
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-ticker.C {
		r.resumeDue(time.Now())
		switch r.run.Rand.IntN(4) {
		case 0:
			r.kill()
		case 1, 2:
			r.stop()
		default:
			r.readers()
		}
		if meanwhile != nil {
			meanwhile()
		}
	}
}

// resumeDue has those go on who were stopped for long enough.
func (r *riot) resumeDue(now time.Time) {
	for _, p := range r.producers {
		if !p.resume.IsZero() && !now.Before(p.resume) {
			p.Send(syscall.SIGCONT)
			p.resume = time.Time{}
		}
	}
}

func (r *riot) kill() {
	r.Helper()
	r.resumeDue(time.Now().Add(time.Hour)) // the next one shall get in
	i := r.run.Rand.IntN(len(r.producers))
	r.producers[i].Kill()
	r.complain(r.producers[i].Process)
	r.producers[i] = r.start()
	r.run.Count("kills", 1)
}

// complain fails the test if a process that was killed had met an error before.
func (r *riot) complain(p *oracle.Process) {
	r.Helper()
	if said := p.Errors(); said != "" {
		r.Fatalf("%s\nrun it again with: %s", said, r.run.Again())
	}
}

func (r *riot) stop() {
	p := r.producers[r.run.Rand.IntN(len(r.producers))]
	if !p.resume.IsZero() {
		return
	}
	p.Send(syscall.SIGSTOP)
	longest := oracle.Size(900, 4900)
	p.resume = time.Now().Add(time.Duration(100+r.run.Rand.IntN(longest)) * time.Millisecond)
	r.run.Count("stops", 1)
}

// readers has a reader come, somewhere in the topic, or go.
func (r *riot) readers() {
	r.Helper()
	if n := len(r.consumers); n > 0 && r.run.Rand.IntN(riotReaders) < n {
		r.consumers[0].Kill()
		r.complain(r.consumers[0])
		r.consumers = r.consumers[1:]
		return
	}
	info, err := r.log.Topic(oracle.TopicDefault)
	if err != nil {
		return // it has no record yet
	}
	r.consumers = append(r.consumers, r.consume(r.run.Rand.Uint64N(info.Next+1), 0))
	r.run.Count("readers", 1)
}

// end has everybody finish.
func (r *riot) end() {
	r.Helper()
	r.resumeDue(time.Now().Add(time.Hour))
	for _, p := range r.producers {
		p.Stop()
	}
	for _, p := range r.producers {
		r.refused += oracle.Refused(p.Finish())
	}
	for _, p := range r.consumers {
		p.Stop()
		p.Finish()
	}
	r.run.Count("refused", r.refused)
	if err := r.log.Close(); err != nil {
		r.Fatal(err)
	}
}
