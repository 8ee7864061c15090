package mount_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"purofs/engine/oracle"
)

// crowdReaders are how many processes wait for the same record.
const crowdReaders = 1000

// crowdIdle is long enough for all of a crowd to have come back and to wait again: nothing reports
// that a thousand threads are blocked.
const crowdIdle = 300 * time.Millisecond

// BenchmarkMountCrowd has a thousand readers wait: what each costs in the daemon, how long it takes
// until one write has reached all, and what they cost a writer of another topic.
func BenchmarkMountCrowd(b *testing.B) {
	needBench(b)
	dir := purofsSide.open(b)
	client := newBenchClient(b, anotherTopic(b, dir))
	rate := func(readers int) {
		b.Run(fmt.Sprintf("write/readers=%d", readers), func(b *testing.B) {
			client.do(b, "write", b.N)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rec/s")
		})
	}
	rate(0)
	pid := daemonOf(b, filepath.Dir(dir))
	before := residentBytes(b, pid)
	crowd := newCrowd(b, filepath.Join(dir, "stream"))
	crowd.wake(b, dir) // the first time, memory is got that is not needed to wait
	time.Sleep(crowdIdle)
	each := float64(residentBytes(b, pid)-before) / crowdReaders
	b.Run("wake", func(b *testing.B) {
		var took time.Duration
		for range b.N {
			time.Sleep(crowdIdle)
			took += crowd.wake(b, dir)
		}
		b.ReportMetric(0, "ns/op") // it says nothing
		b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms-all")
		b.ReportMetric(each/1024, "KiB/reader")
	})
	time.Sleep(crowdIdle)
	rate(crowdReaders)
}

// A crowd is a process with many readers of a file.
type crowd struct{ lines *bufio.Reader }

func newCrowd(b *testing.B, file string) *crowd {
	b.Helper()
	process := child("bench-crowd", file, strconv.Itoa(crowdReaders))
	in, hold := benchPipe(b)
	result, out := benchPipe(b)
	process.Stdin, process.Stdout, process.Stderr = in, out, os.Stderr
	if err := oracle.Spawn(process); err != nil {
		b.Fatal(err)
	}
	out.Close()
	b.Cleanup(func() {
		hold.Close()
		if err := process.Wait(); err != nil {
			b.Error(err)
		}
	})
	c := &crowd{bufio.NewReader(result)}
	if line := c.line(b); line != "open" {
		b.Fatalf("the readers said %q", line)
	}
	return c
}

func (c *crowd) line(b *testing.B) string {
	b.Helper()
	line, err := c.lines.ReadString('\n')
	if err != nil {
		b.Fatalf("the readers said %q: %v", line, err)
	}
	return strings.TrimSpace(line)
}

// wake writes a line and returns how long it took until all had it.
func (c *crowd) wake(b *testing.B, dir string) time.Duration {
	b.Helper()
	began := now()
	if err := benchWrite(dir, 1, benchLine); err != nil {
		b.Fatal(err)
	}
	ended, err := strconv.ParseInt(c.line(b), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(ended - began)
}

// residentBytes is the memory of a process that is not shared with a file.
func residentBytes(b *testing.B, pid int) int {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, value, found := strings.Cut(string(text), "\nRssAnon:")
	var kib int
	if _, err := fmt.Sscan(value, &kib); !found || err != nil {
		b.Fatalf("no resident memory in %q: %v", text, err)
	}
	return kib << 10
}
