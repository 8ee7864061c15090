package nodes

import (
	"errors"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
)

// How long the kernel may remember what it was told.
const (
	// validForever is for what cannot change while its directory is there.
	validForever = 24 * time.Hour
	// validTopic is for what another mount can change: which topics there are, and their rights. The
	// rest of a record never changes.
	validTopic = time.Second
	// validNever is for what changes with each record, and for names that may come to mean
	// something.
	validNever = 0
)

// ioBytes is the size of reads and writes that stat proposes to programs.
const ioBytes = 128 << 10

// The permission bits of the three classes, for owner, group and others at once.
const (
	permRead    = 0o444
	permWrite   = 0o222
	permExecute = 0o111
	permAll     = permRead | permWrite | permExecute
)

// dirMode is the mode of a topic's directory: who may read or write the topic may also pass.
func dirMode(mode uint32) uint32 {
	return syscall.S_IFDIR | mode&permAll | mode&permRead>>2 | mode&permWrite>>1
}

// mode is the mode of a node, whose topic has the permission bits topicMode. Who may move a cursor
// takes records from everybody else who reads by it: that needs the right to write the topic too.
func (k kind) mode(topicMode uint32) uint32 {
	switch k {
	case kindRoot:
		return syscall.S_IFDIR | 0o755
	case kindControl:
		return syscall.S_IFDIR | permRead | permExecute
	case kindTopic:
		return dirMode(topicMode)
	case kindStatus, kindMetrics, kindErrors:
		return syscall.S_IFREG | permRead
	}
	read := topicMode & permRead
	move := read & (topicMode & permWrite << 1) // as read bits
	switch {
	case k == kindCursorsDir:
		return dirMode(read | move>>1)
	case k.isDir():
		return dirMode(read)
	case k.moves():
		return syscall.S_IFREG | move
	case k == kindCursorPosition:
		return syscall.S_IFREG | read | move>>1
	case k.isAppend():
		return syscall.S_IFREG | topicMode&permWrite
	}
	return syscall.S_IFREG | read
}

// attrValid is how long the kernel may remember the attributes of a node.
func (k kind) attrValid() time.Duration {
	switch k {
	case kindRoot, kindControl, kindStatus, kindMetrics, kindErrors:
		return validForever
	}
	if k.isDir() || k.isAppend() || k == kindRecord {
		return validTopic
	}
	return validNever
}

// entryValid is how long the kernel may remember the name of a node of a topic.
func (n node) entryValid() time.Duration {
	switch {
	case n.kind.isNamed():
		return validNever // or forgotten names would pile up, and they come and go
	case n.kind == kindTopic && !n.topic.seen.Load():
		return validNever // its name means something only as long as it is used
	case n.kind == kindTopic:
		return validTopic
	}
	return validForever
}

// facts are what stat shows of a node that is not its topic's, or its kind's.
type facts struct {
	size uint64
	time time.Time // zero if the node has none of its own
}

// factsOf finds out the facts of a node, of whose topic info is known. Files whose text is only
// made when they are opened have no size, as in /proc. Sizes that have to be counted are left to
// stat: the kernel asks for attributes with every lookup, and listing, and does not use them then.
func (t *Tree) factsOf(
	cancel <-chan struct{}, n node, info *engine.TopicInfo,
) (facts, error) {
	switch n.kind {
	case kindLog, kindStream:
		return facts{size: info.NextText - info.FirstText}, nil
	case kindFrom:
		return facts{size: t.sizeFrom(n, info)}, nil
	case kindRecord:
		return t.recordFacts(n)
	case kindKey:
		key, err := t.key(cancel, n)
		return facts{size: uint64(key.ValueBytes), time: key.Time}, err
	}
	return facts{}, nil
}

// fillAttr sets the attributes of a node. info is what the log knows of its topic, if it has one.
func (t *Tree) fillAttr(out *fuse.Attr, n node, info *engine.TopicInfo, f facts) {
	*out = fuse.Attr{
		Ino: n.ino(), Nlink: 1, Blksize: ioBytes, Size: f.size, Blocks: (f.size + 511) / 512,
	}
	changed := t.started
	if n.topic == nil {
		out.Mode = n.kind.mode(0)
		out.Uid, out.Gid = t.config.UID, t.config.GID
	} else {
		out.Mode = n.kind.mode(info.Mode)
		out.Uid, out.Gid = info.UID, info.GID
		switch {
		case !f.time.IsZero():
			changed = f.time
		case !info.Time.IsZero():
			changed = info.Time
		}
	}
	out.SetTimes(&changed, &changed, &changed)
}

// attr sets the attributes of a node as they are now. A file that is gone can still be open, so it
// has attributes, but no name any more.
func (t *Tree) attr(cancel <-chan struct{}, n node, out *fuse.Attr) error {
	var info engine.TopicInfo
	var f facts
	var err error
	if n.topic != nil {
		info, err = t.info(n.topic)
	}
	if err == nil {
		f, err = t.factsOf(cancel, n, &info)
	}
	if err == nil && n.kind.isCounted() {
		f.size = t.sizeFormatted(n.topic, n.format(), &info)
	}
	gone := !n.kind.isDir() && isGone(err)
	if err != nil && !gone {
		return err
	}
	t.fillAttr(out, n, &info, f)
	if gone {
		out.Nlink = 0
	}
	return nil
}

// isGone tells whether an error says that a node is not there any more.
func isGone(err error) bool {
	return errors.Is(err, errRemoved) || errors.Is(err, errNoRecord) || errors.Is(err, engine.ErrNoKey)
}

// fillEntry answers a lookup of a node, which the kernel remembers until it says so (see Forget).
// After an error it remembers nothing.
func (t *Tree) fillEntry(
	cancel <-chan struct{}, out *fuse.EntryOut, n node, info *engine.TopicInfo,
) error {
	f, err := t.factsOf(cancel, n, info)
	if err != nil {
		return err
	}
	if n.topic == nil {
		out.NodeId = n.ino() // the fixed nodes have one number for both
		out.SetEntryTimeout(validForever)
	} else {
		out.NodeId = t.topics.remember(n)
		out.SetEntryTimeout(n.entryValid())
		if name, found := t.topics.old(); found && t.notifier != nil {
			t.notifier.entryGone(name)
		}
	}
	t.fillAttr(&out.Attr, n, info, f)
	out.SetAttrTimeout(n.kind.attrValid())
	return nil
}
