package oracle

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// SoakEnv is how long a soak lasts, as "1h".
const SoakEnv = "PUROFS_SOAK"

// A Soak watches what processes hold while a test goes on for long: memory, open files, threads. It
// is used by one goroutine at a time.
type Soak struct {
	// Duration is how long it shall last.
	Duration time.Duration

	run    *Run
	every  time.Duration
	last   time.Time
	pids   map[string]int
	levels map[string]*level
}

// A level is something that shall stay as it is: its samples, and what it may grow besides a tenth.
type level struct {
	values []float64
	slack  float64
}

// soakSamples is about how many samples are taken of each level.
const soakSamples = 200

// NewSoak starts a soak: of some seconds, or of ten minutes in a torture run, or of SoakEnv.
func NewSoak(run *Run) *Soak {
	s := &Soak{
		Duration: time.Duration(Size(6, 600)) * time.Second,
		run:      run, pids: make(map[string]int), levels: make(map[string]*level),
	}
	if text := os.Getenv(SoakEnv); text != "" {
		var err error
		if s.Duration, err = time.ParseDuration(text); err != nil {
			run.t.Fatalf("%s: %v", SoakEnv, err)
		}
	}
	s.every = s.Duration / soakSamples
	run.Note("soak_seconds", s.Duration.Seconds())
	return s
}

// Watch has the levels of a process sampled.
func (s *Soak) Watch(name string, pid int) { s.pids[name] = pid }

// Sample takes a sample of each process, unless the last one was taken just now.
func (s *Soak) Sample() {
	if time.Since(s.last) < s.every {
		return
	}
	s.last = time.Now()
	for name, pid := range s.pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue // it has ended; the test will say so
		}
		s.Level(name+" rss_mib", statusNumber(string(status), "VmRSS:")/1024)
		s.level(name+" threads", statusNumber(string(status), "Threads:"), soakThreads)
		if fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid)); err == nil {
			s.Level(name+" fds", float64(len(fds)))
		}
	}
}

// Level takes a sample of something else that shall stay as it is.
func (s *Soak) Level(name string, value float64) { s.level(name, value, soakSlack) }

func (s *Soak) level(name string, value, slack float64) {
	l := s.levels[name]
	if l == nil {
		l = &level{slack: slack}
		s.levels[name] = l
	}
	l.values = append(l.values, value)
}

// statusNumber is a number of /proc/PID/status, see proc(5).
func statusNumber(status, name string) float64 {
	_, rest, _ := strings.Cut(status, "\n"+name)
	n, _ := strconv.ParseFloat(strings.Fields(rest + " 0")[0], 64)
	return n
}

// What a level may grow besides a tenth.
const (
	// soakSlack is for what a garbage collector leaves at one time and not at another.
	soakSlack = 12
	// soakThreads is for the threads that a runtime keeps: as many as were once held up together,
	// which on a busy machine are more the longer it lasts.
	soakThreads = 64
)

// Flat fails the test if a level has grown: if its median in the last quarter of the time is above
// that in the second quarter.
func (s *Soak) Flat(t testing.TB) {
	t.Helper()
	for name, l := range s.levels {
		values := l.values
		quarter := len(values) / 4
		if quarter == 0 {
			continue
		}
		before, after := median(values[quarter:2*quarter]), median(values[3*quarter:])
		s.run.Note(name, fmt.Sprintf("%.0f %.0f", before, after))
		if after > before*1.1+l.slack {
			t.Errorf("%s went from %.0f to %.0f", name, before, after)
		}
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
