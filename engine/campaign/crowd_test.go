package campaign_test

import (
	"fmt"
	"sync"
	"testing"

	"purofs/engine/oracle"
)

// T9: many processes append at once, alone or with several goroutines each, while four others read
// along. All see all, in one order. How far the slowest had come when the fastest was done is
// published.
func TestCrowd(t *testing.T) {
	for _, tt := range []struct {
		name                           string
		processes, goroutines, appends int
	}{
		{"processes", oracle.Size(8, 64), 1, oracle.Size(2_000, 50_000)},
		{"goroutines", oracle.Size(4, 32), oracle.Size(4, 8), oracle.Size(300, 10_000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCrew(t, "T9")
			c.engine.SegmentBytes = int64(oracle.Size(1, 64)) << 20
			c.crowd(tt.processes, tt.goroutines, tt.appends, func(name string) *oracle.Process {
				return c.produce(name, tt.goroutines, tt.appends)
			})
		})
	}
}

// crowd has processes append, and four read, and checks what came of it.
func (c *crew) crowd(
	processes, goroutines, appends int, produce func(name string) *oracle.Process,
) {
	c.Helper()
	total := uint64(processes * goroutines * appends)
	var producers, consumers []*oracle.Process
	for i := range processes {
		producers = append(producers, produce(fmt.Sprintf("p%d", i)))
	}
	for range 4 {
		consumers = append(consumers, c.consume(0, total))
	}
	for _, p := range producers {
		p.Begin()
	}
	var first sync.Once
	var wg sync.WaitGroup
	for _, p := range producers {
		wg.Go(func() {
			said, err := p.Outcome()
			if err != nil {
				c.Error(err)
			}
			first.Do(c.fairness)
			c.run.Count("refused", oracle.Refused(said))
		})
	}
	wg.Wait()
	if c.Failed() {
		c.Fatalf("run it again with: %s", c.run.Again())
	}
	for _, p := range consumers {
		p.Finish()
	}
	c.run.Note("processes", processes)
	c.run.Note("goroutines", goroutines)
	report := c.check()
	if report.Acknowledged != total || report.Records != total {
		c.Errorf("got %d records, %d acknowledged, want %d", report.Records, report.Acknowledged, total)
	}
	if want := 4 * int(total/64); report.Sightings < want {
		c.Errorf("consumers noted %d times what they saw, want %d", report.Sightings, want)
	}
}

// fairness publishes how far the slowest producer is behind.
func (c *crew) fairness() {
	least, mean := c.books().Fairness()
	c.run.Note("slowest_to_mean", float64(int(100*float64(least)/max(1, mean)))/100)
}
