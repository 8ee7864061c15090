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
	// validTopic is for what another mount can change: which topics there are, and their rights.
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

// mode is the mode of a node, whose topic has the permission bits topicMode.
func (k kind) mode(topicMode uint32) uint32 {
	switch k {
	case kindRoot:
		return syscall.S_IFDIR | 0o755
	case kindControl:
		return syscall.S_IFDIR | permRead | permExecute
	case kindTopic:
		return dirMode(topicMode)
	case kindFromDir:
		return dirMode(topicMode & permRead)
	case kindAppend:
		return syscall.S_IFREG | topicMode&permWrite
	case kindStatus, kindErrors:
		return syscall.S_IFREG | permRead
	}
	return syscall.S_IFREG | topicMode&permRead
}

// attrValid is how long the kernel may remember the attributes of a node.
func (k kind) attrValid() time.Duration {
	switch k {
	case kindRoot, kindControl, kindStatus, kindErrors:
		return validForever
	case kindTopic, kindFromDir, kindAppend:
		return validTopic
	}
	return validNever
}

// entryValid is how long the kernel may remember the name of a node of a topic.
func (n node) entryValid() time.Duration {
	switch {
	case n.kind == kindFrom:
		return validNever // or forgotten positions would pile up
	case n.kind == kindTopic && !n.topic.seen.Load():
		return validNever // its name means something only as long as it is used
	case n.kind == kindTopic:
		return validTopic
	}
	return validForever
}

// fillAttr sets the attributes of a node. info is what the log knows of its topic, if it has one.
func (t *Tree) fillAttr(out *fuse.Attr, n node, info *engine.TopicInfo) {
	changed := t.started
	*out = fuse.Attr{Ino: n.ino(), Nlink: 1, Blksize: ioBytes}
	if n.topic == nil {
		out.Mode = n.kind.mode(0)
		out.Uid, out.Gid = t.config.UID, t.config.GID
	} else {
		out.Mode = n.kind.mode(info.Mode)
		out.Uid, out.Gid = info.UID, info.GID
		out.Size = t.size(n, info)
		out.Blocks = (out.Size + 511) / 512
		if !info.Time.IsZero() {
			changed = info.Time
		}
	}
	out.SetTimes(&changed, &changed, &changed)
}

// size is what stat shows. Files whose text is only made when they are opened have none, as in
// /proc.
func (t *Tree) size(n node, info *engine.TopicInfo) uint64 {
	switch n.kind {
	case kindLog, kindStream:
		return info.NextText - info.FirstText
	case kindFrom:
		return t.sizeFrom(n, info)
	}
	return 0
}

// attr sets the attributes of a node as they are now. A file of a topic that is gone can still be
// open, so it has attributes, but no name any more.
func (t *Tree) attr(n node, out *fuse.Attr) error {
	if n.topic == nil {
		t.fillAttr(out, n, nil)
		return nil
	}
	info, err := t.info(n.topic)
	switch {
	case errors.Is(err, errRemoved) && n.kind != kindTopic && n.kind != kindFromDir:
		t.fillAttr(out, n, &engine.TopicInfo{})
		out.Nlink = 0
		return nil
	case err != nil:
		return err
	}
	t.fillAttr(out, n, &info)
	return nil
}

// fillEntry answers a lookup of a node, which the kernel remembers until it says so (see Forget).
func (t *Tree) fillEntry(out *fuse.EntryOut, n node, info *engine.TopicInfo) {
	switch {
	case n.topic == nil:
		out.NodeId = n.ino() // the fixed nodes have one number for both
		out.SetEntryTimeout(validForever)
	case n.kind == kindFrom:
		out.NodeId = t.topics.rememberFrom(n.topic, n.position)
		out.SetEntryTimeout(n.entryValid())
	default:
		t.topics.remember(n.topic)
		out.NodeId = n.topic.id(n.kind)
		out.SetEntryTimeout(n.entryValid())
	}
	t.fillAttr(&out.Attr, n, info)
	out.SetAttrTimeout(n.kind.attrValid())
}
