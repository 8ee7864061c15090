package faults

import (
	"errors"
	"hash/maphash"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// An Image is what a power cut leaves in a directory.
type Image struct {
	tree *tree
}

// ReadImage reads the image that is in a directory.
func ReadImage(dir string) (Image, error) {
	t, err := readTree(dir)
	return Image{t}, err
}

// Has tells whether there is a file of that name.
func (m Image) Has(name string) bool { return m.find(name) >= 0 }

func (m Image) find(name string) inode {
	if node, ok := m.tree.names[name]; ok && node != isDir {
		return node
	}
	return -1
}

// File returns the bytes of a file, nil if there is none.
func (m Image) File(name string) []byte { return m.tree.nodes[m.find(name)] }

// SetFile replaces the bytes of a file that is there.
func (m Image) SetFile(name string, b []byte) { m.tree.nodes[m.find(name)] = b }

// Names are the paths of all files.
func (m Image) Names() []string {
	var names []string
	for name, node := range m.tree.names {
		if node != isDir {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// WriteTo makes a directory of the image; dir must not be there. Where a directory is missing what
// is in it is missing too, and the directory itself may be.
func (m Image) WriteTo(dir string) error {
	names := slices.Sorted(maps.Keys(m.tree.names)) // a directory stands before what is in it
	for _, name := range names {
		node := m.tree.names[name]
		path := filepath.Join(dir, name)
		var err error
		switch {
		case node == isDir:
			err = os.Mkdir(path, 0o700)
		default:
			err = os.WriteFile(path, m.tree.nodes[node], 0o600)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

var hashSeed = maphash.MakeSeed()

// Hash is a number that other images do not have, but by a rare chance. It differs between
// processes.
func (m Image) Hash() uint64 {
	var h maphash.Hash
	h.SetSeed(hashSeed)
	for _, name := range slices.Sorted(maps.Keys(m.tree.names)) {
		h.WriteString(name)
		if node := m.tree.names[name]; node != isDir {
			maphash.WriteComparable(&h, len(m.tree.nodes[node]))
			h.Write(m.tree.nodes[node])
		}
		h.WriteByte(0)
	}
	return h.Sum64()
}
