package mount_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// benchLine is a record of the plain format, of 100 bytes.
var benchLine = []byte(strings.Repeat("x", 99) + "\n")

// benchMiB is what bulk writes write: lines of 100 bytes, of which the last is shorter.
var benchMiB = func() []byte {
	text := bytes.Repeat(benchLine, 1<<20/len(benchLine)+1)[:1<<20]
	text[len(text)-1] = '\n'
	return text
}()

// benchLogBytes is the size of the log that is read.
const benchLogBytes = 64 << 20

func init() {
	children["bench-null"] = childBenchNull
	children["bench-client"] = childBenchClient
	children["bench-wait"] = childBenchWait
	children["bench-crowd"] = childBenchCrowd
}

// childBenchClient does what each line of its input says, an action and how often, and answers with
// a line: DIR. Files stay open for the time of one line.
func childBenchClient(args []string) error {
	dir := args[0]
	actions := map[string]func(n int) error{
		"write":     func(n int) error { return benchWrite(dir, n, benchLine) },
		"write4":    func(n int) error { return benchWrite4(dir, n) },
		"write1MiB": func(n int) error { return benchWrite(dir, n, benchMiB) },
		"cycle":     func(n int) error { return benchCycle(dir, n) },
		"read128K":  func(n int) error { return benchRead(dir, n, 128<<10) },
		"read1M":    func(n int) error { return benchRead(dir, n, 1<<20) },
	}
	in := bufio.NewReader(os.Stdin)
	for {
		var action string
		var n int
		if _, err := fmt.Fscanln(in, &action, &n); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := actions[action](n); err != nil {
			return fmt.Errorf("%s in %s: %w", action, dir, err)
		}
		fmt.Println("done")
	}
}

func openToAppend(dir string) (int, error) {
	return unix.Open(filepath.Join(dir, "append"), unix.O_WRONLY|unix.O_APPEND, 0)
}

// benchWrite writes the text n times with one write(2) each.
func benchWrite(dir string, n int, text []byte) error {
	fd, err := openToAppend(dir)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for range n {
		if done, err := again(unix.Write, fd, text); err != nil || done != len(text) {
			return fmt.Errorf("wrote %d of %d bytes: %w", done, len(text), err)
		}
	}
	return nil
}

// benchWrite4 has four writers, each with an open file of its own.
func benchWrite4(dir string, n int) error {
	var errs [4]error
	var writers sync.WaitGroup
	for i := range errs {
		writers.Go(func() { errs[i] = benchWrite(dir, (n+i)/len(errs), benchLine) })
	}
	writers.Wait()
	return errors.Join(errs[:]...)
}

// benchCycle opens, writes a line and closes, as `echo >>` does.
func benchCycle(dir string, n int) error {
	for range n {
		if err := benchWrite(dir, 1, benchLine); err != nil {
			return err
		}
	}
	return nil
}

// benchRead reads the log with n calls of read(2), again and again from its beginning.
func benchRead(dir string, n, size int) error {
	fd, err := unix.Open(filepath.Join(dir, "log"), unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for buffer := make([]byte, size); n > 0; n-- {
		switch done, err := again(unix.Read, fd, buffer); {
		case err != nil:
			return err
		case done == 0:
			if _, err := unix.Seek(fd, 0, io.SeekStart); err != nil {
				return err
			}
		}
	}
	return nil
}
