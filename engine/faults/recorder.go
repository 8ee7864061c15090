package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"purofs/engine/disk"
)

// A Recorder notes the operations that change what is in a directory, in their order: while it is
// in use such operations are done one at a time. Set it as engine.Options.FileHook, of one log or
// of several that share the directory.
type Recorder struct {
	dir string

	turn   sync.Mutex // held from Before to After
	base   *tree
	inodes map[*disk.File]inode
	next   inode
	events []event
}

// An inode is a file, whatever its name.
type inode int

// An event is an operation, or a mark between two.
type event struct {
	kind disk.Kind
	mark bool
	note int64  // of a mark
	path string // within the directory; "." is the directory itself, ".." where that is
	to   string
	node inode
	made bool // an open that made the file
	at   int64
	data []byte
}

// Record returns a recorder for a directory. What is in it now counts as being on the disk; it need
// not be there yet.
func Record(dir string) (*Recorder, error) {
	r := &Recorder{dir: filepath.Clean(dir), inodes: make(map[*disk.File]inode)}
	base, err := readTree(r.dir)
	if err != nil {
		return nil, err
	}
	r.base, r.next = base, inode(len(base.nodes))
	return r, nil
}

// Mark notes that something happened now, outside of the directory: an acknowledgement. State tells
// the note of the last mark.
func (r *Recorder) Mark(note int64) {
	r.turn.Lock()
	defer r.turn.Unlock()
	r.events = append(r.events, event{mark: true, note: note})
}

// Len is how many events were noted, marks included.
func (r *Recorder) Len() int {
	r.turn.Lock()
	defer r.turn.Unlock()
	return len(r.events)
}

// Before has the operation wait for its turn.
func (r *Recorder) Before(op *disk.Op) error {
	if op.Kind.Changes() {
		r.turn.Lock()
	}
	return nil
}

// After notes the operation.
func (r *Recorder) After(op *disk.Op, n int, err error) {
	if !op.Kind.Changes() {
		return
	}
	defer r.turn.Unlock()
	path, inside := r.within(op.Path)
	if inside = inside || op.Kind == disk.OpSyncDir && path == parent("."); !inside {
		return
	}
	if err != nil && n == 0 {
		return
	}
	e := event{kind: op.Kind, path: path, at: op.At}
	switch op.Kind {
	case disk.OpOpen:
		r.opened(op, &e)
		return
	case disk.OpWrite:
		e.data = slices.Concat(op.Data...)[:n]
		e.node = r.inodes[op.File]
	case disk.OpTruncate, disk.OpSync, disk.OpDatasync:
		e.node = r.inodes[op.File]
	case disk.OpRename:
		e.to, _ = r.within(op.To)
	}
	r.events = append(r.events, e)
}

// opened notes a file that was made, or emptied, and which file it is.
func (r *Recorder) opened(op *disk.Op, e *event) {
	if op.File == nil {
		return // a directory
	}
	node, exists := r.now().names[e.path]
	if !exists {
		node = r.next
		r.next++
		e.made = true
	}
	r.inodes[op.File] = node
	if e.node = node; e.made || op.Flag&os.O_TRUNC != 0 {
		r.events = append(r.events, *e)
	}
}

// now is the tree as a process sees it.
func (r *Recorder) now() *tree {
	t := r.base.clone()
	for i := range r.events {
		t.apply(&r.events[i])
	}
	return t
}

// Describe lists the first n events, for the eyes of whoever looks into a failure.
func (r *Recorder) Describe(n int) string {
	var b strings.Builder
	for i := range r.events[:n] {
		e := &r.events[i]
		switch {
		case e.mark:
			fmt.Fprintf(&b, "%d mark %d\n", i, e.note)
		case e.kind == disk.OpWrite:
			fmt.Fprintf(&b, "%d write %d bytes at %d of file %d\n", i, len(e.data), e.at, e.node)
		default:
			fmt.Fprintf(&b, "%d %v %s %s file %d at %d\n", i, e.kind, e.path, e.to, e.node, e.at)
		}
	}
	return b.String()
}

// within returns a path relative to the directory, and whether it is in it.
func (r *Recorder) within(path string) (string, bool) {
	rel, err := filepath.Rel(r.dir, path)
	return rel, err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

var _ disk.Hook = (*Recorder)(nil)
