package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// whileRead returns a context that ends, with EPIPE as its cause, when nobody is left who reads
// what is written to out. Without it a follower whose reader has seen enough, as in "purofs cat
// --follow ... | grep -m 1 word", would notice only when it has something to write. release has to
// be called; it waits until out is left alone.
func whileRead(
	ctx context.Context, out *os.File,
) (watched context.Context, release func(), err error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("watch the output: %w", err)
	}
	watched, end := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if awaitUnread(int(out.Fd()), wake) {
			end(syscall.EPIPE)
		}
	}()
	release = func() {
		_, _ = unix.Write(wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		<-done
		unix.Close(wake)
		end(nil)
	}
	return watched, release, nil
}

// awaitUnread returns true when the reading side of out is closed, or false when wake is written
// to.
func awaitUnread(out, wake int) bool {
	for {
		files := []unix.PollFd{{Fd: int32(out)}, {Fd: int32(wake), Events: unix.POLLIN}}
		_, err := unix.Poll(files, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || files[1].Revents != 0 {
			return false
		}
		return files[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
	}
}
