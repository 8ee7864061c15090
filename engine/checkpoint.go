package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"purofs/engine/format"
	"purofs/engine/segment"
)

const (
	// checkpointNew begins the name of a checkpoint while it is written. Each has a name of its own,
	// for two processes may write theirs in the same moment.
	checkpointNew = "checkpoint.new"
	// checkpointLeft is the age from which on a new checkpoint is taken to be left over: its process
	// was killed, or stopped for so long that it can do without.
	checkpointLeft = time.Minute
	// checkpointGap is after how many bytes a new checkpoint is due: so much is walked over by the
	// next opening, at the most.
	checkpointGap = 16 << 20
	// checkpointBytesMax bounds what is read as a checkpoint.
	checkpointBytesMax = segmentHeaderBytesMax + 1<<20
)

// A keeper does in the background what appends, and commits of cursors, leave behind: the sync of
// SyncInterval, and checkpoints.
type keeper struct {
	bytes atomic.Int64 // appended since the last checkpoint
	due   chan struct{}
	quit  chan struct{}
	done  sync.WaitGroup
}

func (k *keeper) start(l *Log) {
	if l.opts.ReadOnly {
		return
	}
	k.due, k.quit = make(chan struct{}, 1), make(chan struct{})
	k.done.Add(1)
	go func() {
		defer k.done.Done()
		k.run(l)
	}()
}

// appended counts bytes of the log, and makes a checkpoint due.
func (k *keeper) appended(bytes int64) {
	if k.bytes.Add(bytes) >= checkpointGap {
		k.want()
	}
}

// want makes a checkpoint due.
func (k *keeper) want() {
	select {
	case k.due <- struct{}{}:
	default:
	}
}

func (k *keeper) run(l *Log) {
	var ticks <-chan time.Time
	if l.opts.Sync == SyncInterval {
		ticker := time.NewTicker(l.opts.SyncInterval)
		defer ticker.Stop()
		ticks = ticker.C
	}
	// The index is built chunk by chunk: a whole segment may take longer than the records of a second
	// may wait for their sync.
	var step <-chan struct{}
	ready := make(chan struct{})
	close(ready)
	for {
		var err error
		select {
		case <-k.quit:
			return
		case <-ticks:
			if l.sync.dirty.Load() {
				err = l.checkpoint(true)
			}
			err = errors.Join(err, l.cursors.run())
		case <-k.due:
			err = l.checkpoint(l.opts.Sync >= SyncAlways)
			step = ready
		case <-step:
			if !l.follow() {
				step = nil
			}
		}
		if err != nil {
			l.mu.Lock()
			l.trouble(err)
			l.mu.Unlock()
		}
	}
}

// stop ends the keeper and leaves the log as the sync mode promises, with a checkpoint.
func (k *keeper) stop(l *Log) error {
	if l.opts.ReadOnly {
		return nil
	}
	close(k.quit)
	k.done.Wait()
	err := l.checkpoint(l.opts.Sync != SyncNone)
	return errors.Join(err, l.cursors.stop())
}

// checkpoint writes what is known of the log at its tail, after a sync if durable is set. The error
// is that of the sync: a checkpoint that cannot be written, since the disk is full, costs no more
// than time.
func (l *Log) checkpoint(durable bool) error {
	c, sealed, err := l.captureTail()
	if err != nil {
		return err
	}
	if durable {
		if _, err := l.syncAll(); err != nil {
			return err
		}
	}
	if sealed {
		return nil // who starts behind a tombstone does not know of it; the checkpoint before will do
	}
	synced := l.sync.upTo()
	if !durable {
		synced = l.vouchedFor(synced)
	}
	if here := (place{c.Log.Order, c.Pos}); here.before(synced) {
		synced = here // the sync covered more than the state above
	}
	c.SyncedOrder, c.SyncedPos = synced.order, synced.pos
	if err := l.writeCheckpoint(format.AppendCheckpoint(nil, c)); err != nil {
		l.mu.Lock()
		l.trouble(fmt.Errorf("writing a checkpoint: %w", err))
		l.mu.Unlock()
	}
	return nil
}

// captureTail returns what a checkpoint says of the log's tail as it is now, and whether that is
// behind a tombstone.
func (l *Log) captureTail() (c *format.Checkpoint, sealed bool, err error) {
	l.mu.Lock()
	defer l.unlockAndWake()
	l.keep.bytes.Store(0)
	// Others may have written checkpoints of what they appended; one of less would take theirs back.
	if err := l.refresh(); err != nil {
		return nil, false, err
	}
	c = &format.Checkpoint{BootID: l.bootID, Pos: l.scan.Pos()}
	c.Log = *l.table.header(l.active.Order(), l.lastTime)
	return c, l.scan.Sealed(), nil
}

// vouchedFor is up to where the log is on the disk if this process knows that of synced: the
// checkpoint may have more of another one.
func (l *Log) vouchedFor(synced place) place {
	c := l.readCheckpoint()
	if c == nil || c.BootID != l.bootID {
		return synced
	}
	if at := (place{c.SyncedOrder, c.SyncedPos}); synced.before(at) {
		return at
	}
	return synced
}

// writeCheckpoint replaces the checkpoint file. It is synced before it gets its name, in every
// mode: a power cut leaves this one or the one before, and never none. Only with one is it known
// afterwards that the machine crashed.
func (l *Log) writeCheckpoint(b []byte) (err error) {
	id := newStoreID()
	name := fmt.Sprintf("%s.%x", checkpointNew, id[:4])
	file, err := l.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, l.table.filePerm())
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = l.dir.Rename(name, checkpointName)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a process that opens the store has swept it away; the one before will do
	}
	if err != nil {
		err = errors.Join(err, l.dir.Remove(name))
	}
	return err
}

// sweepCheckpoints removes checkpoints that were never finished: all of them, or those that nobody
// writes any more.
func (l *Log) sweepCheckpoints(all bool) error {
	entries, err := l.dir.ReadDir()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !isNewCheckpoint(e.Name()) || !all && !l.isLeftOver(e.Name()) {
			continue
		}
		if err := l.dir.Remove(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// isLeftOver tells whether nobody writes a new checkpoint any more.
func (l *Log) isLeftOver(name string) bool {
	info, err := l.dir.Lstat(name)
	return err == nil && time.Since(info.ModTime()) >= checkpointLeft
}

// sweepLeftCheckpoints removes those that nobody writes any more. They take room, and do no harm.
func (l *Log) sweepLeftCheckpoints() {
	if l.opts.ReadOnly {
		return
	}
	if err := l.sweepCheckpoints(false); err != nil {
		l.opts.Logger.Info().Err(err).Msg("a checkpoint that was never finished remains")
	}
}

// isNewCheckpoint tells whether a file of that name is a checkpoint that was not finished.
func isNewCheckpoint(name string) bool { return strings.HasPrefix(name, checkpointNew) }

// readCheckpoint returns the checkpoint if there is one of this store.
func (l *Log) readCheckpoint() *format.Checkpoint {
	b, err := l.dir.ReadFile(checkpointName, checkpointBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var c *format.Checkpoint
	if err == nil {
		c, err = format.ParseCheckpoint(b)
	}
	if err == nil {
		err = l.ownCheckpoint(c)
	}
	if err != nil {
		l.opts.Logger.Info().Err(err).Msg("the checkpoint is of no use; walking over the segment instead")
		return nil
	}
	return c
}

// ownCheckpoint tells whether the checkpoint is of this store, as far as its segment says.
func (l *Log) ownCheckpoint(c *format.Checkpoint) error {
	file, err := segment.Open(l.dir, c.Log.Order, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a power cut may have taken it: all the more has to be known of that
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if h, err := firstHeader(file); err != nil || h != nil && h.StoreID != c.Log.StoreID {
		return fmt.Errorf("it is of another store: %w", errors.Join(err, format.ErrKind))
	}
	return nil
}

// matchCheckpoint tells whether the log has a block that ends where the checkpoint says.
func (l *Log) matchCheckpoint(c *format.Checkpoint) error {
	file, err := segment.Open(l.dir, c.Log.Order, false)
	if err != nil {
		return err
	}
	defer file.Close()
	if c.Pos == 0 {
		return nil
	}
	if c.Pos == int64(len(format.Magic)) {
		var magic [len(format.Magic)]byte
		if _, err := file.ReadAt(magic[:], 0); err != nil || magic != format.Magic {
			return fmt.Errorf("no magic stands there: %w", errors.Join(err, format.ErrKind))
		}
		return nil
	}
	var end [format.EndBytes]byte
	if _, err := file.ReadAt(end[:], c.Pos-int64(len(end))); err != nil {
		return fmt.Errorf("no block ends there: %w", err)
	}
	length := format.EndLength(end[:])
	var start [format.StartBytes]byte
	if _, err := file.ReadAt(start[:], c.Pos-int64(len(end))-int64(length)); err != nil {
		return fmt.Errorf("no block ends there: %w", err)
	}
	s, err := format.ParseStart(start[:])
	if err == nil {
		err = format.ParseEnd(end[:], s.Length)
	}
	return err
}
