package transport

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// smallBytesMax bounds the requests that are copied into the worker's own small buffer, so that the
// large one they were read into is free while they are served.
const smallBytesMax = 4096

// work serves requests until the crew has enough workers without this one, or the connection ends.
func (c *Conn) work() {
	var small [smallBytesMax / 8]uint64 // as words, so that it is aligned
	var done time.Time                  // when the last request was answered
	queued := 0                         // requests in a row that were waiting for this worker
	for !c.isOver() && c.crew.join() {
		input := c.inputs.Get().(*buffer)
		message, err := c.receive(input)
		if err != nil {
			c.crew.leave(false)
			input.release()
			c.readFailed(err)
			return
		}
		if c.crew.leave(mayTakeLong(message)) {
			c.help()
		}
		began := time.Now()
		if queued++; began.Sub(done) > queuedMax {
			queued = 0
		}
		if len(message) <= smallBytesMax {
			message = bytesOf(&small)[:copy(bytesOf(&small), message)]
			input.release()
			c.serve(message)
		} else {
			c.serve(message)
			input.release()
		}
		done = time.Now()
		c.crew.served(done.Sub(began), queued)
	}
}

// receive waits for a request.
func (c *Conn) receive(input *buffer) (message []byte, err error) {
	n, err := c.device.read(input.memory)
	if err != nil {
		return nil, err
	}
	if n < inHeaderBytes {
		return nil, fmt.Errorf("a request of %d bytes: %w", n, io.ErrUnexpectedEOF)
	}
	return input.memory[:n], nil
}

// help calls in another worker. Only workers and the watch call it, so Serve is still waiting.
func (c *Conn) help() { c.workers.Go(c.work) }

// callHelp is called when the worker alone is about to wait.
func (c *Conn) callHelp() {
	if c.crew.relieve() {
		c.help()
	}
}

func (c *Conn) isOver() bool {
	select {
	case <-c.over:
		return true
	default:
		return false
	}
}

// readFailed ends the connection.
func (c *Conn) readFailed(err error) {
	// ECONNABORTED: the connection was ended through fusectl.
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ECONNABORTED) || c.isOver() {
		err = nil
	} else {
		err = fmt.Errorf("read from /dev/fuse: %w", err)
	}
	c.end(err)
}

// serve dispatches one request. All have been checked for their length when their handler sees
// them.
func (c *Conn) serve(message []byte) {
	header := overlay[fuse.InHeader](message)
	switch op := header.Opcode; {
	case op == opRead && len(message) >= readInBytes:
		c.serveRead(overlay[fuse.ReadIn](message))
	case op == opWrite && len(message) >= writeInBytes:
		c.serveWrite(overlay[fuse.WriteIn](message), message[writeInBytes:])
	case op == opPoll && len(message) >= pollInBytes:
		c.servePoll(overlay[pollIn](message))
	case op == opInterrupt && len(message) >= interruptInBytes:
		c.serveInterrupt(overlay[fuse.InterruptIn](message))
	default:
		c.serveOther(header, message)
	}
}
