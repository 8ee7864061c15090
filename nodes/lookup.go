package nodes

import (
	"errors"
	"strings"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes/codec"
)

// controlName is the directory of the mount's own files. No topic's name begins with it.
const controlName = ".puro"

// A dirent is a name in a directory whose names never change.
type dirent struct {
	name string
	kind kind
}

// The directories whose names never change, in the order in which they are listed.
var (
	controlDir = []dirent{
		{"status.json", kindStatus}, {"metrics", kindMetrics}, {"errors", kindErrors},
	}
	topicDir = []dirent{
		{"append", kindAppend}, {"append.jsonl", kindAppendJSONL}, {"append.tsv", kindAppendTSV},
		{"append.raw", kindAppendRaw},
		{"log", kindLog}, {"log.jsonl", kindLogJSONL}, {"log.tsv", kindLogTSV},
		{"stream", kindStream}, {"stream.jsonl", kindStreamJSONL}, {"stream.tsv", kindStreamTSV},
		{"stream.raw", kindStreamRaw},
		{"from", kindFromDir}, {"records", kindRecordsDir}, {"keys", kindKeysDir},
		{"cursors", kindCursorsDir}, {"info", kindInfo},
	}
)

func findName(dir []dirent, name string) kind {
	for _, entry := range dir {
		if entry.name == name {
			return entry.kind
		}
	}
	return kindNone
}

// Lookup finds a name in a directory.
func (t *Tree) Lookup(
	cancel <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut,
) fuse.Status {
	n, err := t.lookup(t.topics.node(in.NodeId), name)
	if err != nil {
		return fuse.Status(errnoOf(err))
	}
	var info engine.TopicInfo
	if n.topic != nil {
		if info, err = t.info(n.topic); err != nil {
			return fuse.Status(errnoOf(err))
		}
	}
	return fuse.Status(errnoOf(t.fillEntry(cancel, out, n, &info)))
}

// lookup returns the node of a name; the error matches engine.ErrNoTopic if there is none.
func (t *Tree) lookup(dir node, name string) (node, error) {
	if len(name) > shownBytesMax {
		return node{}, errNameTooLong
	}
	found := node{topic: dir.topic}
	switch dir.kind {
	case kindRoot:
		return t.lookupTopic(name)
	case kindControl:
		found.kind = findName(controlDir, name)
	case kindTopic:
		found.kind = findName(topicDir, name)
	case kindFromDir:
		position, _ := codec.CutSuffix(name)
		if _, err := engine.ParsePosition(position, time.Now()); err != nil {
			return node{}, err
		}
		found.kind, found.name = kindFrom, name
	case kindRecordsDir:
		if _, ok := parseOffset(name); !ok {
			return node{}, errNoRecord
		}
		found.kind, found.name = kindRecord, name
	case kindKeysDir:
		key, ok := keyName(name)
		if !ok {
			return node{}, engine.ErrNoKey
		}
		found.kind, found.name = kindKey, key
	case kindCursorsDir:
		if err := t.findCursor(dir.topic, name); err != nil {
			return node{}, err
		}
		found.kind, found.name = kindCursor, name
	case kindCursor:
		found.kind, found.name = findName(cursorDir, name), dir.name
	default:
		return node{}, errRemoved
	}
	if found.kind == kindNone {
		return node{}, engine.ErrNoTopic
	}
	return found, nil
}

// lookupTopic finds a name in the root.
func (t *Tree) lookupTopic(shown string) (node, error) {
	if shown == controlName {
		return node{kind: kindControl}, nil
	}
	name, err := topicName(shown)
	switch {
	case errors.Is(err, errNameTooLong):
		return node{}, err
	case err != nil:
		return node{}, engine.ErrNoTopic
	}
	_, err = t.log.Topic(name)
	switch {
	case err == nil:
		tp := t.topics.get(name, shown)
		tp.seen.Store(true)
		return node{kind: kindTopic, topic: tp}, nil
	case !errors.Is(err, engine.ErrNoTopic) && !errors.Is(err, engine.ErrInvalidTopic):
		return node{}, err
	}
	if tp := t.topics.find(name); tp != nil && tp.seen.Load() {
		t.noteRemoved(tp)
	}
	if !t.canAppear(name) {
		return node{}, engine.ErrNoTopic
	}
	return node{kind: kindTopic, topic: t.topics.get(name, shown)}, nil
}

// canAppear tells whether a name is a topic as soon as it is used. Names that begin with a dot are
// not: tools look for .git, .Trash and the like wherever they go.
func (t *Tree) canAppear(name string) bool {
	return t.config.AutoCreate && !t.config.ReadOnly &&
		!strings.HasPrefix(name, ".") && engine.CheckTopicName(name) == nil
}

// Forget takes note that the kernel dropped what it remembered of a node.
func (t *Tree) Forget(id, lookups uint64) { t.topics.forget(id, lookups) }

// GetAttr answers stat.
func (t *Tree) GetAttr(
	cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut,
) fuse.Status {
	n := t.topics.node(in.NodeId)
	if n.kind == kindNone {
		return fuse.Status(errnoOf(errRemoved))
	}
	if err := t.attr(cancel, n, &out.Attr); err != nil {
		return fuse.Status(errnoOf(err))
	}
	out.SetTimeout(n.kind.attrValid())
	return fuse.OK
}
