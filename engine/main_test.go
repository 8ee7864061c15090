package engine_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/disk"
	"purofs/engine/oracle"
	"purofs/engine/segment"
)

// childEnv names what a second process of this test binary does instead of testing.
const childEnv = "PUROFS_ENGINE_TEST_CHILD"

// testSegmentBytes is the size of segments where tests want many of them.
const testSegmentBytes = engine.SegmentBytesMin

var children = map[string]func(args []string) error{
	"hold":    childHold,
	"produce": childProduce,
	"follow":  childFollow,
	"open":    childOpen,
	"cursor":  childCursor,
	"blind":   childBlind,
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
	lines *bufio.Reader
}

// startChild starts a second process of this test binary.
func startChild(t testing.TB, mode string, args ...any) *child {
	t.Helper()
	return startChildFrom(t, os.Args[0], nil, mode, args...)
}

// startChildFrom is startChild with a copy of this binary, as another user or in a namespace.
func startChildFrom(
	t testing.TB, binary string, attr *syscall.SysProcAttr, mode string, args ...any,
) *child {
	t.Helper()
	cmd := exec.Command(binary)
	words := strings.TrimSpace(mode + " " + fmt.Sprintln(args...))
	// A program with the race detector would sleep for a second before it exits.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", childEnv+"="+words)
	cmd.SysProcAttr = attr
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
	c := &child{cmd, in, bufio.NewReader(out)}
	t.Cleanup(c.end)
	return c
}

// end kills the child, unless it has ended already.
func (c *child) end() {
	_ = c.Process.Kill()
	_ = c.Wait()
}

// line waits for a line of the child.
func (c *child) line(t testing.TB) string {
	t.Helper()
	line, err := c.lines.ReadString('\n')
	if err != nil {
		t.Fatalf("the child said %q, then %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (c *child) expect(t testing.TB, want string) {
	t.Helper()
	if got := c.line(t); got != want {
		t.Fatalf("the child said %q, want %q", got, want)
	}
}

func (c *child) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := c.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// childHold holds the producer's lock of a segment until its input ends.
func childHold(args []string) error {
	dir, err := disk.OpenDir(args[0], nil)
	if err != nil {
		return err
	}
	defer dir.Close()
	order, ok := segment.ParseName(args[1])
	if !ok {
		return fmt.Errorf("%s is not a segment", args[1])
	}
	s, err := segment.Open(dir, order, true)
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

// childProduce opens a store and appends, with several goroutines, records whose value is the
// producer and a number. It says "ready", waits for a line, and then says each record that was
// acknowledged.
func childProduce(args []string) error {
	var id string
	var goroutines, records int
	if _, err := fmt.Sscan(strings.Join(args[1:], " "), &id, &goroutines, &records); err != nil {
		return err
	}
	l, err := engine.Open(context.Background(), args[0], engine.Options{
		SegmentBytes: testSegmentBytes, LockTimeout: time.Minute,
	})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	var wg sync.WaitGroup
	failures := make([]error, goroutines)
	for g := range goroutines {
		wg.Go(func() { failures[g] = produce(l, fmt.Sprintf("%s.%d", id, g), records) })
	}
	wg.Wait()
	return errors.Join(errors.Join(failures...), l.Close())
}

// produce appends the records 0, 1 and so on of a producer, each with a padding that only it can
// have, and says those that were acknowledged. Every fifth has a companion in another topic.
func produce(l *engine.Log, producer string, records int) error {
	var b engine.Batch
	for n := range records {
		b.Reset()
		name := fmt.Sprintf("%s.%d", producer, n)
		b.Add("all", []byte(producer), paddedValue(name))
		if n%5 == 0 {
			b.Add("fifth", nil, []byte(name))
		}
		if err := l.Append(context.Background(), &b); err != nil {
			return err
		}
		// One write(2) a line: what was said was acknowledged, even if the next moment is the last.
		if _, err := fmt.Fprintf(os.Stdout, "%s %d\n", name, b.Offset(0)); err != nil {
			return err
		}
	}
	return nil
}

// paddedValue is a value of up to a few hundred bytes that tells whether it is whole.
func paddedValue(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	v := append([]byte(name), ' ')
	for range 1 + sum[0]%8 {
		v = fmt.Appendf(v, "%x", sum)
	}
	return v
}

// nameOfPadded returns the name of a padded value, or an error if it is not whole.
func nameOfPadded(value []byte) (string, error) {
	name, _, _ := strings.Cut(string(value), " ")
	if string(paddedValue(name)) != string(value) {
		return "", fmt.Errorf("a value that nobody wrote: %.100q", value)
	}
	return name, nil
}

// childFollow reads a topic from the start, waits for more, and says "following" and, after that
// many records, their hash.
func childFollow(args []string) error {
	var topic string
	var records int
	if _, err := fmt.Sscan(strings.Join(args[1:], " "), &topic, &records); err != nil {
		return err
	}
	l, err := engine.Open(context.Background(), args[0], engine.Options{})
	if err != nil {
		return err
	}
	fmt.Println("following")
	hash, err := follow(l, topic, records)
	if err != nil {
		return err
	}
	fmt.Println(hash)
	return l.Close()
}

// follow reads that many records of a topic from the start, in a row, and returns a hash over them.
func follow(l *engine.Log, topic string, records int) (string, error) {
	r, err := l.OpenReader(topic, engine.Start())
	if err != nil {
		return "", err
	}
	defer r.Close()
	hash := sha256.New()
	for n := range uint64(records) {
		rec, err := r.TryNext()
		for errors.Is(err, engine.ErrNoRecord) {
			if err := r.Wait(context.Background()); err != nil {
				return "", err
			}
			rec, err = r.TryNext()
		}
		if err != nil {
			return "", err
		}
		if rec.Offset != n {
			return "", fmt.Errorf("got offset %d, want %d", rec.Offset, n)
		}
		fmt.Fprintf(hash, "%d %d %q %q\n", rec.Offset, rec.Time.UnixNano(), rec.Key, rec.Value)
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}

// childOpen opens a store and says how that went.
func childOpen(args []string) error {
	l, err := engine.Open(context.Background(), args[0], engine.Options{ReadOnly: len(args) > 1})
	if err != nil {
		fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
		return nil
	}
	fmt.Println("opened")
	return l.Close()
}
