package mount_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The store's directory is removed under the mount: whoever uses it gets an error, and nobody
// hangs.
func TestStoreVanishes(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.sh(`mkdir t; echo one >> t/append`)
	reader := m.start(`exec cat t/stream`)
	reader.wantLines("one")
	if err := os.RemoveAll(m.store); err != nil {
		t.Fatal(err)
	}
	// Not each write looks whether the store is still there, but soon one does.
	p := m.start(`while echo two >> t/append; do :; done`)
	p.wait()
	if !strings.Contains(p.errors(), "Input/output error") {
		t.Errorf("a writer is told %s", brief(p.errors()))
	}
	// What can still be read is not promised, that the answer comes is.
	m.start(`cat t/log`).wait()
	m.start(`ls; stat t/log; cat t/info`).wait()
	if text := m.read(".puro/errors"); !strings.Contains(text, "vanished") {
		t.Errorf(".puro/errors does not tell why: %s", brief(text))
	}
	// Who waits is told too, instead of waiting, and being woken, for ever.
	reader.wait()
	if !strings.Contains(reader.errors(), "Input/output error") {
		t.Errorf("a waiting reader is told %s", brief(reader.errors()))
	}
	m.daemon.signal(syscall.SIGTERM)
	m.daemon.wait() // whatever its status: the log could not be closed as it should
}

// holdLock has a process lock the store as a producer does that is stopped in the middle of its
// work.
func holdLock(m *mount) *process {
	m.Helper()
	holder := start(m.T, child("hold", filepath.Join(m.store, "stream0.puro")))
	holder.wantLines("held")
	holder.signal(syscall.SIGSTOP)
	return holder
}

// letGo lets the process that holdLock has started end.
func letGo(holder *process) {
	holder.t.Helper()
	holder.in.Close()
	holder.signal(syscall.SIGCONT)
	holder.succeed()
}

// The store is locked by a process that is stopped: a write fails after lock_timeout, or at once if
// it was opened not to wait. Reading goes on.
func TestLockedStore(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "lock_timeout=200ms")
	m.sh(`mkdir t; echo one >> t/append`)
	holder := holdLock(m)
	for _, test := range []struct {
		flags int
		want  syscall.Errno
	}{{0, syscall.EBUSY}, {syscall.O_SYNC, syscall.EBUSY}, {syscall.O_NONBLOCK, syscall.EAGAIN}} {
		err := withFile(m.path("t/append"), syscall.O_WRONLY|test.flags, func(fd int) error {
			return writeAgain(fd, "two\n")
		})
		if !errors.Is(err, test.want) {
			t.Errorf("write to a file opened with flags %#x: %v, want %v", test.flags, err, test.want)
		}
	}
	p := m.start(`printf three | dd of=t/append status=none`)
	if status := p.wait(); status == 0 || !strings.Contains(p.errors(), "resource busy") {
		t.Errorf("exit status %d, and on standard error %s", status, brief(p.errors()))
	}
	if err := os.Mkdir(m.path("new"), 0o755); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("mkdir: %v, want %v", err, syscall.EBUSY)
	}
	m.want("t/log", "one\n")
	letGo(holder)
	m.sh(`echo four >> t/append`)
	m.want("t/log", "one\nfour\n")
}

// writeAgain writes as package os does: again, if one of the signals that the Go runtime sends to
// its own threads has interrupted the wait.
func writeAgain(fd int, text string) error {
	for {
		if _, err := syscall.Write(fd, []byte(text)); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// A write that waits for the lock can be interrupted, and has then stored nothing.
func TestInterruptedWrite(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "lock_timeout=1h")
	m.sh(`mkdir t; echo one >> t/append`)
	holder := holdLock(m)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		writer := m.start(`echo writing; exec dd of=t/append bs=100 status=none <<< two`)
		writer.wantLines("writing")
		writer.awaitBlocked()
		writer.signal(sig)
		if got, want := writer.wait(), 128+int(sig); got != want {
			t.Errorf("exit status %d, want %d", got, want)
		}
	}
	script := writeFile(t, "script.py", `
import os, signal
class Handled(Exception): pass
def handle(*_): raise Handled
signal.signal(signal.SIGUSR1, handle)
fd = os.open("t/append", os.O_WRONLY)
print("writing", flush=True)
try: os.write(fd, b"three\n")
except Handled: print("interrupted", flush=True)`)
	writer := m.start("exec python3 " + script)
	writer.wantLines("writing")
	writer.awaitBlocked()
	writer.signal(syscall.SIGUSR1)
	writer.wantLines("interrupted")
	writer.succeed()
	m.want("t/log", "one\n")
	letGo(holder)
	m.sh(`echo four >> t/append`)
	m.want("t/log", "one\nfour\n")
}

// Who waits for the lock gets it as soon as it is free.
func TestWaitingWrite(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "lock_timeout=1h")
	m.sh(`mkdir t`)
	holder := holdLock(m)
	writers := make([]*process, 5)
	for i := range writers {
		writers[i] = start(t, exec.Command("dd", "of="+m.path("t/append"), "bs=100", "status=none"))
		writers[i].say(fmt.Sprint("line ", i))
		writers[i].in.Close()
	}
	letGo(holder)
	for _, writer := range writers {
		writer.succeed()
	}
	if got := m.sh(`sort t/log`); got != "line 0\nline 1\nline 2\nline 3\nline 4\n" {
		t.Errorf("the log holds %q", got)
	}
}

// Unfinished lines are bounded: one by max_record, and what a writer leaves of one is stored.
func TestUnfinishedLines(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "max_record=64k")
	m.mkdir("t")
	piece := strings.Repeat("p", 1<<10)
	var fds []int
	for range 100 {
		fd, err := syscall.Open(m.path("t/append"), syscall.O_WRONLY|syscall.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
		for range 64 {
			if _, err := syscall.Write(fd, []byte(piece)); err != nil {
				t.Fatal(err)
			}
		}
	}
	m.want("t/log", "")
	for _, fd := range fds {
		if err := syscall.Close(fd); err != nil {
			t.Error(err)
		}
	}
	m.want("t/log", strings.Repeat(strings.Repeat(piece, 64)+"\n", 100))
}
