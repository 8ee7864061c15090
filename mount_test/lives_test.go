package mount_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"purofs/engine/oracle"
)

// A death is a way in which a mount ends while many write and read through it.
var deaths = []struct {
	name string
	root bool // only root can do it
	end  func(m *mount) (status int)
}{
	{"SIGKILL", false, func(m *mount) int {
		m.daemon.signal(syscall.SIGKILL)
		return m.daemon.wait()
	}},
	{"SIGTERM", false, func(m *mount) int {
		m.daemon.signal(syscall.SIGTERM)
		return m.daemon.wait()
	}},
	{"lazy umount", true, func(m *mount) int {
		if err := unix.Unmount(m.dir, unix.MNT_DETACH); err != nil {
			m.Fatal(err)
		}
		m.daemon.signal(syscall.SIGTERM) // those who have files open would keep it
		return m.daemon.wait()
	}},
	{"abort", true, func(m *mount) int {
		abortConnection(m, connection(m))
		return m.daemon.wait()
	}},
}

// T19: a mount comes to its end, in each way, under load, and is made again, again and again.
// Nobody hangs, nothing stays mounted, and what was acknowledged is there.
func TestLivesAndDeaths(t *testing.T) {
	for _, death := range deaths {
		t.Run(death.name, func(t *testing.T) {
			if death.root {
				needRoot(t)
			}
			c := newCrew(t, "T19")
			dir := newDir(t, "mnt")
			rounds := oracle.Size(4, 100)
			for round := range rounds {
				m := mountAt(t, c.store, dir, "segment_size=1M")
				crowd := c.load(m, round)
				time.Sleep(time.Duration(c.run.Rand.IntN(150)) * time.Millisecond) // any moment
				if status := death.end(m); status != 0 && status != 128+int(syscall.SIGKILL) {
					t.Errorf("the daemon ended with status %d: %s", status, lastLines(m.daemon.errors(), 5))
				}
				for _, p := range crowd {
					if _, err := p.Outcome(); err != nil {
						t.Fatalf("%v\nrun it again with: %s", err, c.run.Again())
					}
				}
			}
			// What is mounted last cleans up behind the one before.
			mountAt(t, c.store, dir).unmount()
			c.run.Count("lives", rounds)
			if report := c.check(); report.Acknowledged < uint64(rounds) {
				t.Errorf("only %d records were acknowledged: the ends come too early", report.Acknowledged)
			}
		})
	}
}

// load starts producers, and a consumer, that end with the mount.
func (c *crew) load(m *mount, round int) (crowd []*oracle.Process) {
	c.Helper()
	if round == 0 {
		m.mkdir("t")
	}
	for i := range 2 {
		job := c.job(m.path("t/append"), fmt.Sprintf("p%d-%d", round, i), 4, 0)
		job.Mortal, job.Reopen = true, i == 0
		crowd = append(crowd, c.launch(job))
	}
	job := c.consuming(m.path("t/stream"), 0, 0)
	job.Mortal = true
	return append(crowd, c.launch(job))
}

// connection is the number by which the kernel knows the connection of a mount to its daemon.
func connection(m *mount) uint32 {
	m.Helper()
	var st unix.Stat_t
	if err := unix.Stat(m.dir, &st); err != nil {
		m.Fatal(err)
	}
	return unix.Minor(st.Dev)
}

// abortConnection cuts a connection, as an administrator does where a daemon hangs; see
// Documentation/filesystems/fuse in the kernel.
func abortConnection(m *mount, connection uint32) {
	m.Helper()
	control := newDir(m.T, "control")
	if err := unix.Mount("none", control, "fusectl", 0, ""); err != nil {
		m.Skipf("no fusectl here: %v", err)
	}
	name := filepath.Join(control, strconv.Itoa(int(connection)), "abort")
	err := os.WriteFile(name, []byte("1"), 0)
	if err := errors.Join(err, unix.Unmount(control, 0)); err != nil {
		m.Fatal(err)
	}
}

// T19: writers and readers get signals all the time, which interrupt what they wait for. Nothing is
// written twice for it, nothing is lost, and the daemon keeps no file open for those that are gone.
func TestInterruptStorm(t *testing.T) {
	c := newCrew(t, "T19")
	m := c.mount("segment_size=1M", "lock_timeout=1m")
	m.mkdir("t")
	appends := oracle.Size(150, 5_000)
	before := openFiles(m)
	var crowd []*oracle.Process
	total := uint64(0)
	launch := func(job oracle.Job) {
		p := oracle.Launch(t, job)
		p.Ready()
		crowd = append(crowd, p)
	}
	for i := range 4 {
		job := c.job(m.path("t/append"), fmt.Sprintf("p%d", i), 4, appends)
		job.Reopen = i%2 == 0
		for _, plan := range job.Plans {
			total += plan.Records(appends)
		}
		launch(job)
	}
	for range 2 {
		launch(c.consuming(m.path("t/stream"), 0, total))
	}
	stop := make(chan struct{})
	var storm sync.WaitGroup
	storm.Go(func() { c.run.Count("signals", interrupt(crowd, stop)) })
	for _, p := range crowd {
		p.Begin()
	}
	c.finish(crowd...)
	close(stop)
	storm.Wait()
	until(t, "the daemon has closed the files of those that are gone", func() bool {
		return openFiles(m) <= before+keptOpen
	})
	if report := c.check(); report.Records != total || report.Acknowledged != total {
		t.Errorf("got %d records, %d acknowledged, want %d", report.Records, report.Acknowledged, total)
	}
}

// keptOpen is how many files a daemon may have open that it had not when it was new: segments, and
// the inotify descriptor, which is kept for a while.
const keptOpen = 4

// interrupt sends signals to processes until stop is closed, and returns how many.
func interrupt(crowd []*oracle.Process, stop <-chan struct{}) (sent int) {
	ticker := time.NewTicker(200 * time.Microsecond)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return sent
		case <-ticker.C:
			crowd[rand.IntN(len(crowd))].Send(syscall.SIGURG)
			sent++
		}
	}
}

// openFiles is how many files a daemon has open.
func openFiles(m *mount) int {
	m.Helper()
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", m.daemon.cmd.Process.Pid))
	if err != nil {
		m.Fatal(err)
	}
	return len(names)
}
