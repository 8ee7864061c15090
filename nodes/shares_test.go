package nodes_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// What open files and directories show is kept as it was when they were opened, and nobody can have
// a mount keep any amount of it.
func TestTextsThatAreKept(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	for name, keep := range map[string]func() (fh uint64, errno syscall.Errno){
		"metrics": func() (uint64, syscall.Errno) { return m.tryOpen(".puro/metrics", syscall.O_RDONLY) },
		"a directory": func() (uint64, syscall.Errno) {
			var out fuse.OpenOut
			in := fuse.OpenIn{InHeader: fuse.InHeader{NodeId: m.node("orders")}}
			if st := m.tree.OpenDir(nil, &in, &out); st != fuse.OK {
				return 0, syscall.Errno(st)
			}
			list := fuse.NewDirEntryList(make([]byte, 100), 0)
			return out.Fh, syscall.Errno(m.tree.ReadDir(nil, &fuse.ReadIn{Fh: out.Fh}, list))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m.tree.LimitTexts(100 << 10)
			var kept []uint64
			fh, errno := keep()
			for ; errno == 0; fh, errno = keep() {
				kept = append(kept, fh)
			}
			if !errors.Is(errno, syscall.ENFILE) || len(kept) < 10 || m.tree.Texts() > 50<<10 {
				t.Errorf("%d are open with %d bytes, then %v, want ENFILE at half of the room",
					len(kept), m.tree.Texts(), errno)
			}
			for _, fh := range append(kept, fh) {
				m.release(fh)
				m.tree.ReleaseDir(&fuse.ReleaseIn{Fh: fh})
			}
			if bytes := m.tree.Texts(); bytes != 0 {
				t.Errorf("%d bytes are counted, and nothing is open", bytes)
			}
		})
	}
}
