package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"purofs/engine/disk"
	"purofs/engine/index"
	"purofs/engine/segment"
)

// A Log is an open store. Its methods are safe for concurrent use; any number of processes may have
// the same store open.
type Log struct {
	path   string
	dir    *disk.Dir
	opts   Options
	opened time.Time
	bootID [16]byte

	// lead is held, by a value in it, by the goroutine that writes a block; see Append.
	lead     chan struct{}
	queue    queue
	builder  blockBuilder // of the leader
	awaiting atomic.Bool  // the leader waits for another process

	quit chan struct{} // closed by Close
	sync syncState
	keep keeper
	keys keyTables

	cursors cursorSyncs
	places  places

	// mu guards what follows: what is known of the log, up to the tail.
	mu       sync.Mutex
	closed   bool
	table    table
	segments []uint32 // numbers of the segment files, ascending; some behind active may not be in use
	active   *handle
	scan     *segment.Scanner // of the active segment, at the tail
	linked   time.Time        // when the active segment was last seen to have its name
	gone     error            // once it had none: ErrVanished
	stalled  int64            // file size at which only a changed size can bring news; -1 otherwise
	damaged  bool             // the active segment is damaged: the next producer ends it
	newer    bool             // it has blocks that need a newer version: nothing is appended
	lastTime int64            // of the newest block
	handles  map[uint32]*handle
	bases    map[uint32]*base
	due      []func()                 // wakes to call once mu is free
	waiting  int                      // watches
	watched  map[*topicState]struct{} // topics that have some
	follower follower
	troubles troubles
}

// Open opens the log in the directory dir, which is made if it does not exist. It returns when all
// that was appended is known; if the machine crashed since the log was last used, what was not
// surely on the disk is checked first, and cut off where it is not sound.
//
// The error matches ErrNotStore, ErrNetworkFS, ErrOption or ErrLocked, or is that of the file
// system.
func Open(ctx context.Context, dir string, opts Options) (*Log, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	l := &Log{
		opts:    opts.withDefaults(),
		opened:  time.Now(),
		lead:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		stalled: -1,
		handles: make(map[uint32]*handle),
		bases:   make(map[uint32]*base),
		places:  places{span: index.SpanBytes},
	}
	l.table.topics = make(map[string]*topicState)
	l.watched = make(map[*topicState]struct{})
	l.keys.bytesMax, l.keys.topics = KeyTablesBytesMax, make(map[string]*keyTable)
	if err := l.open(ctx, dir); err != nil {
		return nil, fmt.Errorf("opening store %s: %w", dir, err)
	}
	return l, nil
}

func (l *Log) open(ctx context.Context, dir string) (err error) {
	if l.path, err = filepath.Abs(dir); err != nil {
		return err
	}
	if l.dir, err = openStore(l.path, l.opts.ReadOnly, l.opts.FileHook, &l.table); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			l.release()
		}
	}()
	l.bootID = readBootID()
	if err = l.listSegments(); err != nil {
		return err
	}
	if len(l.segments) == 0 {
		if err = l.firstSegment(); err != nil {
			return err
		}
	}
	if err = l.recover(ctx); err != nil {
		return err
	}
	l.keep.start(l)
	return nil
}

// firstSegment makes the first segment of a new store.
func (l *Log) firstSegment() error {
	if l.opts.ReadOnly {
		return fmt.Errorf("%w: it holds no segment (a read-only log is not made)", ErrNotStore)
	}
	l.table.storeID = newStoreID()
	seg, err := segment.Create(l.dir, 0, l.table.filePerm())
	if err == nil {
		err = seg.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := l.listSegments(); err != nil {
		return err
	}
	if len(l.segments) == 0 {
		return fmt.Errorf("%w: its first segment was removed at once", ErrVanished)
	}
	return nil
}

// filePerm is the mode of new segments: who may use the directory may use what is in it.
func (t *table) filePerm() fs.FileMode { return fs.FileMode(t.mode&0o666) | 0o600 }

// Close ends the log: waiting readers are woken, appends that have begun finish, and what the sync
// mode promises is done. Every later call returns ErrClosed.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	l.closed = true
	l.fireAll()
	l.unlockAndWake()
	close(l.quit)
	l.lead <- struct{}{} // the last leader is done; the token is never given back
	l.follower.stop(l)
	l.keys.close()
	err := l.keep.stop(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release()
	return err
}

// release closes the files.
func (l *Log) release() {
	if l.scan != nil {
		l.scan.Release()
	}
	if l.active != nil {
		l.drop(l.active)
		l.active = nil
	}
	if l.dir != nil {
		l.dir.Close()
	}
}

// A handle is a segment file that is open for several users.
type handle struct {
	*segment.Segment
	refs int // guarded by Log.mu
}

// hold returns the open segment of that number; drop gives it back. Log.mu is held.
func (l *Log) hold(order uint32) (*handle, error) {
	if h := l.handles[order]; h != nil {
		h.refs++
		return h, nil
	}
	seg, err := segment.Open(l.dir, order, !l.opts.ReadOnly)
	if err != nil {
		return nil, err
	}
	if l.active != nil && order < l.active.Order() {
		// Complete: retention and compaction shall keep away as long as it is read. Whoever has it
		// locked now, if only a producer that does not know yet that it is complete, does no harm: an
		// open file can be read even without its name.
		if _, err := seg.ShareHead(); err != nil {
			seg.Close()
			return nil, err
		}
	}
	h := &handle{seg, 1}
	l.handles[order] = h
	return h, nil
}

// holdActive returns the active segment, and up to where it is known; giveBack gives it back.
func (l *Log) holdActive() (h *handle, size int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, 0, ErrClosed
	}
	l.active.refs++
	return l.active, l.scan.Pos(), nil
}

// drop gives a handle back. Log.mu is held.
func (l *Log) drop(h *handle) {
	if h.refs--; h.refs == 0 {
		delete(l.handles, h.Order())
		h.Close()
	}
}

// listSegments reads which segments there are: at least one, once there was one.
func (l *Log) listSegments() error {
	orders, err := segmentsOf(l.dir)
	if err == nil && len(orders) == 0 && l.active != nil {
		err = l.vanished()
	}
	if err == nil {
		l.segments = orders
	}
	return err
}

// unlockAndWake frees mu and has the wakes called that are due, by another goroutine: the caller
// may hold locks that they need.
func (l *Log) unlockAndWake() {
	due := l.due
	l.due = nil
	l.mu.Unlock()
	if len(due) > 0 {
		go wakeAll(due)
	}
}

// wakesInline is how many readers an append wakes before it returns. That is the fastest way to
// wake them; many must not hold up the writer.
const wakesInline = 4

// wakeAfterAppend calls the wakes that are due. The caller holds no lock.
func (l *Log) wakeAfterAppend() {
	l.mu.Lock()
	due := l.due
	l.due = nil
	l.mu.Unlock()
	if len(due) <= wakesInline {
		wakeAll(due)
	} else {
		go wakeAll(due)
	}
}

func wakeAll(due []func()) {
	for _, wake := range due {
		wake()
	}
}

// Status returns the state of the log.
func (l *Log) Status() Status {
	l.mu.Lock()
	defer l.unlockAndWake()
	s := Status{
		Dir: l.path, Sync: l.opts.Sync.String(), SegmentBytes: l.opts.SegmentBytes, Opened: l.opened,
		Healthy: l.sync.poisoned() == nil, Troubles: l.troubles.total, Readers: l.waiting,
	}
	if l.closed {
		return s
	}
	l.linked = time.Time{}
	if err := l.refresh(); err != nil {
		s.Healthy = false
	}
	s.Segments, s.Topics, s.Records = len(l.segments), l.table.live, l.table.records
	for _, order := range l.segments {
		if info, err := l.dir.Lstat(segment.Name(order)); err == nil {
			s.Bytes += info.Size()
		}
	}
	return s
}

// now is the time of a new block: behind that of the block before, whatever the clock does. By
// that a block is told from a copy of an older one that stands in a value.
func (l *Log) now() int64 { return max(time.Now().UnixNano(), l.lastTime+1) }
