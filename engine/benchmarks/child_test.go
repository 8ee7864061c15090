package benchmarks

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Some benchmarks need processes of their own: this test binary, run again with childEnv set to one
// of the roles and its arguments.
const childEnv = "PUROFS_BENCHMARK_CHILD"

// roles are what a child can do: each talks to the benchmark through standard input and output.
var roles = map[string]func(args []string) error{
	"append": appendUntilTold,
	"fill":   fillAndDie,
	"open":   openAndDie,
}

func TestMain(m *testing.M) {
	if role := strings.Fields(os.Getenv(childEnv)); len(role) > 0 {
		if err := roles[role[0]](role[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A child is a process in a role.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startChild(b *testing.B, role string, args ...any) *child {
	b.Helper()
	c := &child{cmd: exec.Command("/proc/self/exe")}
	c.cmd.Env = append(os.Environ(), childEnv+"="+role+" "+strings.TrimSpace(fmt.Sprintln(args...)))
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return c
}

// tell sends the child a line.
func (c *child) tell(b *testing.B, line string) {
	b.Helper()
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		b.Fatal(err)
	}
}

// hear waits for a line of the child and takes the numbers from it.
func (c *child) hear(b *testing.B, numbers ...any) {
	b.Helper()
	line, err := c.out.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscan(line, numbers...)
	}
	if err != nil {
		b.Fatalf("a child said %q: %v", line, err)
	}
}

// wait waits for the child's end: by itself, or killed as its role says.
func (c *child) wait(b *testing.B, killed bool) {
	b.Helper()
	err := c.cmd.Wait()
	status := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !killed && err != nil || killed && status.Signal() != syscall.SIGKILL {
		b.Fatalf("a child ended otherwise than expected: %v", c.cmd.ProcessState)
	}
}

// die is kill -9 of the process itself.
func die() error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) }

// sideNamed finds a side by its name.
func sideNamed(name string) side {
	for _, s := range allSides {
		if s.name == name {
			return s
		}
	}
	panic("BUG: no side is named " + name)
}
