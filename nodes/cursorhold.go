package nodes

import (
	"fmt"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// A cursorHold is the right of one open file to move a cursor: nobody else has it, on any mount.
//
// The kernel tells of the end of a file some time after close(2) has returned, and who opens the
// cursor next must not meet its last reader. So the cursor is given back by the FLUSH of close(2),
// if that comes from whoever read last: a forked child that exits closes its copy of the file too,
// and has another lock owner. Should the file be read on after that, the cursor is taken again.
type cursorHold struct {
	tree  *Tree
	topic *topic
	name  string

	mu       sync.Mutex // guards what follows
	cursor   Cursor     // nil: given back
	next     uint64     // where the cursor is, as far as this file has moved it
	owner    uint64     // lock owner of the last read
	hasOwner bool
}

// holdCursor takes a cursor.
func (t *Tree) holdCursor(tp *topic, name string) (*cursorHold, error) {
	cursor, err := t.log.OpenCursor(tp.name, name)
	if err != nil {
		return nil, err
	}
	return &cursorHold{tree: t, topic: tp, name: name, cursor: cursor, next: cursor.Next()}, nil
}

// reading takes note of who reads, and takes the cursor again if it was given back.
func (c *cursorHold) reading(in *fuse.ReadIn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owner, c.hasOwner = in.LockOwner, in.ReadFlags&fuse.READ_LOCKOWNER != 0
	if c.cursor != nil {
		return nil
	}
	cursor, err := c.tree.log.OpenCursor(c.topic.name, c.name)
	if err != nil {
		return err
	}
	if now := cursor.Next(); now != c.next {
		cursor.Close()
		return fmt.Errorf("%w, from %d to %d", errMoved, c.next, now)
	}
	c.cursor = cursor
	return nil
}

// done moves the cursor on: all records before next are done.
func (c *cursorHold) done(next uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cursor == nil || next <= c.next {
		return nil
	}
	if err := c.cursor.Commit(next); err != nil {
		return err
	}
	c.next = next
	return nil
}

// flush gives the cursor back if who closes the file is who read it.
func (c *cursorHold) flush(lockOwner uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hasOwner || c.owner != lockOwner {
		return nil
	}
	return c.giveBack()
}

func (c *cursorHold) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.giveBack(); err != nil {
		c.tree.failed(c.topic.name, "closing a cursor", err)
	}
}

// giveBack lets go of the cursor. mu is held.
func (c *cursorHold) giveBack() error {
	if c.cursor == nil {
		return nil
	}
	err := c.cursor.Close()
	c.cursor = nil
	return err
}
