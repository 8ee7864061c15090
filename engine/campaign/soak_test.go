package campaign_test

import (
	"os"
	"runtime"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/oracle"
)

// T22: a riot that goes on for long, beside some that live all along: a producer, a consumer, and
// this process, which has the log open. What they hold stays as it is: memory, open files,
// goroutines. PUROFS_SOAK says for how long, as "1h".
func TestSoak(t *testing.T) {
	c := newCrew(t, "T22")
	c.engine.Sync, c.engine.SegmentBytes = engine.SyncInterval, 16<<20
	pause, step := 20*time.Millisecond, time.Second
	if !oracle.Torture() {
		pause, step = time.Millisecond, 100*time.Millisecond
	}
	r := c.riot(3, pause)
	job := c.job("resident", 2, 0)
	job.Pause = pause
	producer := oracle.Launch(t, job)
	producer.Ready()
	producer.Begin()
	consumer := c.consume(0, 0)

	soak := oracle.NewSoak(c.run)
	soak.Watch("producer", producer.Process.Pid)
	soak.Watch("consumer", consumer.Process.Pid)
	soak.Watch("self", os.Getpid())
	r.goOnFor(soak.Duration, step, func() {
		soak.Sample()
		soak.Level("self goroutines", float64(runtime.NumGoroutine()))
	})
	producer.Stop()
	r.refused += oracle.Refused(producer.Finish())
	consumer.Stop()
	consumer.Finish()
	r.end()
	c.check()
	soak.Flat(t)
}
