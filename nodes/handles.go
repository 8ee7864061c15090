package nodes

import (
	"context"
	"maps"
	"slices"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// A handle is one open file. Calls on it may come together.
type handle interface {
	// read answers a READ, at once or later.
	read(in *fuse.ReadIn, req ReadRequest)
	// poll tells which of the events of poll(2) are true now.
	poll(in *PollIn) uint32
	// release is the last call: nobody holds the file any more.
	release()
}

// A reporter tells what a program sees of an error of a call.
type reporter interface {
	errno(call string, err error) syscall.Errno
}

// A writer is a handle that takes WRITEs: all of data, or nothing.
type writer interface {
	write(ctx context.Context, in *fuse.WriteIn, data []byte) error
	reporter
}

// A flusher is a handle that close(2) means something to; its lock owner tells whose it is.
type flusher interface {
	flush(lockOwner uint64) error
	reporter
}

// A syncer is a handle with something that can be forced to the disk.
type syncer interface {
	fsync(ctx context.Context) error
	reporter
}

// A pollable handle has polls that wait for it to become readable.
type pollable interface{ wakePoll() }

// A handleTable gives numbers to handles. It is safe for concurrent use.
type handleTable struct {
	opened shares // by users

	mu      sync.RWMutex
	last    uint64
	handles map[uint64]handle
	dirs    map[uint64]*dirHandle
	users   map[uint64]uint32 // who opened what
}

// add gives a number to a handle that a user opens, unless there are too many.
func (ht *handleTable) add(h handle, user uint32) (uint64, error) {
	return ht.number(user, func(fh uint64) { ht.handles[fh] = h })
}

// addDir is add for a directory.
func (ht *handleTable) addDir(d *dirHandle, user uint32) (uint64, error) {
	return ht.number(user, func(fh uint64) { ht.dirs[fh] = d })
}

func (ht *handleTable) number(user uint32, put func(fh uint64)) (uint64, error) {
	if !ht.opened.take(user, 1) {
		return 0, errTooManyOpen
	}
	ht.mu.Lock()
	defer ht.mu.Unlock()
	if ht.users == nil {
		ht.handles, ht.dirs = map[uint64]handle{}, map[uint64]*dirHandle{}
		ht.users = map[uint64]uint32{}
	}
	ht.last++
	ht.users[ht.last] = user
	put(ht.last)
	return ht.last, nil
}

// get returns the handle of a number, or nil.
func (ht *handleTable) get(fh uint64) handle {
	ht.mu.RLock()
	defer ht.mu.RUnlock()
	return ht.handles[fh]
}

// take is get, and forgets it.
func (ht *handleTable) take(fh uint64) handle {
	ht.mu.Lock()
	defer ht.mu.Unlock()
	h := ht.handles[fh]
	delete(ht.handles, fh)
	ht.forget(fh)
	return h
}

// forget gives a number's share back. mu is held.
func (ht *handleTable) forget(fh uint64) {
	if user, known := ht.users[fh]; known {
		delete(ht.users, fh)
		ht.opened.give(user, 1)
	}
}

func (ht *handleTable) all() []handle {
	ht.mu.RLock()
	defer ht.mu.RUnlock()
	return slices.Collect(maps.Values(ht.handles))
}

func (ht *handleTable) getDir(fh uint64) *dirHandle {
	ht.mu.RLock()
	defer ht.mu.RUnlock()
	return ht.dirs[fh]
}

// takeDir is getDir, and forgets it.
func (ht *handleTable) takeDir(fh uint64) *dirHandle {
	ht.mu.Lock()
	defer ht.mu.Unlock()
	d := ht.dirs[fh]
	delete(ht.dirs, fh)
	ht.forget(fh)
	return d
}
