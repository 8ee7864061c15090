package faults

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"purofs/engine/disk"
)

// A tree is what is in a directory: names, and what they stand for. The bytes of files are not
// shared with a clone once they change.
type tree struct {
	names map[string]inode // paths of files, and of directories, which are isDir
	nodes map[inode][]byte
}

// isDir stands in a tree for what is a directory.
const isDir inode = -1

func (t *tree) clone() *tree { return &tree{maps.Clone(t.names), maps.Clone(t.nodes)} }

// readTree reads a directory, which is empty if it is not there.
func readTree(dir string) (*tree, error) {
	t := &tree{names: make(map[string]inode), nodes: make(map[inode][]byte)}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || d.IsDir() {
			t.names[name] = isDir
			return err
		}
		node := inode(len(t.nodes))
		t.names[name] = node
		t.nodes[node], err = os.ReadFile(path)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return t, err
}

// parent is the directory that a name is in.
func parent(path string) string {
	if path == "." {
		return ".."
	}
	return filepath.Dir(path)
}

// apply does what an event says.
func (t *tree) apply(e *event) {
	switch {
	case e.mark:
	case e.kind == disk.OpOpen && e.made:
		t.names[e.path] = e.node
	case e.kind == disk.OpOpen:
		t.nodes[e.node] = nil
	case e.kind == disk.OpMkdir:
		t.names[e.path] = isDir
	case e.kind == disk.OpRemove:
		delete(t.names, e.path)
	case e.kind == disk.OpRename:
		if node, ok := t.names[e.path]; ok { // which may have been lost
			t.names[e.to] = node
			delete(t.names, e.path)
		}
	case e.kind == disk.OpWrite:
		t.nodes[e.node] = overwrite(t.nodes[e.node], e.data, e.at)
	case e.kind == disk.OpTruncate:
		t.nodes[e.node] = resize(t.nodes[e.node], int(e.at))
	}
}

// overwrite returns a copy of b with data at a place, and zeros before it if b ends earlier.
func overwrite(b, data []byte, at int64) []byte {
	b = resize(b, max(len(b), int(at)+len(data)))
	copy(b[at:], data)
	return b
}

// resize returns a copy of b that has size bytes.
func resize(b []byte, size int) []byte {
	sized := make([]byte, size)
	copy(sized, b)
	return sized
}
