package transport_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"purofs/engine/oracle"
	"purofs/fs/transport"
)

// The benchmarks compare a file system that does nothing behind this package with the same behind
// go-fuse's own server. The client is a process of its own: this test binary, run again.
const clientEnv = "TRANSPORT_TEST_CLIENT"

func TestMain(m *testing.M) {
	oracle.RunJob()
	if dir := os.Getenv(clientEnv); dir != "" {
		if err := client(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(oracle.RunKept(m, "purofs-transport-test", nil))
}

// client performs the orders on its standard input, each an action and a number of times.
func client(dir string) error {
	actions := map[string]func(n int) error{
		"write100": fileAction(dir, "null", unix.O_WRONLY, 100, unix.Write),
		"write1M":  fileAction(dir, "null", unix.O_WRONLY, 1<<20, unix.Write),
		"read1M":   fileAction(dir, "null", unix.O_RDONLY, 1<<20, unix.Read),
		"cycle": func(n int) error {
			write := fileAction(dir, "null", unix.O_WRONLY|unix.O_APPEND, 100, unix.Write)
			for range n {
				if err := write(1); err != nil {
					return err
				}
			}
			return nil
		},
		"write100x4": func(n int) error {
			var clients errgroup
			for i := range 4 {
				clients.start(func() error {
					return fileAction(dir, "null", unix.O_WRONLY, 100, unix.Write)((n + i) / 4)
				})
			}
			return clients.wait()
		},
		"wake": func(n int) error { return pingPong(dir, n) },
	}
	in := bufio.NewReader(os.Stdin)
	for {
		var action string
		var n int
		if _, err := fmt.Fscanln(in, &action, &n); err != nil {
			return nil // the benchmark is over
		}
		if err := actions[action](n); err != nil {
			return fmt.Errorf("%s: %w", action, err)
		}
		fmt.Println("done")
	}
}

// An errgroup waits for goroutines and keeps their errors.
type errgroup struct {
	sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (g *errgroup) start(f func() error) {
	g.Go(func() {
		err := f()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.errs = append(g.errs, err)
	})
}

func (g *errgroup) wait() error {
	g.Wait()
	return errors.Join(g.errs...)
}

// fileAction opens a file, calls n times with a buffer of that size, and closes it.
func fileAction(
	dir, name string, flags, size int, call func(fd int, buf []byte) (int, error),
) func(n int) error {
	path := filepath.Join(dir, name)
	return func(n int) error {
		fd, err := unix.Open(path, flags, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		buf := make([]byte, size)
		for range n {
			if done, err := call(fd, buf); err != nil || done != size {
				return fmt.Errorf("%d of %d bytes: %w", done, size, err)
			}
		}
		return nil
	}
}

// pingPong has one thread wait in a read while another wakes it with a write.
func pingPong(dir string, n int) error {
	read := make(chan error, 1)
	turn := make(chan struct{})
	go func() {
		read <- fileAction(dir, "stream", unix.O_RDONLY, 4, func(fd int, buf []byte) (int, error) {
			n, err := unix.Read(fd, buf)
			turn <- struct{}{}
			return n, err
		})(n)
	}()
	write := fileAction(dir, "wake", unix.O_WRONLY, 4, func(fd int, buf []byte) (int, error) {
		n, err := unix.Write(fd, buf)
		<-turn
		return n, err
	})
	if err := write(n); err != nil {
		return err
	}
	return <-read
}

func BenchmarkTransportWrite100(b *testing.B)    { compare(b, "write100", 100) }
func BenchmarkTransportWrite100By4(b *testing.B) { compare(b, "write100x4", 100) }
func BenchmarkTransportCycle(b *testing.B)       { compare(b, "cycle", 100) }
func BenchmarkTransportWrite1M(b *testing.B)     { compare(b, "write1M", 1<<20) }
func BenchmarkTransportRead1M(b *testing.B)      { compare(b, "read1M", 1<<20) }
func BenchmarkTransportParkAndWake(b *testing.B) { compare(b, "wake", 4) }

func compare(b *testing.B, action string, bytes int64) {
	for name, mount := range map[string]func(testing.TB) string{
		"gofuse": mountGoFuse,
		"purofs": func(tb testing.TB) string {
			dir, _ := mount(tb, newNullFS(), zerolog.Nop())
			return dir
		},
	} {
		b.Run(name, func(b *testing.B) {
			dir := mount(b)
			process := exec.Command(os.Args[0])
			process.Env = append(os.Environ(), clientEnv+"="+dir)
			process.Stderr = os.Stderr
			orders, err := process.StdinPipe()
			if err != nil {
				b.Fatal(err)
			}
			answers, err := process.StdoutPipe()
			if err != nil {
				b.Fatal(err)
			}
			if err := oracle.Spawn(process); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(bytes)
			b.ReportAllocs()
			b.ResetTimer()
			fmt.Fprintln(orders, action, b.N)
			if line, err := bufio.NewReader(answers).ReadString('\n'); err != nil {
				b.Fatalf("the client said %q: %v", line, err)
			}
			b.StopTimer()
			_ = orders.Close()
			if err := process.Wait(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// mountGoFuse mounts the null file system behind go-fuse's own server, with the same options.
func mountGoFuse(tb testing.TB) string {
	if os.Geteuid() != 0 {
		tb.Skip("mounting directly needs root")
	}
	tb.Helper()
	dir := tb.TempDir()
	server, err := fuse.NewServer(newNullFS(), dir, &fuse.MountOptions{
		MaxWrite: transport.MaxWrite, MaxBackground: 64, DirectMountStrict: true,
		DirectMountFlags:  unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC,
		ExtraCapabilities: fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_HANDLE_KILLPRIV_V2,
		Name:              "null", IgnoreSecurityLabels: true,
		DisableSplice: true, // it would complain of each answer of 1 MiB, and splice none of it
	})
	if err != nil {
		tb.Fatal(err)
	}
	go server.Serve()
	tb.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			tb.Error(err)
		}
	})
	if err := server.WaitMount(); err != nil {
		tb.Fatal(err)
	}
	return dir
}
