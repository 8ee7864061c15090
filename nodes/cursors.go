package nodes

import (
	"errors"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
)

// cursorDir is the directory of a cursor.
var cursorDir = []dirent{
	{"stream", kindCursorStream}, {"stream.jsonl", kindCursorStreamJSONL},
	{"next", kindCursorNext}, {"position", kindCursorPosition}, {"lag", kindCursorLag},
}

// findCursor tells whether there is a cursor of a name, also if its file is damaged: then it can be
// removed. A name that none can have is one that is not there.
func (t *Tree) findCursor(tp *topic, name string) error {
	if len(name) > engine.CursorNameBytesMax {
		return errNameTooLong
	}
	err := t.log.FindCursor(tp.name, name)
	if errors.Is(err, engine.ErrInvalidCursor) {
		return engine.ErrNoCursor
	}
	return err
}

// listCursors returns the entries of a topic's cursors, by name.
func (t *Tree) listCursors(tp *topic, info *engine.TopicInfo) ([]dirEntry, error) {
	names, err := t.log.Cursors(tp.name)
	if err != nil {
		return nil, err
	}
	entries := make([]dirEntry, len(names))
	for i, name := range names {
		entries[i] = dirEntry{
			node: node{kind: kindCursor, topic: tp, name: name}, name: name,
			place: uint64(3 + i), info: info,
		}
	}
	return entries, nil
}

// makeCursor makes a cursor at the start of a topic, and the topic if it is only a name yet.
func (t *Tree) makeCursor(
	cancel <-chan struct{}, in *fuse.MkdirIn, tp *topic, name string, out *fuse.EntryOut,
) error {
	if t.config.ReadOnly {
		return engine.ErrReadOnly
	}
	if len(name) > engine.CursorNameBytesMax {
		return errNameTooLong
	}
	ctx := &fuse.Context{Caller: in.Caller, Cancel: cancel}
	info, err := t.info(tp)
	if err == nil && !tp.seen.Load() {
		err = t.log.SetTopic(ctx, tp.name, t.config.NewTopic)
	}
	if err == nil {
		err = t.log.CreateCursor(ctx, tp.name, name)
	}
	if err != nil {
		return err
	}
	return t.fillEntry(cancel, out, node{kind: kindCursor, topic: tp, name: name}, &info)
}

// removeCursor removes a cursor unless somebody reads by it.
func (t *Tree) removeCursor(tp *topic, name string) error {
	if t.config.ReadOnly {
		return engine.ErrReadOnly
	}
	if err := t.findCursor(tp, name); err != nil {
		return err
	}
	return t.log.RemoveCursor(tp.name, name)
}
