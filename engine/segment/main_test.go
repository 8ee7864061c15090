package segment_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"purofs/engine/disk"
	"purofs/engine/oracle"
	"purofs/engine/segment"
)

// childEnv names what a second process of this test binary does instead of testing.
const childEnv = "PUROFS_SEGMENT_TEST_CHILD"

var children = map[string]func(args []string) error{
	"count":          childCount,
	"hold":           childHold,
	"hold-and-start": childHoldAndStart,
	"limit":          childLimit,
	"posix":          childPOSIX,
}

func TestMain(m *testing.M) {
	if words := strings.Fields(os.Getenv(childEnv)); len(words) > 0 {
		if err := children[words[0]](words[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A child is a second process, which answers in lines and ends with its input.
type child struct {
	*exec.Cmd
	in    io.WriteCloser
	out   *os.File
	lines *bufio.Reader // of out
}

// startChild starts a second process of this test binary.
func startChild(t *testing.T, mode string, args ...string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	words := append([]string{mode}, args...)
	// A program with the race detector would sleep for a second before it exits.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", childEnv+"="+strings.Join(words, " "))
	return start(t, cmd)
}

func start(t *testing.T, cmd *exec.Cmd) *child {
	t.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := oracle.Spawn(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// After Wait both fail, which is as good.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &child{cmd, in, out.(*os.File), bufio.NewReader(out)}
}

// expect waits for a line of the child, for a minute.
func (c *child) expect(t *testing.T, want string) {
	t.Helper()
	if err := c.out.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	line, err := c.lines.ReadString('\n')
	if err != nil || line != want+"\n" {
		t.Fatalf("the child said %q, %v, want %q", line, err, want)
	}
}

// ask gives the child a line and waits for its answer.
func (c *child) ask(t *testing.T, line, want string) {
	t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		t.Fatal(err)
	}
	c.expect(t, want)
}

func (c *child) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := c.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// childHold locks the tail of segment 0 in a directory until its input ends.
func childHold(args []string) error {
	dir, err := disk.OpenDir(args[0], nil)
	if err != nil {
		return err
	}
	defer dir.Close()
	s, err := segment.Open(dir, 0, true)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.LockTail(context.Background(), 0, time.Minute); err != nil {
		return err
	}
	fmt.Println("locked")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// childLimit appends a block where the file may not grow to its end, and then, with the limit gone,
// again. It says what it saw.
func childLimit(args []string) error {
	dir, err := disk.OpenDir(args[0], nil)
	if err != nil {
		return err
	}
	defer dir.Close()
	s, err := segment.Open(dir, 0, true)
	if err != nil {
		return err
	}
	defer s.Close()
	var at int64
	var room uint64
	if _, err := fmt.Sscan(args[1], &room); err != nil {
		return err
	}
	if at, err = s.Size(); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	limit := syscall.Rlimit{Cur: uint64(at) + room, Max: before.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	block := lowBlock(1, "orders", "a value that does not fit")
	pieces := [][]byte{block}
	if args[2] == "pieces" {
		pieces = [][]byte{block[:7], block[7:30], block[30:]}
	}
	failure := s.Append(at, pieces, 0, false)
	after, err := s.Size()
	if err != nil {
		return err
	}
	fmt.Printf("%t %d\n", failure != nil, after-at)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	return s.Append(at, pieces, 0, false)
}
