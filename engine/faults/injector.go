package faults

import (
	"os"
	"path/filepath"
	"sync"

	"purofs/engine/disk"
	"purofs/engine/segment"
)

// An Injector makes operations fail: the one that is to, and all after it if the fault lasts, until
// Heal. Set it as engine.Options.FileHook.
type Injector struct {
	// Meets says which operations the fault can meet; nil means all.
	Meets func(op *disk.Op) bool
	// At is the number of the operation that fails, of those that it can meet, from 0.
	At int
	// Err is what it fails with; nil has a write be a short one, whose rest is written.
	Err error
	// Short has a write fail behind a half of its bytes, and not before them.
	Short bool
	// Lasts has all that follows fail too.
	Lasts bool
	// Full, if it is set, takes the place of all that: a disk on which files can grow by Room bytes
	// together. The write that takes more writes what there is room for and fails with Err.
	Full bool
	Room int64

	mu      sync.Mutex
	met     int        // operations that it could meet
	hits    int        // that have failed
	rest    *disk.File // whose next write is the rest of one that was cut short, and fails
	healed  bool
	refused int // syncs of segments
}

// Heal ends the fault.
func (j *Injector) Heal() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.healed = true
}

// Hits is how many operations have failed, or were cut short.
func (j *Injector) Hits() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.hits
}

// Refused is how many syncs of segments have failed.
func (j *Injector) Refused() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.refused
}

// Before has an operation fail if it is its turn.
func (j *Injector) Before(op *disk.Op) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.before(op)
	if _, ok := segment.ParseName(filepath.Base(op.Path)); ok && err != nil &&
		(op.Kind == disk.OpSync || op.Kind == disk.OpDatasync) {
		j.refused++
	}
	return err
}

func (j *Injector) before(op *disk.Op) error {
	switch {
	case j.healed:
		return nil
	case op.Kind == disk.OpWrite && op.File == j.rest:
		j.rest = nil
		return j.Err
	case j.Full:
		return j.fill(op)
	case j.Meets != nil && !j.Meets(op):
		return nil
	}
	n := j.met
	j.met++
	if n < j.At || n > j.At && !j.Lasts {
		return nil
	}
	j.hits++
	if j.Err == nil || j.Short && op.Kind == disk.OpWrite && op.Limit > 1 {
		op.Limit = (op.Limit + 1) / 2
		if j.Err != nil {
			j.rest = op.File
		}
		return nil
	}
	return j.Err
}

// fill takes room for what an operation makes a file grow by.
func (j *Injector) fill(op *disk.Op) error {
	if op.Kind != disk.OpWrite {
		return nil
	}
	size, err := os.Stat(op.Path)
	if err != nil {
		return nil // it has lost its name
	}
	grows := op.At + int64(op.Limit) - size.Size()
	if grows <= j.Room {
		j.Room -= max(0, grows)
		return nil
	}
	j.hits++
	fits := int64(op.Limit) - grows + j.Room
	j.Room = 0
	if fits <= 0 {
		return j.Err
	}
	op.Limit = int(fits)
	j.rest = op.File
	return nil
}

// After does nothing.
func (j *Injector) After(*disk.Op, int, error) {}

// Grows tells whether an operation needs room on the disk: whether it can fail with ENOSPC.
func Grows(op *disk.Op) bool {
	switch op.Kind {
	case disk.OpWrite, disk.OpMkdir, disk.OpRename:
		return true
	case disk.OpOpen:
		return op.Flag&os.O_CREATE != 0
	}
	return false
}

// Changes tells whether an operation changes the disk, or forces to it what was changed.
func Changes(op *disk.Op) bool {
	return op.Kind.Changes() && (op.Kind != disk.OpOpen || op.Flag&os.O_CREATE != 0)
}

var _ disk.Hook = (*Injector)(nil)
