package nodes

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/rs/zerolog"

	"purofs/engine"
)

// CarryBytesMax is how many bytes of unfinished lines all handles of a tree hold together. One user
// alone may hold half of it, and never more than is still free, so that others find room. A write
// that would exceed it is refused with ENOBUFS.
const CarryBytesMax = 256 << 20

// OpenFilesMax is how many files and directories of a tree can be open together, shared in the same
// way. An open beyond it is refused with ENFILE.
const OpenFilesMax = 1 << 18

// TextBytesMax is how many bytes the texts that all open files and directories of a tree show, as
// they were when they were opened, take together. It is shared in the same way, with the same
// error.
const TextBytesMax = 1 << 30

// A Config is what a tree is made of. Log is required; the zero value of the rest is useful.
type Config struct {
	// Log is the log behind the tree. It stays open until the last request was answered.
	Log Log
	// Logger gets what an operator should know. Silent by default.
	Logger *zerolog.Logger

	// UID and GID own the root and the control files.
	UID, GID uint32
	// NewTopic is owner and mode of a topic that appears by its first use (AutoCreate).
	NewTopic engine.TopicAttr
	// ValueBytes is the longest record that append takes, engine.ValueBytesDefault if zero. It
	// should be the same as the log's.
	ValueBytes int

	// ReadOnly refuses every change with EROFS.
	ReadOnly bool
	// AutoCreate lets any legal name that does not begin with a dot be used as a topic; it becomes
	// one with its first record. Looking at it makes nothing.
	AutoCreate bool
	// AllowDelete lets rmdir remove a topic.
	AllowDelete bool
	// NoLive leaves the files whose reading may wait out of listings, so that whoever reads all that
	// is listed comes to an end. They are found by name as ever.
	NoLive bool

	// Version, Mountpoint and Options are shown in .puro/status.json.
	Version    string
	Mountpoint string
	Options    []string
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		silent := zerolog.Nop()
		c.Logger = &silent
	}
	if c.ValueBytes == 0 {
		c.ValueBytes = engine.ValueBytesDefault
	}
	return c
}

// A Tree answers the requests of one mount. It is safe for concurrent use.
type Tree struct {
	// RawFileSystem answers ENOSYS to what is not implemented here. The kernel then stops asking
	// and does what is right without us: GETLK and SETLK (locks stay local), ACCESS (the mode
	// decides), LSEEK (SEEK_DATA finds no holes), COPY_FILE_RANGE (it reads and writes), FSYNCDIR,
	// STATX.
	fuse.RawFileSystem

	config  Config
	log     Log
	logger  *zerolog.Logger
	started time.Time

	topics   *topicTable
	handles  handleTable
	waiters  waiterSet
	troubles troubleRing
	panicked atomic.Bool // since it was mounted
	sinks    sync.Pool   // of *sink
	carried  shares      // bytes of unfinished lines in all handles
	texts    shares      // bytes of texts and listings in all handles
	held     heldTable   // what of the log all handles hold

	valueBytes atomic.Int64 // of the values that all open records hold

	kernel   Kernel // nil until SetKernel
	notifier *notifier
}

// NewTree returns a tree that shows a log.
func NewTree(config Config) *Tree {
	config = config.withDefaults()
	t := &Tree{
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		config:        config,
		log:           config.Log,
		logger:        config.Logger,
		started:       time.Now(),
		topics:        newTopicTable(),
		handles:       handleTable{opened: shares{limit: OpenFilesMax}},
		carried:       shares{limit: CarryBytesMax},
		texts:         shares{limit: TextBytesMax},
		held:          heldTable{limit: HeldBytesMax},
	}
	t.sinks.New = func() any { return new(sink) }
	return t
}

// SetKernel gives the tree its way to talk to the kernel. It is called once, before the first
// request; without it polls are not woken and removals not told, which go-fuse's own server can do
// without.
func (t *Tree) SetKernel(kernel Kernel) {
	t.kernel = kernel
	t.notifier = startNotifier(kernel)
}

// Shutdown ends every read that waits, with EOF unless it is one of a cursor's next, and lets no
// further one wait. Appends go on to work, since closing a file may store its last line: the log is
// closed after the unmount. It may be called more than once, but not together with SetKernel.
func (t *Tree) Shutdown() {
	t.waiters.drain((*waiter).shutDown)
	for _, h := range t.handles.all() {
		if p, ok := h.(pollable); ok {
			p.wakePoll()
		}
	}
	if t.notifier != nil {
		t.notifier.stop()
	}
}

// String names the file system in go-fuse's messages.
func (t *Tree) String() string { return "purofs" }

// info returns what the log knows of a topic now. A topic that is only a name yet is described as
// it would be made; one that is gone is errRemoved.
func (t *Tree) info(tp *topic) (engine.TopicInfo, error) {
	if tp.removed.Load() {
		return engine.TopicInfo{}, errRemoved
	}
	info, err := t.log.Topic(tp.name)
	switch {
	case err == nil:
		tp.seen.Store(true)
		return info, nil
	case !errors.Is(err, engine.ErrNoTopic):
		return engine.TopicInfo{}, err
	case tp.seen.Load():
		t.noteRemoved(tp)
		return engine.TopicInfo{}, errRemoved
	}
	attr := t.config.NewTopic
	return engine.TopicInfo{Name: tp.name, Mode: attr.Mode, UID: attr.UID, GID: attr.GID}, nil
}

// noteRemoved takes note that a topic is gone, and tells the kernel to forget its name.
func (t *Tree) noteRemoved(tp *topic) {
	if t.topics.remove(tp) && t.notifier != nil {
		t.notifier.entryGone(entryName{rootNode, tp.shown})
	}
}
