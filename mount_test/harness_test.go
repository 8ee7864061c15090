package mount_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"purofs/engine"
)

// A mount is a store that is mounted on a directory, by a daemon in the foreground.
type mount struct {
	*testing.T
	store  string
	dir    string
	daemon *process
}

// mountStore mounts a new store with options of -o.
func mountStore(t *testing.T, options ...string) *mount {
	t.Helper()
	return mountOn(t, filepath.Join(t.TempDir(), "store"), options...)
}

// mountOn mounts a store on a new directory.
func mountOn(t *testing.T, store string, options ...string) *mount {
	t.Helper()
	return mountAt(t, store, newDir(t, "mnt"), options...)
}

// mountAt mounts a store on a directory. It returns when the mount answers, which the program
// reports as to a service manager.
func mountAt(t *testing.T, store, dir string, options ...string) *mount {
	t.Helper()
	needFuse(t)
	socket, address := readySocket(t)
	args := []string{"mount", "--log-level=debug"}
	for _, option := range options {
		args = append(args, "-o", option)
	}
	cmd := exec.Command(program, append(args, store, dir)...)
	cmd.Env = testEnviron("NOTIFY_SOCKET=" + address)
	m := &mount{T: t, store: store, dir: dir}
	t.Cleanup(m.detach)
	m.daemon = start(t, cmd)
	t.Cleanup(m.check)

	ready := make(chan error, 1)
	go func() {
		_, err := socket.Read(make([]byte, 64))
		ready <- err
	}()
	select {
	case err := <-ready:
		if err != nil {
			t.Fatal(err)
		}
	case <-m.daemon.done:
		socket.Close()
		<-ready
		t.Fatalf("mount of %s ended before it was ready\n%s", store, m.daemon.errors())
	}
	return m
}

var sockets atomic.Int64

// readySocket returns a socket that gets the report of a daemon that is ready, and its address.
func readySocket(t *testing.T) (*net.UnixConn, string) {
	t.Helper()
	address := fmt.Sprintf("@purofs-mount-test.%d.%d", os.Getpid(), sockets.Add(1))
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	if err := socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return socket, address
}

// check ends the mount at the end of a test, if the test has not, and looks at what it said.
func (m *mount) check() {
	select {
	case <-m.daemon.done:
	default:
		m.unmount()
	}
	log := m.daemon.errors()
	for _, bad := range []string{"DATA RACE", "panic:", "BUG:", "fatal error:"} {
		if strings.Contains(log, bad) {
			m.Errorf("the daemon of %s reports: %s", m.dir, bad)
		}
	}
	if m.Failed() {
		m.Logf("the end of the log of the daemon of %s:\n%s", m.dir, lastLines(log, 20))
	}
}

// detach is the last that is done to a mount: whatever went wrong, it is not there any more.
func (m *mount) detach() {
	for mounted(m.T, m.dir) {
		m.Errorf("%s is still mounted", m.dir)
		if err := unix.Unmount(m.dir, unix.MNT_DETACH); err != nil {
			_ = exec.Command("fusermount3", "-uz", m.dir).Run()
		}
	}
}

// unmount ends the daemon as a service manager would.
func (m *mount) unmount() {
	m.Helper()
	m.daemon.signal(syscall.SIGTERM)
	m.wantEnded()
}

// wantEnded checks that the daemon ends, or has ended, well, and nothing is mounted any more.
func (m *mount) wantEnded() {
	m.Helper()
	m.daemon.succeed()
	if mounted(m.T, m.dir) {
		m.Fatalf("%s is mounted, though the daemon has ended", m.dir)
	}
}

// mounted tells whether something is mounted on a directory.
func mounted(t *testing.T, dir string) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(table), " "+dir+" ")
}

// in returns the mount for a part of its test.
func (m *mount) in(t *testing.T) *mount {
	part := *m
	part.T = t
	return &part
}

// start starts a script of bash in the mount.
func (m *mount) start(script string) *process {
	m.Helper()
	cmd := exec.Command("bash", "-c", "set -euo pipefail\n"+script)
	cmd.Dir = m.dir
	return start(m.T, cmd)
}

// sh runs a script of bash in the mount, which has to succeed, and returns what it prints.
func (m *mount) sh(script string) string {
	m.Helper()
	p := m.start(script)
	p.in.Close()
	out := p.rest()
	p.succeed()
	return out
}

// path returns the path of a name in the mount.
func (m *mount) path(name string) string { return filepath.Join(m.dir, name) }

// read returns what is in a file of the mount.
func (m *mount) read(name string) string {
	m.Helper()
	text, err := os.ReadFile(m.path(name))
	if err != nil {
		m.Fatal(err)
	}
	return string(text)
}

// want checks what is in a file of the mount.
func (m *mount) want(name, text string) {
	m.Helper()
	if got := m.read(name); got != text {
		m.Fatalf("%s is %s, want %s", name, brief(got), brief(text))
	}
}

// mkdir makes a topic.
func (m *mount) mkdir(topic string) {
	m.Helper()
	if err := os.Mkdir(m.path(topic), 0o755); err != nil {
		m.Fatal(err)
	}
}

// verify checks every byte of the store and that it is sound.
func (m *mount) verify() engine.VerifyReport {
	m.Helper()
	return verify(m.T, m.store)
}

func verify(t *testing.T, store string) engine.VerifyReport {
	t.Helper()
	report, err := engine.Verify(context.Background(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Sound() {
		t.Fatalf("the store is damaged: %v", report.Damage)
	}
	return report
}

// storeOf makes a store of one segment.
func storeOf(t *testing.T, segment []byte) string {
	t.Helper()
	store := filepath.Join(t.TempDir(), "store")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(store, "stream0.puro"), segment, 0o600); err != nil {
		t.Fatal(err)
	}
	return store
}

// openLog opens a store in this process, which is another one than that of any mount.
func openLog(t *testing.T, store string) *engine.Log {
	t.Helper()
	log, err := engine.Open(context.Background(), store, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil && !errors.Is(err, engine.ErrClosed) {
			t.Error(err)
		}
	})
	return log
}

// appendLines appends lines to a topic, as one block.
func appendLines(t *testing.T, log *engine.Log, topic string, lines ...string) {
	t.Helper()
	var batch engine.Batch
	for _, line := range lines {
		batch.Add(topic, nil, []byte(line))
	}
	if err := log.Append(context.Background(), &batch); err != nil {
		t.Fatal(err)
	}
}

func needFuse(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skipf("no FUSE here: %v", err)
	}
	if _, err := exec.LookPath("fusermount3"); err != nil && os.Geteuid() != 0 {
		t.Skipf("only root can mount without fusermount3: %v", err)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can do this")
	}
}

// needTool skips a part of a test that needs a program which the machine does not have.
func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(err)
	}
}

// newDir returns a new directory that all users can get at, alone in another, and whose path a
// shell takes as it is.
func newDir(t *testing.T, name string) string {
	t.Helper()
	parent, err := os.MkdirTemp("", "purofs-mount-test.")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(parent); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(parent, name)
	if err := errors.Join(os.Chmod(parent, 0o755), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// brief shortens a text for an error message.
func brief(text string) string {
	if len(text) <= 200 {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%q ... %q (%d bytes)", text[:100], text[len(text)-100:], len(text))
}

func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// splitLines returns the lines of a text, without their newlines.
func splitLines(text string) []string {
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
