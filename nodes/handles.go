package nodes

import (
	"maps"
	"slices"
	"sync"

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

// A pollable handle has polls that wait for it to become readable.
type pollable interface{ wakePoll() }

// A handleTable gives numbers to handles. It is safe for concurrent use; its zero value is empty.
type handleTable struct {
	mu      sync.RWMutex
	last    uint64
	handles map[uint64]handle
	dirs    map[uint64]*dirHandle
}

func (ht *handleTable) add(h handle) uint64 {
	ht.mu.Lock()
	defer ht.mu.Unlock()
	if ht.handles == nil {
		ht.handles = map[uint64]handle{}
	}
	ht.last++
	ht.handles[ht.last] = h
	return ht.last
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
	return h
}

func (ht *handleTable) all() []handle {
	ht.mu.RLock()
	defer ht.mu.RUnlock()
	return slices.Collect(maps.Values(ht.handles))
}

func (ht *handleTable) addDir(d *dirHandle) uint64 {
	ht.mu.Lock()
	defer ht.mu.Unlock()
	if ht.dirs == nil {
		ht.dirs = map[uint64]*dirHandle{}
	}
	ht.last++
	ht.dirs[ht.last] = d
	return ht.last
}

func (ht *handleTable) getDir(fh uint64) *dirHandle {
	ht.mu.RLock()
	defer ht.mu.RUnlock()
	return ht.dirs[fh]
}

func (ht *handleTable) dropDir(fh uint64) {
	ht.mu.Lock()
	defer ht.mu.Unlock()
	delete(ht.dirs, fh)
}
