package mount_test

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"purofs/engine/oracle"

	"golang.org/x/sys/unix"
)

// A benchSide is one of the systems that are compared. Each shows a directory with the files
// append, log and stream, as far as it has them.
type benchSide struct {
	name string
	open func(b *testing.B) (dir string)
}

var (
	purofsSide = benchSide{"purofs", openPurofsSide}
	nullSide   = benchSide{"null", openNullSide}
	fileSide   = benchSide{"file", openFileSide}
	pipeSide   = benchSide{"pipe", openPipeSide}
)

// openPurofsSide mounts a new store, and returns the directory of a topic.
func openPurofsSide(b *testing.B) string {
	b.Helper()
	dir, store := benchDir(b, "mnt"), filepath.Join(b.TempDir(), "store")
	benchRun(b, program, "mount", "--daemon", "-o", "sync=none", store, dir)
	daemon, err := unix.PidfdOpen(daemonOf(b, dir), 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		benchRun(b, program, "umount", dir)
		awaitEnd(b, daemon)
	})
	topic := filepath.Join(dir, "orders")
	if err := os.Mkdir(topic, 0o755); err != nil {
		b.Fatal(err)
	}
	return topic
}

// daemonOf returns the process that serves a mount.
func daemonOf(b *testing.B, dir string) int {
	b.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		line, err := os.ReadFile(name) // it may be gone
		if err == nil && bytes.HasSuffix(line, []byte("\x00"+dir+"\x00")) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if err != nil {
				b.Fatal(err)
			}
			return pid
		}
	}
	b.Fatalf("nobody serves %s", dir)
	return 0
}

// awaitEnd waits for a process that is not a child of this one: it still writes to its store when
// it is unmounted.
func awaitEnd(b *testing.B, process int) {
	b.Helper()
	defer unix.Close(process)
	events := []unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(events, int(patience.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			b.Error(err)
		case n == 0:
			b.Error("the daemon goes on after the unmount")
		}
		return
	}
}

// openNullSide mounts the file system that does nothing, in a process of its own.
func openNullSide(b *testing.B) string {
	b.Helper()
	dir := benchDir(b, "null")
	null := child("bench-null", dir)
	null.Stderr = os.Stderr
	in, err := null.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := null.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := oracle.Spawn(null); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close() // which it takes for the order to end
		if err := null.Wait(); err != nil {
			b.Error(err)
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		b.Fatalf("the null file system said %q: %v", line, err)
	}
	return dir
}

// openFileSide has plain files, whose data stays in the page cache.
func openFileSide(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	file, err := os.Create(filepath.Join(dir, "append"))
	if err != nil {
		b.Fatal(err)
	}
	file.Close()
	if err := os.Symlink("append", filepath.Join(dir, "log")); err != nil {
		b.Fatal(err)
	}
	return dir
}

// openPipeSide has a named pipe, which takes what is written to append and gives it to stream.
func openPipeSide(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "append"), 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Symlink("append", filepath.Join(dir, "stream")); err != nil {
		b.Fatal(err)
	}
	return dir
}

// benchDir returns a new directory to mount on. It is never removed with what is in it: should an
// unmount have gone wrong, that would be the files of the mount.
func benchDir(b *testing.B, name string) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "purofs-bench-"+name+".")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			b.Error(err)
		}
	})
	return dir
}

func benchRun(b *testing.B, name string, args ...string) {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = testEnviron()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

func needBench(b *testing.B) {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("mounting directly, as the goals have it, needs root")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		b.Skipf("no FUSE here: %v", err)
	}
}
