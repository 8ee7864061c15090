package transport

import (
	"sync"

	"golang.org/x/sys/unix"
)

// A device is the open /dev/fuse of one connection. Its calls are blocking system calls on purpose:
// the runtime's poller would add two more of them to each request.
type device struct {
	fd int

	// mu keeps the descriptor from being closed, and its number from being reused, under a write.
	// Reads need no such care: close is called when no worker is left.
	mu     sync.RWMutex
	closed bool
}

// read waits for the kernel's next request.
func (d *device) read(buf []byte) (int, error) {
	for {
		n, err := unix.Read(d.fd, buf)
		switch err {
		case unix.EINTR, unix.EAGAIN, unix.ENOENT:
			// ENOENT: the request was taken back while it was being read.
			continue
		}
		return n, err
	}
}

// write sends one answer or notification, whole. After close it fails with ENODEV, as it does after
// an unmount.
func (d *device) write(message []byte) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return unix.ENODEV
	}
	_, err := unix.Write(d.fd, message)
	return err
}

// close ends the connection: with its last descriptor gone the kernel fails whatever waits.
func (d *device) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	return unix.Close(d.fd)
}
