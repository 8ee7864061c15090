package mount_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

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

// childBenchClient does what each line of its input says, an action and how often, and answers with a
// line: DIR. Files stay open for the time of one line.
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
		if done, err := unix.Write(fd, text); err != nil || done != len(text) {
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
		switch done, err := unix.Read(fd, buffer); {
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

// now is a time that all processes share, in nanoseconds.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

// benchSend writes n lines, each with the time before its write, when the other side has opened its
// file, and waits for the answer to each and then for as long as idle.
func benchSend(file string, answers io.Reader, n int, idle time.Duration) error {
	fd, err := unix.Open(file, unix.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	line := make([]byte, 1, 32)
	if _, err := io.ReadFull(answers, line); err != nil {
		return err
	}
	for range n {
		line = append(strconv.AppendInt(line[:0], now(), 10), '\n')
		if _, err := unix.Write(fd, line); err != nil {
			return err
		}
		if _, err := io.ReadFull(answers, line[:1]); err != nil {
			return err
		}
		time.Sleep(idle)
	}
	return nil
}

// childBenchWait answers the opening and each line of a file, and prints in the end after how many nanoseconds half of
// them, and 99 of 100, had come: FILE COUNT
func childBenchWait(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	answers := os.NewFile(3, "answers")
	took := make([]int64, 0, n)
	buffer := make([]byte, 128<<10)
	if _, err := answers.Write(buffer[:1]); err != nil {
		return err
	}
	for range n {
		done, err := unix.Read(fd, buffer)
		came := now()
		if err != nil {
			return err
		}
		sent, err := strconv.ParseInt(strings.TrimSpace(string(buffer[:done])), 10, 64)
		if err != nil {
			return err
		}
		took = append(took, came-sent)
		if _, err := answers.Write(buffer[:1]); err != nil {
			return err
		}
	}
	slices.Sort(took)
	fmt.Println(took[len(took)/2], took[len(took)*99/100])
	return nil
}

// childBenchCrowd has many readers wait at the end of a file, and prints a line each time that all of
// them have read the same number of times: FILE COUNT. It ends with its input.
func childBenchCrowd(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	read := make(chan error)
	for range n {
		fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
		if err != nil {
			return err
		}
		go func() { // ends with the process
			for buffer := make([]byte, 128<<10); ; {
				_, err := unix.Read(fd, buffer)
				read <- err
			}
		}()
	}
	fmt.Println("open")
	go func() {
		for {
			for range n {
				if err := <-read; err != nil {
					fmt.Println(err)
					return
				}
			}
			fmt.Println(now())
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
