package nodes

import (
	"slices"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
)

// A dirHandle is one open directory. It lists what there was when its first entries were read, so
// that a listing in several requests is one of one moment; rewinding it looks again.
//
// An entry's place among the topics is the number of its topic, so it stays the same while other
// topics come and go, in every handle; that of a key is its place in this listing.
type dirHandle struct {
	tree *Tree
	dir  node

	mu      sync.Mutex // orders the calls, guards what follows
	entries []dirEntry // in the order of their places
	share   share      // of the tree's room for texts
}

// A dirEntry is one name in an open directory.
type dirEntry struct {
	node
	name  string
	place uint64
	info  *engine.TopicInfo // of the topic; nil above the topics
}

// dirEntryBytes is about what an entry takes. Its name is mostly one that is there anyway.
const dirEntryBytes = 96

// topicsPlace is where the topics begin in the root; all other places are below it.
const topicsPlace = 64

// OpenDir opens a directory.
func (t *Tree) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n := t.topics.node(in.NodeId)
	switch {
	case n.kind == kindNone:
		return fuse.Status(errnoOf(errRemoved))
	case !n.kind.isDir():
		return fuse.ENOTDIR
	}
	d := &dirHandle{tree: t, dir: n, share: share{of: &t.texts, user: in.Uid}}
	fh, err := t.handles.addDir(d, in.Uid)
	if err != nil {
		t.refused(n.topicName(), "opendir", err)
		return fuse.Status(errnoOf(err))
	}
	out.Fh = fh
	return fuse.OK
}

// ReleaseDir closes a directory.
func (t *Tree) ReleaseDir(in *fuse.ReleaseIn) {
	if d := t.handles.takeDir(in.Fh); d != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.share.resize(0)
	}
}

// ReadDir lists names.
func (t *Tree) ReadDir(
	cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList,
) fuse.Status {
	return t.readDir(cancel, in, func(_ *dirEntry, raw fuse.DirEntry) bool {
		return out.AddDirEntry(raw)
	})
}

// ReadDirPlus lists names with all that Lookup would say of them.
func (t *Tree) ReadDirPlus(
	cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList,
) fuse.Status {
	return t.readDir(cancel, in, func(entry *dirEntry, raw fuse.DirEntry) bool {
		reply := out.AddDirLookupEntry(raw)
		if reply == nil {
			return false
		}
		if entry.name != "." && entry.name != ".." { // of these the kernel wants nothing
			// What went away since is listed by its name alone.
			_ = t.fillEntry(cancel, reply, entry.node, entry.info)
		}
		return true
	})
}

// readDir hands the entries behind in.Offset to add until it takes no more.
func (t *Tree) readDir(
	cancel <-chan struct{}, in *fuse.ReadIn, add func(*dirEntry, fuse.DirEntry) bool,
) fuse.Status {
	d := t.handles.getDir(in.Fh)
	if d == nil {
		return fuse.EBADF
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if in.Offset == 0 || d.entries == nil {
		entries, err := d.list(cancel)
		if err != nil {
			return fuse.Status(errnoOf(err))
		}
		if d.tree.config.NoLive {
			entries = slices.DeleteFunc(entries, func(e dirEntry) bool { return e.kind.isLive() })
		}
		if !d.share.resize(int64(len(entries)) * dirEntryBytes) {
			t.refused(d.dir.topicName(), "readdir", errTooManyOpen)
			return fuse.Status(errnoOf(errTooManyOpen))
		}
		d.entries = entries
	}
	next, _ := slices.BinarySearchFunc(d.entries, in.Offset+1, func(e dirEntry, place uint64) int {
		if e.place < place {
			return -1
		}
		return 1
	})
	for i := range d.entries[next:] {
		entry := &d.entries[next+i]
		raw := fuse.DirEntry{Name: entry.name, Ino: entry.ino(), Off: entry.place}
		raw.Mode = entry.kind.mode(0) & syscall.S_IFMT
		if !add(entry, raw) {
			break
		}
	}
	return fuse.OK
}

// list returns all entries of the directory, in the order of their places.
func (d *dirHandle) list(cancel <-chan struct{}) ([]dirEntry, error) {
	entries := []dirEntry{
		{node: d.dir, name: ".", place: 1}, {node: d.dir.parent(), name: "..", place: 2},
	}
	switch d.dir.kind {
	case kindRoot:
		control := dirEntry{node: node{kind: kindControl}, name: controlName, place: 3}
		return append(append(entries, control), d.tree.listTopics()...), nil
	case kindControl:
		return appendFixed(entries, controlDir, node{}, nil), nil
	}
	info, err := d.tree.info(d.dir.topic)
	if err != nil {
		return nil, err
	}
	switch d.dir.kind {
	case kindTopic:
		entries = appendFixed(entries, topicDir, node{topic: d.dir.topic}, &info)
	case kindKeysDir:
		return d.tree.appendKeys(cancel, entries, d.dir.topic, &info)
	case kindCursorsDir:
		cursors, err := d.tree.listCursors(d.dir.topic, &info)
		return append(entries, cursors...), err
	case kindCursor:
		entries = appendFixed(entries, cursorDir, d.dir, &info)
	}
	return entries, nil
}

// appendFixed appends the entries of a directory whose names never change. of has the topic and the
// name of its nodes.
func appendFixed(list []dirEntry, dir []dirent, of node, info *engine.TopicInfo) []dirEntry {
	for i, entry := range dir {
		list = append(list, dirEntry{
			node: node{kind: entry.kind, topic: of.topic, name: of.name}, name: entry.name,
			place: uint64(3 + i), info: info,
		})
	}
	return list
}
