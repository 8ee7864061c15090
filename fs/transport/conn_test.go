package transport_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"purofs/engine/oracle"
	"purofs/fs/transport"
)

// mountDevice mounts an open /dev/fuse on a new directory.
func mountDevice(tb testing.TB) (dir string, fd int) {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("mounting directly needs root")
	}
	dir = tb.TempDir()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		tb.Skip(err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,max_read=%d",
		fd, transport.MaxWrite)
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("null", dir, "fuse.null", flags, options); err != nil {
		tb.Fatal(err)
	}
	return dir, fd
}

// open opens a file without the runtime's poller, which would send requests of its own.
func open(tb testing.TB, dir, name string, flags int) (fd int) {
	tb.Helper()
	fd, err := unix.Open(filepath.Join(dir, name), flags|unix.O_CLOEXEC, 0)
	if err != nil {
		tb.Fatalf("open %s: %v", name, err)
	}
	return fd
}

func TestWriteArrivesWhole(t *testing.T) {
	fsys := newNullFS()
	fsys.written = make(chan []byte, 1)
	dir, _ := mount(t, fsys, zerolog.Nop())
	fd := open(t, dir, "null", unix.O_WRONLY)
	defer unix.Close(fd)
	// One page less than the most: the kernel counts the pages that a write touches.
	for _, size := range []int{1, 100, 4016, 4017, 4096, 65536, 1<<20 - 4096} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * 7 >> 3)
		}
		if n, err := unix.Write(fd, data); n != size || err != nil {
			t.Fatalf("write of %d: got %d, %v", size, n, err)
		}
		if got := <-fsys.written; !bytes.Equal(got, data) {
			t.Errorf("write of %d arrived as %d bytes, equal: false", size, len(got))
		}
	}
}

func TestReadSizes(t *testing.T) {
	dir, _ := mount(t, newNullFS(), zerolog.Nop())
	fd := open(t, dir, "null", unix.O_RDONLY)
	defer unix.Close(fd)
	for _, size := range []int{1, 100, 4096, 4097, 128 << 10, 1 << 20} {
		if n, err := unix.Pread(fd, make([]byte, size), 0); n != size || err != nil {
			t.Errorf("read of %d: got %d, %v", size, n, err)
		}
	}
}

func TestOtherRequests(t *testing.T) {
	dir, _ := mount(t, newNullFS(), zerolog.Nop())
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(nullFiles) {
		t.Errorf("readdir: got %v, %v", entries, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "x"), 0o777); !errors.Is(err, unix.ENOSYS) {
		t.Errorf("mkdir: got %v, want ENOSYS", err)
	}
	if _, err := unix.Getxattr(filepath.Join(dir, "null"), "user.x", nil); err != unix.ENOTSUP {
		t.Errorf("getxattr: got %v, want ENOTSUP", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat: got %v, want ENOENT", err)
	}
}

// A reading is what a thread got from a read that waited.
type reading struct {
	text string
	err  error
}

// readers starts threads that wait in a read, each with its own open file, and returns their ids.
func readers(t *testing.T, fsys *nullFS, dir string, n int) (tids []int, results <-chan reading) {
	t.Helper()
	out := make(chan reading, n)
	started := make(chan int, n)
	for range n {
		fd := open(t, dir, "stream", unix.O_RDONLY)
		go func() {
			quietThread(t)
			defer unix.Close(fd)
			started <- unix.Gettid()
			buf := make([]byte, 64)
			n, err := unix.Read(fd, buf)
			out <- reading{string(buf[:max(n, 0)]), err}
		}()
	}
	for range n {
		tids = append(tids, <-started)
		<-fsys.parked
	}
	return tids, out
}

// quietThread gives the goroutine a thread of its own, which the runtime's preemption does not
// interrupt.
func quietThread(t *testing.T) {
	runtime.LockOSThread()
	var set unix.Sigset_t
	set.Val[0] = 1 << (unix.SIGURG - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil); err != nil {
		t.Error(err)
	}
}

func TestParkedReadersWake(t *testing.T) {
	fsys := newNullFS()
	dir, _ := mount(t, fsys, zerolog.Nop())
	const n = 1000
	_, results := readers(t, fsys, dir, n)
	if woken := fsys.wake("hello"); woken != n {
		t.Errorf("woke %d readers, want %d", woken, n)
	}
	for range n {
		if got := <-results; got != (reading{"hello", nil}) {
			t.Fatalf("got %+v, want hello", got)
		}
	}
}

func TestParkedReadersAreInterrupted(t *testing.T) {
	signals := make(chan os.Signal, 4096)
	signal.Notify(signals, unix.SIGUSR1)
	defer signal.Stop(signals)
	fsys := newNullFS()
	dir, _ := mount(t, fsys, zerolog.Nop())
	tids, results := readers(t, fsys, dir, 500)
	for _, tid := range tids {
		if err := unix.Tgkill(os.Getpid(), tid, unix.SIGUSR1); err != nil {
			t.Fatal(err)
		}
	}
	for range tids {
		if got := <-results; got.err != unix.EINTR {
			t.Fatalf("got %+v, want EINTR", got)
		}
	}
	if woken := fsys.wake("nobody"); woken != 0 {
		t.Errorf("%d interrupted readers still wait", woken)
	}
}

func TestKilledReaderIsGone(t *testing.T) {
	fsys := newNullFS()
	dir, _ := mount(t, fsys, zerolog.Nop())
	cat := exec.Command("cat", filepath.Join(dir, "stream"))
	if err := oracle.Spawn(cat); err != nil {
		t.Fatal(err)
	}
	<-fsys.parked
	if err := cat.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// Wait returns when the process is gone, which takes the answer to its read.
	if err := cat.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("cat: got %v, want killed", err)
	}
}

func TestInterruptEndsWriteAndOthers(t *testing.T) {
	write := func(dir string) error {
		fd, err := unix.Open(filepath.Join(dir, "stuck"), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		_, err = unix.Write(fd, []byte("x"))
		return err
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGUSR1)
	defer signal.Stop(signals)
	unlink := func(dir string) error { return unix.Unlink(filepath.Join(dir, "null")) }
	for name, call := range map[string]func(dir string) error{"write": write, "unlink": unlink} {
		t.Run(name, func(t *testing.T) {
			fsys := newNullFS()
			dir, _ := mount(t, fsys, zerolog.Nop())
			tid, result := make(chan int, 1), make(chan error, 1)
			go func() {
				quietThread(t)
				tid <- unix.Gettid()
				result <- call(dir)
			}()
			id := <-tid
			<-fsys.stuck
			if err := unix.Tgkill(os.Getpid(), id, unix.SIGUSR1); err != nil {
				t.Fatal(err)
			}
			if err := <-result; err != unix.EINTR {
				t.Errorf("got %v, want EINTR", err)
			}
		})
	}
}

func TestPollWakes(t *testing.T) {
	fsys := newNullFS()
	dir, _ := mount(t, fsys, zerolog.Nop())
	fd := open(t, dir, "ready", unix.O_RDONLY)
	defer unix.Close(fd)
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(epoll)
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	// Not by unix.EpollCtl, which holds a processor of the runtime until we answer.
	_, _, errno := unix.Syscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), unix.EPOLL_CTL_ADD, uintptr(fd),
		uintptr(unsafe.Pointer(&event)), 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	<-fsys.polled
	polled, epolled := make(chan error, 1), make(chan error, 1)
	go func() {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		polled <- retry(func() error { _, err := unix.Poll(fds, -1); return err })
	}()
	go func() {
		events := make([]unix.EpollEvent, 1)
		epolled <- retry(func() error { _, err := unix.EpollWait(epoll, events, -1); return err })
	}()
	<-fsys.polled
	fsys.wake("")
	if err := errors.Join(<-polled, <-epolled); err != nil {
		t.Error(err)
	}
}

// retry calls again what a signal of the runtime has interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func TestEndOfConnectionInterruptsAll(t *testing.T) {
	fsys := newNullFS()
	dir, _ := mount(t, fsys, zerolog.Nop())
	_, results := readers(t, fsys, dir, 100)
	written := make(chan error, 1)
	fd := open(t, dir, "stuck", unix.O_WRONLY)
	defer unix.Close(fd)
	go func() {
		_, err := unix.Write(fd, []byte("x"))
		written <- err
	}()
	<-fsys.stuck
	if err := unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if got := <-results; got.err == nil {
			t.Errorf("a reader got %+v, want an error", got)
		}
	}
	if err := <-written; err == nil {
		t.Error("a waiting write succeeded")
	}
}

func TestPanicIsAnError(t *testing.T) {
	fsys := newNullFS()
	dir, _ := mount(t, fsys, zerolog.Nop())
	fd := open(t, dir, "panic", unix.O_RDWR)
	defer unix.Close(fd)
	if _, err := unix.Read(fd, make([]byte, 10)); err != unix.EIO {
		t.Errorf("read: got %v, want EIO", err)
	}
	if _, err := unix.Write(fd, []byte("x")); err != unix.EIO {
		t.Errorf("write: got %v, want EIO", err)
	}
	if err := unix.Unlink(filepath.Join(dir, "panic")); err != unix.EIO {
		t.Errorf("unlink: got %v, want EIO", err)
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, 0); n != 1 || err != nil || fds[0].Revents&unix.POLLERR == 0 {
		t.Errorf("poll: got %d, %v, events %#x, want POLLERR", n, err, fds[0].Revents)
	}
	other := open(t, dir, "null", unix.O_RDONLY)
	defer unix.Close(other)
	if n, err := unix.Read(other, make([]byte, 10)); n != 10 || err != nil {
		t.Errorf("a read of another file: got %d, %v", n, err)
	}
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	want := []string{"READ: read of panic", "WRITE: write of panic", "request: unlink of panic",
		"POLL: poll of panic"}
	if !slices.Equal(fsys.panics, want) {
		t.Errorf("told of the panics %q, want %q", fsys.panics, want)
	}
}

// However quick the requests were before: one that blocks does not hold up the others.
func TestBlockedHandlerHoldsUpNobody(t *testing.T) {
	for name, block := range map[string]func(dir string) error{
		"noticed": func(dir string) error { return unix.Unlink(filepath.Join(dir, "stream")) },
		"known": func(dir string) error {
			// Not by package os: it would poll the file, which holds a processor of the runtime until
			// we answer.
			fd, err := unix.Open(filepath.Join(dir, "stuck"), unix.O_WRONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			_, err = unix.Write(fd, []byte("x"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := newNullFS()
			dir, _ := mount(t, fsys, zerolog.Nop())
			fd := open(t, dir, "null", unix.O_WRONLY)
			defer unix.Close(fd)
			write := func() {
				if n, err := unix.Write(fd, []byte("quick")); n != 5 || err != nil {
					t.Errorf("write: %d, %v", n, err)
				}
			}
			for range 1000 {
				write()
			}
			blocked := make(chan error, 1)
			go func() { blocked <- block(dir) }()
			<-fsys.stuck
			for range 1000 {
				write()
			}
			close(fsys.release)
			if err := <-blocked; !errors.Is(err, unix.EIO) {
				t.Errorf("what was blocked got %v, want EIO", err)
			}
		})
	}
}
