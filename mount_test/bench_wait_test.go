package mount_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// now is a time that all processes share, in nanoseconds.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

// again is a system call, and again if it was interrupted: Go's scheduler sends signals to its
// threads.
func again(call func(fd int, buffer []byte) (int, error), fd int, buffer []byte) (int, error) {
	for {
		if n, err := call(fd, buffer); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
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
		if _, err := again(unix.Write, fd, line); err != nil {
			return err
		}
		if _, err := io.ReadFull(answers, line[:1]); err != nil {
			return err
		}
		time.Sleep(idle)
	}
	return nil
}

// childBenchWait answers the opening and each line of a file, and prints in the end after how many
// nanoseconds half of them, and 99 of 100, had come: FILE COUNT
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
		done, err := again(unix.Read, fd, buffer)
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

// childBenchCrowd has many readers wait at the end of a file, and prints a line each time that all
// of them have read the same number of times: FILE COUNT. It ends with its input.
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
				_, err := again(unix.Read, fd, buffer)
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
