package mount_test

import (
	"fmt"
	"testing"

	"purofs/engine/oracle"
)

// T18: many write through mounts, with a write(2) an append: a few lines, of which some are larger
// than one request of the kernel. Lines are never mixed, and what was one write stands together.
func TestManyWriters(t *testing.T) {
	for _, tt := range []struct {
		name       string
		mounts     int
		reopen     bool // as >> does, or each process with one file for all of its producers
		recordsMax int
		bytesMax   int
		appends    int
	}{
		{"one mount, >>", 1, true, 4, 200 << 10, oracle.Size(500, 20_000)},
		{"one mount, files kept open", 1, false, 4, 200 << 10, oracle.Size(500, 20_000)},
		{"two mounts of a store, >>", 2, true, 4, 200 << 10, oracle.Size(500, 20_000)},
		{"lines of up to 3 MiB", 2, true, 1, 3 << 20, oracle.Size(5, 500)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCrew(t, "T18")
			c.plan.RecordsMax, c.plan.BytesMax = tt.recordsMax, tt.bytesMax
			c.crowd(tt.mounts, tt.reopen, tt.appends)
		})
	}
}

// consumedAtOnceMax is how many records a consumer sees at most without noting it.
const consumedAtOnceMax = 64

// crowd has 64 producers in 8 processes write through mounts, and one follow on each.
func (c *crew) crowd(mounts int, reopen bool, appends int) {
	c.Helper()
	const processes, goroutines = 8, 8
	for range mounts {
		c.mount("segment_size=4M", "lock_timeout=1m")
	}
	c.mounts[0].mkdir("t")
	var jobs []oracle.Job
	total := uint64(0)
	for i := range processes {
		m := c.mounts[i%mounts]
		job := c.job(m.path("t/append"), fmt.Sprintf("p%d", i), goroutines, appends)
		job.Reopen = reopen
		for _, plan := range job.Plans {
			total += plan.Records(appends)
		}
		jobs = append(jobs, job)
	}
	var all []*oracle.Process
	for _, m := range c.mounts {
		all = append(all, c.consume(m.path("t/stream"), 0, total))
	}
	for _, job := range jobs {
		all = append(all, c.launch(job))
	}
	c.finish(all...)
	report := c.check()
	if report.Acknowledged != total || report.Records != total {
		c.Errorf("got %d records, %d acknowledged, want %d", report.Records, report.Acknowledged, total)
	}
	if report.Sightings < mounts*int(total)/consumedAtOnceMax {
		c.Errorf("consumers noted %d times what they saw", report.Sightings)
	}
}
