package mount_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"purofs/engine/oracle"
)

// The benchmarks compare a mount, of the program as people use it, with a go-fuse file system that
// does nothing (null), with plain files and with a named pipe. Everything runs in processes of its
// own: daemon, null file system, clients. The sides are open at the same time and measured one
// right after the other, so that they see the same machine; a ratio is to be taken within one run.

// A benchClient is a process that uses the files of one side.
type benchClient struct {
	dir    string
	orders *os.File
	done   *bufio.Reader
}

func newBenchClient(b *testing.B, dir string) *benchClient {
	b.Helper()
	process := child("bench-client", dir)
	in, orders := benchPipe(b)
	answers, out := benchPipe(b)
	process.Stdin, process.Stdout, process.Stderr = in, out, os.Stderr
	if err := oracle.Spawn(process); err != nil {
		b.Fatal(err)
	}
	out.Close()
	b.Cleanup(func() {
		orders.Close()
		if err := process.Wait(); err != nil {
			b.Error(err)
		}
	})
	return &benchClient{dir, orders, bufio.NewReader(answers)}
}

// benchPipe returns the two ends of a pipe.
func benchPipe(b *testing.B) (read, write *os.File) {
	b.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		read.Close()
		write.Close()
	})
	return read, write
}

// do has the client do something n times.
func (c *benchClient) do(b *testing.B, action string, n int) {
	b.Helper()
	fmt.Fprintln(c.orders, action, n)
	if line, err := c.done.ReadString('\n'); err != nil {
		b.Fatalf("the client said %q: %v", line, err)
	}
}

// compare measures an action on each side. bytes is what one moves, or 0 if records are counted.
func compare(b *testing.B, action string, bytes int64, sides ...benchSide) {
	needBench(b)
	clients := make([]*benchClient, len(sides))
	for i, side := range sides {
		clients[i] = newBenchClient(b, side.open(b))
		if strings.HasPrefix(action, "read") {
			clients[i].do(b, "write1MiB", benchLogBytes>>20)
		}
	}
	for i, side := range sides {
		b.Run(side.name, func(b *testing.B) {
			b.SetBytes(bytes)
			clients[i].do(b, action, b.N)
			if bytes == 0 {
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rec/s")
			}
		})
	}
}

// BenchmarkMountWrite is one line of 100 bytes a write(2), to a file that is open.
func BenchmarkMountWrite(b *testing.B) {
	b.Run("writers=1", func(b *testing.B) { compare(b, "write", 0, purofsSide, nullSide, fileSide) })
	b.Run("writers=4", func(b *testing.B) { compare(b, "write4", 0, purofsSide, nullSide, fileSide) })
}

// BenchmarkMountCycle is open to append, write one line, close.
func BenchmarkMountCycle(b *testing.B) { compare(b, "cycle", 0, purofsSide, nullSide, fileSide) }

// BenchmarkMountEcho is the same done by a shell.
func BenchmarkMountEcho(b *testing.B) {
	needBench(b)
	sides := []benchSide{purofsSide, nullSide, fileSide}
	dirs := make([]string, len(sides))
	for i, side := range sides {
		dirs[i] = side.open(b)
	}
	script := `line=$(head -c 99 /dev/zero | tr '\0' x)
		for ((i = 0; i < $1; i++)); do echo "$line" >> append; done`
	for i, side := range sides {
		b.Run(side.name, func(b *testing.B) {
			shell := exec.Command("bash", "-c", script, "bash", strconv.Itoa(b.N))
			shell.Dir, shell.Stderr = dirs[i], os.Stderr
			if err := shell.Run(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rec/s")
		})
	}
}

// BenchmarkMountBulk is 1 MiB of lines of 100 bytes a write(2).
func BenchmarkMountBulk(b *testing.B) {
	compare(b, "write1MiB", 1<<20, purofsSide, nullSide, fileSide)
}

// BenchmarkMountRead reads a log that was written 1 MiB a call.
func BenchmarkMountRead(b *testing.B) {
	b.Run("size=128KiB", func(b *testing.B) {
		compare(b, "read128K", 128<<10, purofsSide, nullSide, fileSide)
	})
	b.Run("size=1MiB", func(b *testing.B) {
		compare(b, "read1M", 1<<20, purofsSide, nullSide, fileSide)
	})
}

// wakeMessages are sent for one measurement, so that one of a hundred is not the only one.
const wakeMessages = 1000

// BenchmarkMountWake is the time from before a write(2) until a read(2) of another process, which
// waited for it, has returned.
func BenchmarkMountWake(b *testing.B) {
	needBench(b)
	sides := []benchSide{purofsSide, nullSide, pipeSide}
	dirs := make([]string, len(sides))
	for i, side := range sides {
		dirs[i] = side.open(b)
	}
	for _, idle := range []time.Duration{0, time.Millisecond} {
		for i, side := range sides {
			b.Run(fmt.Sprintf("idle=%v/%s", idle, side.name), func(b *testing.B) {
				var half, most float64
				for range b.N {
					dir := dirs[i]
					if side.name == purofsSide.name {
						dir = anotherTopic(b, dir)
					}
					h, m := wake(b, dir, idle)
					half, most = half+h, most+m
				}
				b.ReportMetric(0, "ns/op") // it says nothing
				b.ReportMetric(half/float64(b.N)/1e3, "p50-us")
				b.ReportMetric(most/float64(b.N)/1e3, "p99-us")
			})
		}
	}
}

// anotherTopic makes a topic without a record, beside that of dir.
func anotherTopic(b *testing.B, dir string) string {
	b.Helper()
	topic, err := os.MkdirTemp(filepath.Dir(dir), "topic.")
	if err != nil {
		b.Fatal(err)
	}
	return topic
}

// wake sends messages to a process that waits for each, and returns after how many nanoseconds half
// of them, and 99 of 100, had come.
func wake(b *testing.B, dir string, idle time.Duration) (half, most float64) {
	b.Helper()
	waiting := child("bench-wait", filepath.Join(dir, "stream"), strconv.Itoa(wakeMessages))
	result, out := benchPipe(b)
	answers, answer := benchPipe(b)
	waiting.Stdout, waiting.Stderr, waiting.ExtraFiles = out, os.Stderr, []*os.File{answer}
	if err := oracle.Spawn(waiting); err != nil {
		b.Fatal(err)
	}
	out.Close()
	answer.Close()
	sent := benchSend(filepath.Join(dir, "append"), answers, wakeMessages, idle)
	if sent != nil {
		_ = waiting.Process.Kill()
	}
	if err := errors.Join(sent, waiting.Wait()); err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Fscanln(result, &half, &most); err != nil {
		b.Fatal(err)
	}
	return half, most
}
