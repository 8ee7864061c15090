package engine

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"purofs/engine/format"
	"purofs/engine/segment"
)

// A queue holds the batches that wait to be written. Whoever gets Log.lead, the leader, writes all
// of them as one block: under load, many appends share a lock, two writes and a sync.
type queue struct {
	mu      sync.Mutex
	pending []*Batch
}

func (q *queue) push(b *Batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending = append(q.pending, b)
}

// take moves the batches that fit into one block with the leader's to group. A batch that must not
// wait for a lock is written by its own leader, alone.
func (q *queue) take(group []*Batch, leader *Batch) []*Batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	bytes := 0
	rest := q.pending[:0]
	for _, b := range q.pending {
		bytes += b.size()
		alone := leader.NoWait || b.NoWait
		if alone && b != leader || len(group) > 0 && bytes > batchBytesMax {
			rest = append(rest, b)
		} else {
			group = append(group, b)
		}
	}
	clear(q.pending[len(rest):])
	q.pending = rest
	return group
}

// gather waits until no more batches come. Under load those who append were woken a moment ago, by
// the answers to the block before, and are ready to run: a turn of the scheduler lets them join
// this block, and costs less than the lock and the two writes of one of their own.
func (q *queue) gather() {
	for before := -1; ; runtime.Gosched() {
		q.mu.Lock()
		n := len(q.pending)
		q.mu.Unlock()
		if n <= before {
			return
		}
		before = n
	}
}

// withdraw takes a batch back, and tells whether it was still there.
func (q *queue) withdraw(b *Batch) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.pending {
		if q.pending[i] == b {
			q.pending = append(q.pending[:i], q.pending[i+1:]...)
			return true
		}
	}
	return false
}

// Append stores the batch as one atomic block: every reader sees all of it or nothing. When it
// returns nil the records can be read by everyone, and are on the disk if the sync mode or
// Batch.Sync promise that; Batch.Offset tells their offsets.
//
// ctx ends the wait for other writers but not a write that has begun, so after any error but
// ErrPoisoned nothing is stored, now or later. (A sync that fails comes after the records were made
// visible; they may or may not survive a power cut.) Other errors are ErrTooLarge, ErrInvalidTopic,
// ErrTooManyTopics, ErrEmptyBatch, ErrLocked, ErrReadOnly, ErrClosed, ErrVanished, ErrVersion, and
// those of the file system, as syscall.ENOSPC.
func (l *Log) Append(ctx context.Context, b *Batch) error {
	if l.opts.ReadOnly {
		return ErrReadOnly
	}
	if err := b.check(l.opts.ValueBytes); err != nil {
		return err
	}
	b.enc.Finish()
	if b.done == nil {
		b.done = make(chan error, 1)
	}
	l.queue.push(b)
	// Who has nobody to wait for must not ask for the end of the wait: to some contexts that says
	// that the caller is about to block.
	select {
	case l.lead <- struct{}{}:
		return l.leadFor(ctx, b)
	default:
	}
	var look <-chan time.Time // whether the leader waits for another process
	if b.NoWait {
		ticker := time.NewTicker(noWaitLook)
		defer ticker.Stop()
		look = ticker.C
	}
	for {
		select {
		case l.lead <- struct{}{}:
			return l.leadFor(ctx, b)
		case err := <-b.done:
			return err
		case <-ctx.Done():
			if l.queue.withdraw(b) {
				return ctx.Err()
			}
			return <-b.done
		case <-l.quit:
			if l.queue.withdraw(b) {
				return ErrClosed
			}
			return <-b.done
		case <-look:
			if l.awaiting.Load() && l.queue.withdraw(b) {
				return ErrLocked
			}
		}
	}
}

// noWaitLook is how often a batch that must not wait for another process looks whether it does.
const noWaitLook = time.Millisecond

// leadFor writes blocks as the leader until the caller's batch is stored.
func (l *Log) leadFor(ctx context.Context, b *Batch) error {
	defer func() {
		<-l.lead
		l.wakeAfterAppend()
	}()
	for {
		select {
		case err := <-b.done: // by the leader before
			return err
		default:
		}
		if len(l.builder.group) > 1 {
			l.queue.gather()
		}
		own, err := l.writeGroup(ctx, b)
		if own {
			return err
		}
	}
}

// writeGroup writes one block of the batches that wait, answers those of others, and tells whether
// the leader's own batch was among them.
func (l *Log) writeGroup(ctx context.Context, b *Batch) (own bool, err error) {
	w := &l.builder
	w.group = w.group[:0]
	err = l.commit(ctx, b)
	if len(w.group) == 0 {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) && l.queue.withdraw(b) {
			return true, err // only this leader gave up; the next one goes on
		}
		w.group = l.queue.take(w.group, b) // who waited with the leader is told what it is told
	}
	refused := errors.Is(err, ErrTooManyTopics) || errors.Is(err, ErrTooLarge)
	if refused && len(w.group) > 1 {
		return l.writeSingly(ctx, b)
	}
	for _, other := range w.group {
		if other == b {
			own = true
		} else {
			other.done <- err
		}
	}
	clear(w.group)
	return own, err
}

// writeSingly gives each batch of the group a block of its own, so that one that is refused does
// not take the others with it.
func (l *Log) writeSingly(ctx context.Context, b *Batch) (own bool, err error) {
	for _, single := range slices.Clone(l.builder.group) {
		l.builder.group = append(l.builder.group[:0], single)
		answer := l.commit(context.WithoutCancel(ctx), b)
		if single == b {
			own, err = true, answer
		} else {
			single.done <- answer
		}
	}
	return own, err
}

// commit stores the group of batches in the builder as one block. If there is none yet, those that
// wait become it once the lock is had: until then each of them can still be withdrawn.
func (l *Log) commit(ctx context.Context, b *Batch) error {
	if err := l.sync.poisoned(); err != nil {
		return err
	}
	for {
		h, size, err := l.holdActive()
		if err != nil {
			return err
		}
		done, err := l.commitTo(ctx, h, size, b)
		l.giveBack(h)
		if done || err != nil {
			return err
		}
		if len(l.builder.group) > 0 {
			ctx = context.WithoutCancel(ctx) // the others go on, even if the leader would give up
		}
	}
}

// commitTo stores the group in the segment, whose size was seen, unless that turns out not to be
// the active one (any more).
func (l *Log) commitTo(ctx context.Context, h *handle, size int64, b *Batch) (bool, error) {
	if err := l.lock(ctx, h, size, b.NoWait); err != nil {
		return false, err
	}
	defer h.UnlockTail()
	w := &l.builder
	if len(w.group) == 0 {
		w.group = l.queue.take(w.group, b)
	}
	l.mu.Lock()
	ready, err := l.prepare(h, w.bytesOf(w.group))
	if !ready || err != nil {
		l.mu.Unlock()
		return false, err
	}
	pos := l.scan.Pos()
	if err = w.build(l, w.group, pos); err != nil {
		w.done(&l.table)
	}
	l.mu.Unlock()
	if err != nil {
		return false, err
	}
	if err := h.Append(pos, w.pieces, w.start, l.opts.Sync == SyncFlip); err != nil {
		l.mu.Lock()
		w.done(&l.table)
		l.mu.Unlock()
		return false, l.writeFailed(err)
	}
	l.sync.dirty.Store(true)
	l.keep.appended(w.bytes)
	l.mu.Lock()
	l.publish(h, pos, w.group)
	l.mu.Unlock()
	if w.sync || l.opts.Sync >= SyncAlways {
		return true, l.syncBlock(h)
	}
	return true, nil
}

// lock takes the producer's lock of the segment.
func (l *Log) lock(ctx context.Context, h *handle, size int64, noWait bool) error {
	err := h.LockTail(ctx, size, 0)
	if !errors.Is(err, segment.ErrLocked) || noWait {
		return lockError(err)
	}
	l.awaiting.Store(true)
	defer l.awaiting.Store(false)
	return lockError(h.LockTail(ctx, size, l.opts.LockTimeout))
}

func lockError(err error) error {
	if errors.Is(err, segment.ErrLocked) {
		return ErrLocked
	}
	return err
}

// writeFailed poisons the log if it was a sync of a segment that failed: that before the flip, or
// that of a repair. The segment may hold more that was to be on the disk, and is not any more in
// what the next sync writes. Log.mu is not held.
func (l *Log) writeFailed(err error) error {
	if errors.Is(err, segment.ErrSync) {
		return l.poison(err)
	}
	return err
}

// publish takes the block that was just written at pos into account. Log.mu is held.
func (l *Log) publish(h *handle, pos int64, group []*Batch) {
	w := &l.builder
	defer w.done(&l.table)
	if l.active != h || l.scan.Pos() != pos {
		return // a refresh was faster and has seen it
	}
	for _, b := range group {
		if len(b.control) > 0 {
			record, _, _ := format.ParseRecord(b.control)
			_ = l.table.control(record.Topic[0], record.Value) // encoded by ourselves
			l.fireDeleted()
		}
	}
	for i, t := range w.runTopics {
		run := w.runs[i]
		l.table.add(t, run.Offset+run.Records, run.Records, run.ValueBytes, w.time)
		l.fire(t, false)
	}
	l.lastTime = w.time
	l.scan.SkipTo(pos+w.bytes, w.time)
}
