package nodes

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
)

// The bits of SetAttrIn.Valid that ask for a change; the others say how it is meant.
const (
	setRights = fuse.FATTR_MODE | fuse.FATTR_UID | fuse.FATTR_GID
	setTimes  = fuse.FATTR_ATIME | fuse.FATTR_MTIME | fuse.FATTR_CTIME |
		fuse.FATTR_ATIME_NOW | fuse.FATTR_MTIME_NOW
	setSize = fuse.FATTR_SIZE
)

// SetAttr answers chmod, chown, truncate and utimens. chmod and chown of a topic's directory
// are the topic's, and its files follow. A file that is written takes what tools do to such a
// file: truncation to nothing and new times are accepted and do nothing. Rights that are as they
// were can be set anywhere. Everything else is EPERM.
func (t *Tree) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	n := t.topics.node(in.NodeId)
	if n.kind == kindNone {
		return fuse.Status(errnoOf(errRemoved))
	}
	if err := t.setAttr(cancel, n, in, &out.Attr); err != nil {
		t.refused(n.topicName(), "setattr", err)
		return fuse.Status(errnoOf(err))
	}
	out.SetTimeout(n.kind.attrValid())
	return fuse.OK
}

func (t *Tree) setAttr(cancel <-chan struct{}, n node, in *fuse.SetAttrIn, out *fuse.Attr) error {
	if err := t.attr(cancel, n, out); err != nil {
		return err
	}
	if in.Valid&setSize != 0 && !t.mayTruncate(n, in) {
		return errNotAllowed
	}
	if in.Valid&setTimes != 0 && !n.kind.isWritten() && n.kind != kindTopic {
		return errNotAllowed
	}
	if in.Valid&setRights == 0 || !changesRights(in, out) {
		return nil
	}
	if n.kind != kindTopic {
		return errNotAllowed
	}
	return t.setRights(cancel, n, in, out)
}

// mayTruncate tells whether a file may be given a size, which changes nothing: none, or that which
// who writes takes it to have.
func (t *Tree) mayTruncate(n node, in *fuse.SetAttrIn) bool {
	if n.kind.isWritten() && in.Size == 0 {
		return true
	}
	h, ok := t.handles.get(in.Fh).(*appendHandle)
	return ok && in.Valid&fuse.FATTR_FH != 0 && h.truncate(in.Size)
}

// changesRights tells whether the rights that are asked for differ from those that are.
func changesRights(in *fuse.SetAttrIn, have *fuse.Attr) bool {
	mode, setMode := in.GetMode()
	uid, setUID := in.GetUID()
	gid, setGID := in.GetGID()
	return setMode && mode != have.Mode&0o7777 ||
		setUID && uid != have.Uid || setGID && gid != have.Gid
}

// setRights stores the rights of a topic.
func (t *Tree) setRights(cancel <-chan struct{}, n node, in *fuse.SetAttrIn, out *fuse.Attr) error {
	if t.config.ReadOnly {
		return engine.ErrReadOnly
	}
	info, err := t.info(n.topic)
	if err != nil {
		return err
	}
	attr := engine.TopicAttr{Mode: info.Mode, UID: info.UID, GID: info.GID}
	if mode, ok := in.GetMode(); ok {
		attr.Mode = mode & permAll
	}
	if uid, ok := in.GetUID(); ok {
		attr.UID = uid
	}
	if gid, ok := in.GetGID(); ok {
		attr.GID = gid
	}
	ctx := &fuse.Context{Caller: in.Caller, Cancel: cancel}
	if err := t.log.SetTopic(ctx, n.topic.name, attr); err != nil {
		return err
	}
	if t.notifier != nil { // otherwise the old rights expire within validTopic
		for _, entry := range topicDir {
			if entry.kind.attrValid() != validNever {
				t.notifier.attrGone(n.topic.id(entry.kind))
			}
		}
	}
	return t.attr(cancel, n, out)
}

// topicName is the name of the node's topic, "" above the topics.
func (n node) topicName() string {
	if n.topic == nil {
		return ""
	}
	return n.topic.name
}
