package disk_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"purofs/engine/disk"
)

// Root gives away what it makes, and nothing that was there: the name may be a link to anything.
func TestGiveTo(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	const nobody = 65534
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "there"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := disk.OpenDir(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	dir.GiveTo(nobody, nobody)
	if err := dir.Mkdir("made", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"there", "new", "made/file"} {
		file, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	if _, err := dir.OpenFile("new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); !os.IsExist(err) {
		t.Errorf("making a file that is there: %v", err)
	}
	for name, want := range map[string]uint32{
		"there": 0, "new": nobody, "made": nobody, "made/file": nobody,
	} {
		info, err := os.Stat(filepath.Join(path, name))
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != want || st.Gid != want {
			t.Errorf("%s belongs to %d:%d, want %d", name, st.Uid, st.Gid, want)
		}
	}
}
