package mount_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"purofs/engine/oracle"
)

// T22: a daemon lives on while writers and readers of its mount are killed, stopped for a while,
// and replaced. What it holds stays as it is: memory, open files, threads. PUROFS_SOAK says for how
// long.
func TestSoak(t *testing.T) {
	c := newCrew(t, "T22")
	c.plan.BytesMax = 2 << 10
	m := c.mount("segment_size=16M", "lock_timeout=100ms")
	m.mkdir("t")
	pause, step := 20*time.Millisecond, time.Second
	if !oracle.Torture() {
		pause, step = time.Millisecond, 100*time.Millisecond
	}
	soak := oracle.NewSoak(c.run)
	soak.Watch("daemon", m.daemon.cmd.Process.Pid)
	var writers, readers []*oracle.Process
	launched := 0
	write := func() *oracle.Process {
		launched++
		job := c.job(m.path("t/append"), fmt.Sprintf("p%d", launched), 2, 0)
		job.Pause, job.Reopen = pause, launched%2 == 0
		return c.launch(job)
	}
	for range 4 {
		writers = append(writers, write())
	}
	resident := c.consume(m.path("t/stream"), 0, 0)
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for end := time.Now().Add(soak.Duration); time.Now().Before(end); <-ticker.C {
		soak.Sample()
		i := c.run.Rand.IntN(len(writers))
		switch c.run.Rand.IntN(4) {
		case 0:
			writers[i].Kill()
			writers[i] = write()
			c.run.Count("kills", 1)
		case 1:
			// What is stopped in the middle of a write(2) has the daemon wait for nothing.
			writers[i].Send(syscall.SIGSTOP)
			time.AfterFunc(step*3/2, func() { writers[i].Send(syscall.SIGCONT) })
			c.run.Count("stops", 1)
		case 2:
			readers = append(readers, c.consume(m.path("t/from/0"), 0, 0))
			c.run.Count("readers", 1)
		case 3:
			if len(readers) > 0 {
				readers[0].Kill()
				readers = readers[1:]
			}
		}
	}
	for _, p := range writers {
		p.Send(syscall.SIGCONT)
		p.Stop()
	}
	c.finish(writers...)
	for _, p := range append(readers, resident) {
		p.Kill() // it waits for more
	}
	c.check()
	soak.Flat(t)
}
