package campaign_test

import (
	"os/exec"
	"testing"

	"purofs/engine/oracle"
)

// T16: a crowd on a slow machine. All processes have one processor each to run Go on, others keep
// the machine's busy, and strace(1) holds each up for a moment behind every write and every sync:
// with a block written and its signal still low, and with it raised and the lock still held.
func TestSlowMachine(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip(err)
	}
	c := newCrew(t, "T16")
	for range 2 {
		hog := exec.Command("sh", "-c", "while :; do :; done")
		if err := oracle.Spawn(hog); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = hog.Process.Kill()
			_ = hog.Wait()
		})
	}
	const delay = ":delay_exit=1000" // microseconds
	const processes, goroutines = 4, 2
	appends := oracle.Size(50, 1_000)
	c.crowd(processes, goroutines, appends, func(name string) *oracle.Process {
		p := oracle.LaunchWith(t, c.job(name, goroutines, appends), []string{"GOMAXPROCS=1"},
			strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64,pwritev,fdatasync",
			"-e", "inject=pwrite64"+delay, "-e", "inject=pwritev"+delay, "-e", "inject=fdatasync"+delay)
		p.Ready()
		return p
	})
}
