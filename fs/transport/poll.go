package transport

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/nodes"
)

// servePoll serves one POLL.
func (c *Conn) servePoll(in *pollIn) {
	var answer struct {
		fuse.OutHeader
		revents uint32
		_       uint32
	}
	var errno syscall.Errno
	if !c.guard("POLL", func() {
		answer.revents, errno = c.fsys.ServePoll(&nodes.PollIn{
			Node: in.NodeId, Fh: in.Fh, Kh: in.Kh, Flags: in.Flags, Events: in.Events,
		})
	}) {
		errno = syscall.EIO
	}
	length := len(bytesOf(&answer))
	if errno != 0 {
		length = outHeaderBytes
	}
	answerHeader(&answer.OutHeader, in.Unique, errno, length)
	c.send(bytesOf(&answer)[:length])
}
