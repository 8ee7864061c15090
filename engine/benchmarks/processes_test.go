package benchmarks

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"purofs/engine"
)

// processesWindow is how long the processes append.
const processesWindow = time.Second

// BenchmarkProcesses is goal E5: processes that append to one store, one record a call, no sync.
func BenchmarkProcesses(b *testing.B) {
	for _, processes := range []int{1, 8} {
		for _, s := range []side{purofsSide, fileSide} {
			b.Run(fmt.Sprintf("processes=%d/%s", processes, s.name), func(b *testing.B) {
				benchProcesses(b, s, processes)
			})
		}
	}
}

func benchProcesses(b *testing.B, s side, processes int) {
	var total, slowest float64
	for b.Loop() {
		dir := b.TempDir()
		st, err := s.open(dir, options{}) // makes the store
		if err == nil {
			err = st.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
		children := make([]*child, processes)
		for i := range children {
			children[i] = startChild(b, "append", s.name, dir)
		}
		for _, c := range children {
			var ready int
			c.hear(b, &ready)
		}
		for _, c := range children {
			c.tell(b, "go")
		}
		<-time.After(processesWindow)
		for _, c := range children {
			c.in.Close()
		}
		sum, least := uint64(0), ^uint64(0)
		for _, c := range children {
			var count uint64
			c.hear(b, &count)
			c.wait(b, false)
			sum, least = sum+count, min(least, count)
		}
		if s.name == purofsSide.name {
			checkRecords(b, dir, sum)
		}
		total += float64(sum) / processesWindow.Seconds()
		slowest += float64(least) * float64(processes) / float64(sum)
	}
	b.ReportMetric(total/float64(b.N), "rec/s")
	b.ReportMetric(slowest/float64(b.N), "slowest/mean")
}

// checkRecords checks that the store has all that was acknowledged.
func checkRecords(b *testing.B, dir string, want uint64) {
	b.Helper()
	report, err := engine.Verify(context.Background(), filepath.Join(dir, "store"), nil)
	if err != nil {
		b.Fatal(err)
	}
	if !report.Sound() || uint64(report.Records) != want {
		b.Fatalf("the store has %d records and %d damaged places, want %d and 0",
			report.Records, len(report.Damage), want)
	}
}

// appendUntilTold is a child: it opens the store, says 0, waits for a line, appends until its
// standard input ends, and says how many records it appended.
func appendUntilTold(args []string) error {
	st, err := sideNamed(args[0]).open(args[1], options{})
	if err != nil {
		return err
	}
	add, err := st.producer()
	if err != nil {
		return err
	}
	fmt.Println(0)
	if _, err := fmt.Scanln(new(string)); err != nil {
		return err
	}
	var told atomic.Bool
	listening := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		told.Store(true)
		listening <- err
	}()
	count := 0
	for ; !told.Load(); count++ {
		if err := add(1); err != nil {
			return err
		}
	}
	if err := <-listening; err != nil {
		return err
	}
	fmt.Println(count)
	return st.Close()
}
