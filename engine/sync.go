package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"purofs/engine/segment"
)

// A syncState knows what is on the disk, and remembers when the disk refused.
type syncState struct {
	dirty   atomic.Bool           // something was appended since the last sync
	failure atomic.Pointer[error] // why nothing is accepted any more

	mu     sync.Mutex // held during a sync: who waits for it often finds its own work done
	synced place      // all before it is on the disk
}

// upTo is up to where the log is known to be on the disk.
func (s *syncState) upTo() place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced
}

// covers tells whether all before p is known to be on the disk. It does not wait for a sync that is
// under way.
func (s *syncState) covers(p place) bool {
	if !s.mu.TryLock() {
		return false
	}
	defer s.mu.Unlock()
	return !s.synced.before(p)
}

// poisoned returns the error that every append and sync gets after a sync has failed.
//
// After a failed fsync the kernel marks the pages clean: the next one succeeds although the bytes
// never reached the disk. So there is no second try.
func (s *syncState) poisoned() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// reached notes that all before p is on the disk.
func (s *syncState) reached(p place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.synced.before(p) {
		s.synced = p
	}
}

// poison remembers the first failure and returns what callers are told. Log.mu is not held.
func (l *Log) poison(cause error) error {
	err := fmt.Errorf("%w: %w (close the log and open it again)", ErrPoisoned, cause)
	if l.sync.failure.CompareAndSwap(nil, &err) {
		noteUnsynced(l.dir, l.table.filePerm(), l.opts.Logger)
		l.mu.Lock()
		l.trouble(err)
		l.mu.Unlock()
	}
	return l.sync.poisoned()
}

// syncBlock forces the block to the disk that was just written to the segment, with all before it
// there. The producer's lock is held, Log.mu is not.
func (l *Log) syncBlock(h *handle) error {
	if err := l.sync.poisoned(); err != nil {
		return err
	}
	if err := h.Sync(); err != nil {
		return l.poison(err)
	}
	return nil
}

// Sync returns when all that was appended before the call, by any process, is on the disk. One sync
// serves all who wait for it. The error is ErrPoisoned, ErrClosed, ErrVanished or ErrReadOnly.
func (l *Log) Sync(ctx context.Context) error {
	if l.opts.ReadOnly {
		return ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := l.syncAll()
	return err
}

// syncAll forces everything to the disk and returns up to which place.
func (l *Log) syncAll() (place, error) {
	l.mu.Lock()
	if l.active == nil {
		l.mu.Unlock()
		return place{}, ErrClosed
	}
	l.linked = time.Time{} // what was removed cannot be made durable
	if err := l.refresh(); err != nil {
		l.unlockAndWake()
		return place{}, err
	}
	target := l.place()
	l.unlockAndWake()

	s := &l.sync
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.poisoned(); err != nil {
		return place{}, err
	}
	if !s.synced.before(target) {
		return s.synced, nil
	}
	s.dirty.Store(false)
	l.mu.Lock()
	if l.active == nil { // the log was closed while we waited
		l.mu.Unlock()
		return place{}, ErrClosed
	}
	target = l.place() // also what was appended while we waited
	l.mu.Unlock()
	if err := l.syncTo(target.order); err != nil {
		return place{}, err
	}
	s.synced = target
	return target, nil
}

// syncTo forces the segments up to that number which are not on the disk yet.
func (l *Log) syncTo(order uint32) error {
	l.mu.Lock()
	segments := slices.Clone(l.segments)
	l.mu.Unlock()
	for _, o := range segments {
		if o < l.sync.synced.order || o > order {
			continue
		}
		if err := l.syncSegment(o); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) syncSegment(order uint32) error {
	l.mu.Lock()
	h, err := l.hold(order)
	l.mu.Unlock()
	if err != nil {
		return fmt.Errorf("syncing segment %s: %w", segment.Name(order), err)
	}
	defer l.giveBack(h)
	if err := h.Sync(); err != nil {
		return l.poison(err)
	}
	return nil
}

// before tells whether p is earlier in the log than q.
func (p place) before(q place) bool {
	return p.order < q.order || p.order == q.order && p.pos < q.pos
}
