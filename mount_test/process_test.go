package mount_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"purofs/engine/oracle"
)

// patience bounds waits that end soon unless something is broken, on a machine of any speed.
const patience = 5 * time.Minute

// A process is a command that a test has started. Its output is read as it comes.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	pipe   *os.File
	out    *bufio.Reader
	stderr string        // file
	done   chan struct{} // closed when the process has ended, and was waited for
}

// start starts a command. Whatever becomes of the test, the process is gone at its end.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, done: make(chan struct{})}
	stderr, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	p.stderr = stderr.Name()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	p.pipe, p.out = read, bufio.NewReader(read)
	if cmd.Stdin == nil {
		if p.in, err = cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Stdout, cmd.Stderr = write, stderr
	if cmd.Env == nil {
		cmd.Env = testEnviron()
	}
	if err := oracle.Spawn(cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // what came of it is in cmd.ProcessState
	}()
	t.Cleanup(p.end)
	return p
}

// end kills the process if it has not ended by itself.
func (p *process) end() {
	select {
	case <-p.done:
	default:
		_ = p.cmd.Process.Kill()
		p.await("the end of a process that was killed")
	}
	p.pipe.Close()
}

// await waits for the end of the process.
func (p *process) await(what string) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Errorf("%v: no sign of %s", p.cmd.Args, what)
	}
}

// wait returns how the process ended, as a shell would say it: its exit status, or 128 and the
// signal.
func (p *process) wait() int {
	p.t.Helper()
	p.await("its end")
	if p.t.Failed() {
		p.t.FailNow()
	}
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// succeed waits for the process to end with status 0.
func (p *process) succeed() {
	p.t.Helper()
	if status := p.wait(); status != 0 {
		p.t.Fatalf("%v ended with status %d\n%s", p.cmd.Args, status, p.errors())
	}
}

func (p *process) errors() string {
	text, err := os.ReadFile(p.stderr)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// line returns the next line of the output, without its newline.
func (p *process) line() string {
	p.t.Helper()
	p.limit()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("%v: output %q, then %v\n%s", p.cmd.Args, line, err, p.errors())
	}
	return strings.TrimSuffix(line, "\n")
}

// wantLines checks the next lines of the output.
func (p *process) wantLines(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := p.line(); got != w {
			p.t.Fatalf("%v: line %q, want %q", p.cmd.Args, got, w)
		}
	}
}

// rest returns the output up to its end.
func (p *process) rest() string {
	p.t.Helper()
	p.limit()
	text, err := io.ReadAll(p.out)
	if err != nil {
		p.t.Fatalf("%v: output %q, then %v\n%s", p.cmd.Args, text, err, p.errors())
	}
	return string(text)
}

func (p *process) limit() {
	p.t.Helper()
	if err := p.pipe.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
}

// say writes a line to the input of the process.
func (p *process) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// awaitBlocked returns when the process sleeps in a system call, as a read that waits does. Nothing
// reports that, so it is asked for again and again.
func (p *process) awaitBlocked() {
	p.t.Helper()
	until(p.t, fmt.Sprintf("%v is blocked", p.cmd.Args), func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			p.t.Fatal(err)
		}
		// The state stands behind the name of the program, which is in parentheses.
		_, state, _ := strings.Cut(string(stat), ") ")
		return strings.HasPrefix(state, "S")
	})
}

// until asks for a condition, which no event reports, until it holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// A child is a process of this test's own program that does what children says.
func child(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = testEnviron(childEnv + "=" + name)
	return cmd
}

// run runs purofs and returns its exit status and what it printed to standard output and to
// standard error.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	p := start(t, exec.Command(program, args...))
	p.in.Close()
	stdout = p.rest()
	return p.wait(), stdout, p.errors()
}

// writeFile makes a file outside of any mount.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
