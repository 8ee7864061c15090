package benchmarks

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	openRecords = 10_000_000
	openEach    = 1000 // records a call
)

// BenchmarkOpen is goal E6: a process appends ten million records and is killed; how long a new
// process takes to open the log, and the most memory it had by then. "files" is about how many
// segments there are; raft-wal is not made for a single one, and by default has 21.
func BenchmarkOpen(b *testing.B) {
	for _, c := range []struct {
		files        string
		side         side
		segmentBytes int
	}{
		{"1", purofsSide, 1800 << 20},
		{"default", raftWALSide, 0},
		{"100", purofsSide, 11 << 20},
		{"100", raftWALSide, 14 << 20},
	} {
		b.Run(fmt.Sprintf("files=%s/%s", c.files, c.side.name), func(b *testing.B) {
			dir := b.TempDir()
			startChild(b, "fill", c.side.name, dir, c.segmentBytes).wait(b, true)
			benchOpen(b, c.side, dir, c.segmentBytes)
		})
	}
}

// benchOpen opens the store in a new process each time, which changes nothing and is killed.
func benchOpen(b *testing.B, s side, dir string, segmentBytes int) {
	var nanoseconds, kilobytes, most int
	total := 0
	for b.Loop() {
		c := startChild(b, "open", s.name, dir, segmentBytes)
		c.hear(b, &nanoseconds, &kilobytes)
		c.wait(b, true)
		total += nanoseconds
		most = max(most, kilobytes)
	}
	b.ReportMetric(0, "ns/op") // that of starting a process too; it would only mislead
	b.ReportMetric(float64(total)/float64(b.N)/1e6, "ms/open")
	b.ReportMetric(float64(most)/1024, "MiB-peak")
}

// fillAndDie is a child: it appends the records and is killed by itself.
func fillAndDie(args []string) error {
	st, err := openArgs(args)
	if err != nil {
		return err
	}
	add, err := st.producer()
	if err != nil {
		return err
	}
	for range openRecords / openEach {
		if err := add(openEach); err != nil {
			return err
		}
	}
	return die()
}

// openAndDie is a child: it opens the log, says how many nanoseconds that took and how many KiB of
// memory it has had at most, and is killed by itself, so that the next one finds the same.
func openAndDie(args []string) error {
	start := time.Now()
	if _, err := openArgs(args); err != nil {
		return err
	}
	took := time.Since(start)
	peak, err := peakMemory()
	if err != nil {
		return err
	}
	fmt.Println(took.Nanoseconds(), peak)
	return die()
}

// openArgs opens the store that a child's arguments name: side, directory, bytes of a segment.
func openArgs(args []string) (store, error) {
	segmentBytes, err := strconv.Atoi(args[2])
	if err != nil {
		return nil, err
	}
	return sideNamed(args[0]).open(args[1], options{segmentBytes: segmentBytes})
}

// peakMemory is the most KiB of memory this process has had resident.
func peakMemory() (int, error) {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), "VmHWM:"); found {
			var kib int
			_, err := fmt.Sscan(rest, &kib)
			return kib, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status does not say VmHWM")
}
