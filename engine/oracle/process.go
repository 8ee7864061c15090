package oracle

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A Process is a job in a process of its own. It does not outlive the test.
type Process struct {
	*exec.Cmd
	t      testing.TB
	in     io.WriteCloser
	out    *bufio.Reader
	stderr lockedBuffer
	wait   func() error
}

// Launch starts this test binary once more for a job; its TestMain has to call RunJob. If there is
// a wrapper it is the beginning of the command line, as "strace" and its options.
func Launch(t testing.TB, job Job, wrapper ...string) *Process {
	t.Helper()
	return LaunchWith(t, job, nil, wrapper...)
}

// LaunchWith is Launch with more environment, as "GOMAXPROCS=1".
func LaunchWith(t testing.TB, job Job, environ []string, wrapper ...string) *Process {
	t.Helper()
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "job")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(append([]string(nil), wrapper...), binary)
	p := &Process{Cmd: exec.Command(args[0], args[1:]...), t: t}
	// A program with the race detector would sleep for a second before it exits.
	p.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", jobEnv+"="+file)
	p.Env = append(p.Env, environ...)
	p.Stderr = &p.stderr
	if p.in, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := Spawn(p.Cmd); err != nil {
		t.Fatal(err)
	}
	p.wait = sync.OnceValue(p.Cmd.Wait)
	t.Cleanup(p.Kill)
	return p
}

// Ready waits until the job is prepared.
func (p *Process) Ready() {
	p.t.Helper()
	if line, err := p.out.ReadString('\n'); line != "ready\n" {
		p.t.Fatalf("a process said %q, %v: %s", line, err, p.stderr.String())
	}
}

// Begin gives the job its word.
func (p *Process) Begin() {
	p.t.Helper()
	if _, err := io.WriteString(p.in, "begin\n"); err != nil {
		p.t.Fatalf("a process does not listen: %v: %s", err, p.stderr.String())
	}
}

// Stop tells the job to end after what it is doing.
func (p *Process) Stop() { _ = p.in.Close() }

// Kill kills the process and waits for its end. It may have ended already.
func (p *Process) Kill() {
	_ = p.Process.Kill()
	_ = p.wait()
}

// Send sends the process a signal, unless it has ended.
func (p *Process) Send(s syscall.Signal) { _ = p.Process.Signal(s) }

// Outcome waits for the end of the job and returns what it had to say, and whether it ended well.
func (p *Process) Outcome() (string, error) {
	said, err := io.ReadAll(p.out)
	if err = errors.Join(err, p.wait()); err != nil {
		return "", fmt.Errorf("a process ended with %w: %s", err, p.stderr.String())
	}
	return string(said), nil
}

// Finish waits for the job to end well, and returns what it had to say.
func (p *Process) Finish() string {
	p.t.Helper()
	said, err := p.Outcome()
	if err != nil {
		p.t.Fatal(err)
	}
	return said
}

// Errors is what the process wrote to its standard error.
func (p *Process) Errors() string { return p.stderr.String() }

// Refused is how many appends were refused, as a producing process said at its end.
func Refused(said string) (n int) {
	_, last, _ := strings.Cut(said, "refused ")
	_, _ = fmt.Sscan(last, &n)
	return n
}

// CheckFresh has a fresh process check a store against all ledgers of a directory.
func CheckFresh(t testing.TB, store, ledgers string, opts Options) (*Report, error) {
	t.Helper()
	books, err := filepath.Glob(LedgerOf(ledgers, "*"))
	if err != nil {
		return nil, err
	}
	p := Launch(t, Job{Kind: "check", Store: store, Books: books, Check: opts})
	said := p.Finish()
	report := new(Report)
	if err := json.Unmarshal([]byte(said), report); err != nil {
		return nil, fmt.Errorf("a check said %.200q: %w", said, err)
	}
	return report, nil
}

// A lockedBuffer can be read while a process still writes to it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
