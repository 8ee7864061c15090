package nodes

import (
	"context"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes/codec"
)

// A sink is a batch of records of one topic on its way from a handle to the log. Records are
// encoded into it straight from the bytes of the request.
type sink struct {
	batch engine.Batch
	topic string
}

// Add implements codec.Sink.
func (s *sink) Add(key, head, tail []byte) {
	if len(head) == 0 {
		s.batch.Add(s.topic, key, tail)
		return
	}
	s.batch.Add(s.topic, key, head, tail)
}

// An appendHandle is one open append file, of any format. All whole lines of one WRITE are one
// atomic append; a line without its newline is carried until that comes, or until who wrote it
// closes the file or syncs it. In the raw format all that is written is one record, which only the
// close ends.
type appendHandle struct {
	tree  *Tree
	topic *topic
	flags uint32 // of open(2)
	raw   bool

	mu       sync.Mutex // orders the writes, guards what follows
	splitter codec.Splitter
	carried  share  // of the tree's room for unfinished lines
	owner    uint64 // lock owner of the last write
	hasOwner bool
	written  uint64 // bytes that were taken since the file was opened
	begin    uint64 // raw: file offset of the record's first byte
	synced   bool   // raw: fsync was called, so the record goes to the disk when it is stored
	broken   error  // why the last write was refused, if what is carried went on in it
}

func (t *Tree) openAppend(
	tp *topic, f codec.Format, flags, user uint32,
) (*appendHandle, error) {
	if t.config.ReadOnly && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, engine.ErrReadOnly
	}
	if _, err := t.info(tp); err != nil {
		return nil, err
	}
	return &appendHandle{
		tree: t, topic: tp, flags: flags, raw: f == codec.Raw,
		splitter: codec.NewSplitter(f, t.config.ValueBytes), carried: share{of: &t.carried, user: user},
	}, nil
}

// write stores the whole lines of data as one block. ctx ends the wait for the log's lock.
func (h *appendHandle) write(ctx context.Context, in *fuse.WriteIn, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.owner, h.hasOwner = in.LockOwner, in.WriteFlags&fuse.WRITE_LOCKOWNER != 0
	s := h.sink()
	defer h.done(s)
	err := h.checkPlace(in)
	if err == nil {
		err = h.splitter.Split(data, s)
	}
	if err == nil {
		err = h.reserve()
	}
	if err == nil && s.batch.Len() > 0 {
		s.batch.Sync = (in.Flags|h.flags)&syscall.O_DSYNC != 0
		err = h.store(ctx, s)
	}
	h.broken = nil
	switch {
	case err == nil:
		h.splitter.Keep()
		h.written += uint64(len(data))
	case h.splitter.Carried() > 0:
		h.broken = err
	}
	return err
}

// truncate takes the size that who writes gives the file if it would have that anyway: tools that
// write over an old file cut off what is left of it behind them, and would take a refusal for a
// failure. Any other size is refused, and with it a raw record that was begun.
func (h *appendHandle) truncate(size uint64) (taken bool) {
	h.mu.Lock()
	written := h.written
	h.mu.Unlock()
	if size != written {
		h.giveUp()
	}
	return size == written
}

// checkPlace refuses what would leave a hole in a raw record, or overwrite a part of it: tools that
// copy files do that, with those that have holes, and would not see that it came to nothing. Other
// formats have no places, and neither have files that are opened to append.
func (h *appendHandle) checkPlace(in *fuse.WriteIn) error {
	switch {
	case !h.raw || (in.Flags|h.flags)&syscall.O_APPEND != 0:
		return nil
	case h.splitter.Carried() == 0:
		h.begin = in.Offset
	case in.Offset != h.begin+uint64(h.splitter.Carried()):
		h.splitter.(*codec.Whole).Refuse(errNotInOrder)
		return errNotInOrder
	}
	return nil
}

// giveUp refuses the raw record that was begun, if there is one, because a call on its file was
// refused without which it would not be what the file of who writes would be.
func (h *appendHandle) giveUp() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if whole, ok := h.splitter.(*codec.Whole); ok && whole.Carried() > 0 {
		whole.Refuse(errNotInOrder)
		h.settle()
	}
}

// flush ends the unfinished line if who closes the file is who wrote it: a child that inherited the
// file and exits has another lock owner. The line is gone then in any case, because close(2) has
// reported what became of it; nor can an interrupt come between, after which it might be stored and
// reported as an error.
func (h *appendHandle) flush(lockOwner uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.hasOwner || h.owner != lockOwner {
		return nil
	}
	defer h.drop()
	return h.endLine(context.Background())
}

// fsync ends the unfinished line, and returns when everything is on the disk. A line that could not
// be stored stays unfinished. A raw record stays so in any case: it is synced when it is stored.
func (h *appendHandle) fsync(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.raw {
		h.synced = h.splitter.Carried() > 0
		return h.tree.log.Sync(ctx)
	}
	if err := h.endLine(ctx); err != nil {
		return err
	}
	h.drop()
	return h.tree.log.Sync(ctx)
}

// release stores what nobody could be told of any more: the unfinished line of a writer whose file
// was closed by another.
func (h *appendHandle) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.endLine(context.Background()); err != nil {
		h.tree.failed(h.topic.name, "storing the last line of a file that was closed", err)
	}
	h.drop()
}

// endLine stores the unfinished line, or raw record, if there is one, and if it is not known that
// more of it was to come, and was refused: then it is an error, and the same one. mu is held, as
// below.
func (h *appendHandle) endLine(ctx context.Context) error {
	if h.broken != nil {
		return h.broken
	}
	s := h.sink()
	defer h.done(s)
	// White space at the end of JSONL was begun, and is no record.
	if _, err := h.splitter.End(s); err != nil || s.batch.Len() == 0 {
		return err
	}
	s.batch.Sync = h.flags&syscall.O_DSYNC != 0 || h.synced
	return h.store(ctx, s)
}

func (h *appendHandle) store(ctx context.Context, s *sink) error {
	if h.topic.removed.Load() {
		return errRemoved
	}
	s.batch.NoWait = h.flags&syscall.O_NONBLOCK != 0
	err := h.tree.log.Append(ctx, &s.batch)
	if err == nil {
		h.topic.seen.Store(true)
	}
	return err
}

// reserve has the tree's limit count what will be carried after the write.
func (h *appendHandle) reserve() error {
	if !h.carried.resize(max(h.carried.n, int64(h.splitter.Pending()))) {
		return errCarryFull
	}
	return nil
}

// settle has the tree's limit count what is carried.
func (h *appendHandle) settle() {
	// There is room: what reserve has made sure of is never exceeded.
	h.carried.resize(int64(h.splitter.Carried()))
}

func (h *appendHandle) drop() {
	h.synced, h.broken = false, nil
	h.splitter.Drop()
	h.settle()
}

func (h *appendHandle) sink() *sink {
	s := h.tree.sinks.Get().(*sink)
	s.topic = h.topic.name
	return s
}

// done gives the sink back when the handle carries what it will carry.
func (h *appendHandle) done(s *sink) {
	s.batch.Reset()
	h.tree.sinks.Put(s)
	h.settle()
}

// read is for a file that was opened to read and write: nothing comes out of it.
func (h *appendHandle) read(_ *fuse.ReadIn, req ReadRequest) { req.Reply(0) }

func (h *appendHandle) poll(*PollIn) uint32 {
	return pollOut | pollIn
}

// errno is what who writes sees of an error.
func (h *appendHandle) errno(call string, err error) syscall.Errno {
	return h.tree.errnoFor(h.topic, call, err, h.flags&syscall.O_NONBLOCK != 0)
}
