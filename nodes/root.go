package nodes

import (
	"cmp"
	"errors"
	"slices"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"purofs/engine"
)

// listTopics returns the entries of all topics in the order of their numbers, and takes note of
// those that are gone.
func (t *Tree) listTopics() []dirEntry {
	infos := t.log.Topics()
	there := make(map[string]bool, len(infos))
	entries := make([]dirEntry, 0, len(infos))
	for i := range infos {
		info := &infos[i]
		there[info.Name] = true
		shown, ok := shownName(info.Name)
		if !ok {
			continue
		}
		tp := t.topics.get(info.Name, shown)
		tp.seen.Store(true)
		entries = append(entries, dirEntry{
			node: node{kind: kindTopic, topic: tp}, name: shown,
			place: topicsPlace + tp.number, info: info,
		})
	}
	// A topic may have been made since the log was asked, so each that is missing is asked for
	// again.
	for _, tp := range t.topics.absent(func(name string) bool { return there[name] }) {
		if _, err := t.info(tp); err != nil && !errors.Is(err, errRemoved) {
			t.failed(tp.name, "readdir", err)
		}
	}
	slices.SortFunc(entries, func(a, b dirEntry) int { return cmp.Compare(a.place, b.place) })
	return entries
}

// Mkdir makes a topic, owned by who calls, or a cursor of a topic.
func (t *Tree) Mkdir(
	cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut,
) fuse.Status {
	if dir := t.topics.node(in.NodeId); dir.kind == kindCursorsDir {
		err := t.makeCursor(cancel, in, dir.topic, name, out)
		return fuse.Status(t.errnoFor(dir.topic, "mkdir of a cursor", err, false))
	}
	if in.NodeId != rootNode {
		return t.refuse(in.NodeId, "mkdir")
	}
	n, info, err := t.makeTopic(cancel, in, name)
	if err != nil {
		t.refused(name, "mkdir", err)
		return fuse.Status(errnoOf(err))
	}
	return fuse.Status(errnoOf(t.fillEntry(cancel, out, n, &info)))
}

func (t *Tree) makeTopic(cancel <-chan struct{}, in *fuse.MkdirIn, shown string) (
	node, engine.TopicInfo, error,
) {
	var none engine.TopicInfo
	if t.config.ReadOnly {
		return node{}, none, engine.ErrReadOnly
	}
	name, err := topicName(shown)
	if err == nil {
		err = engine.CheckTopicName(name)
	}
	if err != nil {
		return node{}, none, err
	}
	if _, err := t.log.Topic(name); err == nil {
		return node{}, none, unix.EEXIST
	}
	attr := engine.TopicAttr{Mode: in.Mode & permAll, UID: in.Uid, GID: in.Gid}
	ctx := &fuse.Context{Caller: in.Caller, Cancel: cancel}
	if err := t.log.SetTopic(ctx, name, attr); err != nil {
		return node{}, none, err
	}
	n := node{kind: kindTopic, topic: t.topics.get(name, shown)}
	info, err := t.info(n.topic)
	return n, info, err
}

// Rmdir removes a topic, if the mount allows it, or a cursor.
func (t *Tree) Rmdir(cancel <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	if dir := t.topics.node(in.NodeId); dir.kind == kindCursorsDir {
		err := t.removeCursor(dir.topic, name)
		return fuse.Status(t.errnoFor(dir.topic, "rmdir of a cursor", err, false))
	}
	if in.NodeId != rootNode || name == controlName {
		return t.refuse(in.NodeId, "rmdir")
	}
	if err := t.removeTopic(cancel, in, name); err != nil {
		t.refused(name, "rmdir", err)
		return fuse.Status(errnoOf(err))
	}
	return fuse.OK
}

func (t *Tree) removeTopic(cancel <-chan struct{}, in *fuse.InHeader, shown string) error {
	n, err := t.lookupTopic(shown)
	switch {
	case err != nil:
		return err
	case t.config.ReadOnly:
		return engine.ErrReadOnly
	case !t.config.AllowDelete:
		return errDeleteOff
	}
	ctx := &fuse.Context{Caller: in.Caller, Cancel: cancel}
	if err := t.log.DeleteTopic(ctx, n.topic.name); err != nil {
		return err
	}
	// The kernel forgets the name by itself, having asked for this.
	t.topics.remove(n.topic)
	return nil
}

// StatFs describes the file system that the store is on, since that is what fills up.
func (t *Tree) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	var st unix.Statfs_t
	if err := unix.Statfs(t.log.Status().Dir, &st); err != nil {
		t.refused("", "statfs", err)
		return fuse.Status(errnoOf(err))
	}
	*out = fuse.StatfsOut{
		Blocks: st.Blocks, Bfree: st.Bfree, Bavail: st.Bavail, Files: st.Files, Ffree: st.Ffree,
		Bsize: uint32(st.Bsize), Frsize: uint32(st.Frsize), NameLen: shownBytesMax,
	}
	return fuse.OK
}
