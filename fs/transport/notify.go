package transport

import (
	"errors"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"purofs/nodes"
)

var _ nodes.Kernel = (*Conn)(nil)

// NotifyPoll implements nodes.Kernel.
func (c *Conn) NotifyPoll(pollHandle uint64) {
	var message struct {
		fuse.OutHeader
		kh uint64
	}
	message.kh = pollHandle
	c.notify(notifyPoll, bytesOf(&message))
}

// NotifyInode implements nodes.Kernel. What is cached of a file's content stays: a log never
// changes.
func (c *Conn) NotifyInode(node uint64) {
	var message struct {
		fuse.OutHeader
		fuse.NotifyInvalInodeOut
	}
	message.Ino, message.Off = node, -1
	c.notify(notifyInode, bytesOf(&message))
}

// NotifyEntry implements nodes.Kernel.
func (c *Conn) NotifyEntry(parent uint64, name string) {
	if len(name) > notifyNameMax {
		return // the kernel cannot know it
	}
	var head struct {
		fuse.OutHeader
		fuse.NotifyInvalEntryOut
	}
	head.Parent, head.NameLen = parent, uint32(len(name))
	message := append(bytesOf(&head), name...)
	c.notify(notifyEntry, append(message, 0))
}

// notify sends a message that answers nothing: its number is 0 and its code stands in the error's
// place.
func (c *Conn) notify(code int32, message []byte) {
	header := overlay[fuse.OutHeader](message)
	header.Length, header.Status, header.Unique = uint32(len(message)), code, 0
	err := c.device.write(message)
	// The kernel answers ENOENT for what it does not remember, and ENODEV when the connection is
	// over.
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV) {
		c.log.Warn().Err(err).Int32("code", code).Msg("the kernel refused a notification")
	}
}
