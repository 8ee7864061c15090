package engine_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"purofs/engine"
)

// What root adds to another user's store belongs to that user, who would be locked out of it
// otherwise: the segments, and what is made beside them, by a log and by a repair.
func TestRootLeavesAStoreToItsOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can look after somebody else's store")
	}
	const nobody = 65534
	dir := newStore(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir, small)
	fill(t, l, 3)
	newCursor(t, l, "c")
	drain(t, reader(t, l, "t", engine.Last(1)))
	closeLog(t, l)
	spoiled := readFile(t, segmentPath(dir, 0))
	writeFile(t, segmentPath(dir, 0), spoil(len(spoiled)/2, len(spoiled)/2+8)(spoiled))
	repair(t, dir)

	made := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		made++
		if st := info.Sys().(*syscall.Stat_t); st.Uid != nobody || st.Gid != nobody {
			t.Errorf("%s belongs to %d:%d", path, st.Uid, st.Gid)
		}
		return nil
	})
	if err != nil || made < 8 {
		t.Errorf("looked at %d files: %v", made, err)
	}
}
