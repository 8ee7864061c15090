package nodes_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes"
)

func (m *mount) size(path string) uint64 {
	m.Helper()
	var out fuse.AttrOut
	in := fuse.GetAttrIn{InHeader: fuse.InHeader{NodeId: m.node(path)}}
	if st := m.tree.GetAttr(nil, &in, &out); st != fuse.OK {
		m.Fatalf("stat of %s: %v", path, st)
	}
	return out.Size
}

// Whatever place is read, and however much, log is the file that the same writes would have made.
func TestLogIsAFile(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.mkdir("others")
	var file strings.Builder
	for i := range 300 {
		line := fmt.Sprintf("%d%s\n", i, strings.Repeat("x", i%50))
		file.WriteString(line)
		m.append("orders", line)
		m.append("others", "not in this topic\n")
	}
	want := file.String()
	if got := m.size("orders/log"); got != uint64(len(want)) {
		t.Errorf("size is %d, want %d", got, len(want))
	}
	if got := m.cat("orders/log", 4096); got != want {
		t.Errorf("cat is different: %d bytes, want %d", len(got), len(want))
	}
	random := rand.New(rand.NewPCG(1, 2))
	fh := m.open("orders/log", syscall.O_RDONLY)
	for range 500 {
		at, size := random.IntN(len(want)+20), 1+random.IntN(200)
		got, errno := m.read(fh, uint64(at), size).now()
		if w := want[min(at, len(want)):min(at+size, len(want))]; errno != 0 || got != w {
			t.Fatalf("read of %d bytes at %d: %q, %v, want %q", size, at, got, errno, w)
		}
	}
}

func TestLogGrows(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/log", syscall.O_RDONLY)
	m.read(fh, 0, 10).want("", 0)
	m.append("orders", "one\n")
	m.read(fh, 0, 10).want("one\n", 0)
	m.read(fh, 4, 10).want("", 0)
	m.append("orders", "two\n")
	m.read(fh, 4, 10).want("two\n", 0)
	m.read(fh, 100, 10).want("", 0)
}

// What another mount of the same store appends is there at once.
func TestLogSeesOtherMounts(t *testing.T) {
	m := newMount(t, nil)
	other := mountStore(t, m.dir, nil)
	m.mkdir("orders")
	m.append("orders", "mine\n")
	other.append("orders", "theirs\n")
	if got := m.size("orders/log"); got != uint64(len("mine\ntheirs\n")) {
		t.Errorf("size is %d", got)
	}
	if got := m.cat("orders/log", 100); got != "mine\ntheirs\n" {
		t.Errorf("log is %q", got)
	}
}

// A damagedReader meets damage before the record with the offset at, again after each Seek.
type damagedReader struct {
	nodes.Reader
	at   uint64
	told bool
}

func (r *damagedReader) TryNext() (*engine.Record, error) {
	if r.Reader.Next() == r.at && !r.told {
		r.told = true
		return nil, &engine.DamageError{Segment: 3, Pos: 77, End: 99, Reason: "test"}
	}
	return r.Reader.TryNext()
}

// Lines leaves everything to TryNext.
func (r *damagedReader) Lines([]byte) int { return 0 }

func (r *damagedReader) Seek(to engine.Position) error {
	r.told = false
	return r.Reader.Seek(to)
}

// damage has every reader of the mount meet damage before the record with the offset at.
func (m *mount) damage(at uint64) {
	m.log.wrapReaders(func(r nodes.Reader) nodes.Reader {
		return &damagedReader{Reader: r, at: at}
	})
}

func TestLogDamage(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "0\n1\n2\n3\n")
	m.damage(2)
	fh := m.open("orders/log", syscall.O_RDONLY)
	m.read(fh, 0, 100).want("0\n1\n", 0) // first what is sound
	m.read(fh, 4, 100).want("", syscall.EIO)
	m.read(fh, 4, 100).want("2\n3\n", 0) // who tries again gets on
	m.read(fh, 2, 2).want("1\n", 0)      // and before it nothing has changed
}

// A gappyReader goes over the record with the offset at as if it was not there.
type gappyReader struct {
	nodes.Reader
	at uint64
}

// Lines leaves everything to TryNext.
func (r *gappyReader) Lines([]byte) int { return 0 }

func (r *gappyReader) TryNext() (*engine.Record, error) {
	if r.Reader.Next() == r.at {
		if _, err := r.Reader.TryNext(); err != nil {
			return nil, err
		}
	}
	return r.Reader.TryNext()
}

// Bytes that are missing without a word are not made up, and what follows keeps its place in log.
func TestGap(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "0\n1\n2\n3\n")
	m.log.wrapReaders(func(r nodes.Reader) nodes.Reader { return &gappyReader{Reader: r, at: 2} })
	log := m.open("orders/log", syscall.O_RDONLY)
	m.read(log, 0, 100).want("0\n1\n", 0)
	m.read(log, 4, 100).want("", syscall.EIO)
	m.read(log, 5, 100).want("", syscall.EIO)
	m.read(log, 6, 100).want("3\n", 0)
	stream := m.open("orders/stream", syscall.O_RDONLY)
	m.read(stream, 0, 100).want("0\n1\n", 0)
	m.read(stream, 4, 100).want("", syscall.EIO)
	m.read(stream, 4, 100).want("3\n", 0)
	m.read(stream, 6, 100).waits()
}

func TestLogOfRemovedTopic(t *testing.T) {
	m := newMount(t, func(c *nodes.Config) { c.AllowDelete = true })
	m.mkdir("orders")
	m.append("orders", "a\n")
	node, fh := m.node("orders/log"), m.open("orders/log", syscall.O_RDONLY)
	w := m.open("orders/append", syscall.O_WRONLY)
	if errno := m.rmdir("orders"); errno != 0 {
		t.Fatal(errno)
	}
	m.read(fh, 0, 100).want("", 0)
	if got := m.writeAs(1, w, "b\n"); got != syscall.ESTALE {
		t.Errorf("write: got %v, want ESTALE", got)
	}
	var out fuse.AttrOut
	st := m.tree.GetAttr(nil, &fuse.GetAttrIn{InHeader: fuse.InHeader{NodeId: node}}, &out)
	if st != fuse.OK || out.Nlink != 0 || out.Size != 0 {
		t.Errorf("fstat: %v, %d links, %d bytes, want 0 and 0", st, out.Nlink, out.Size)
	}
	in := fuse.OpenIn{InHeader: fuse.InHeader{NodeId: node}}
	if st := m.tree.Open(nil, &in, &fuse.OpenOut{}); syscall.Errno(st) != syscall.ESTALE {
		t.Errorf("open: %v, want ESTALE, for which the kernel looks the name up again", st)
	}
}

// A block whose bytes were changed on the disk is lost, and nothing but that block.
func TestDamageOnDisk(t *testing.T) {
	dir := t.TempDir()
	t.Run("write", func(t *testing.T) {
		m := mountStore(t, dir, nil)
		m.mkdir("orders")
		for _, line := range []string{"zero\n", "one\n", "victim\n", "three\n", "four\n"} {
			m.append("orders", line)
		}
	})
	spoil(t, dir, "victim", "vi?tim")

	m := mountStore(t, dir, nil)
	log := m.open("orders/log", syscall.O_RDONLY)
	stream := m.open("orders/stream", syscall.O_RDONLY)
	const before, behind = "zero\none\n", "three\nfour\n"
	m.read(log, 0, 100).want(before, 0)
	for range 3 { // as often as it is tried: the bytes keep their place
		m.read(log, uint64(len(before)), 100).want("", syscall.EIO)
	}
	at := m.size("orders/log") - uint64(len(behind))
	m.read(log, at, 100).want(behind, 0)

	m.read(stream, 0, 100).want(before, 0)
	m.read(stream, uint64(len(before)), 100).want("", syscall.EIO)
	m.read(stream, uint64(len(before)), 100).want(behind, 0)
	m.read(stream, uint64(len(before+behind)), 100).waits()
	if got := m.cat(".puro/errors", 4096); !strings.Contains(got, "segment=0 pos=") {
		t.Errorf(".puro/errors does not say where: %q", got)
	}
}

// spoil overwrites a text in a file of the store.
func spoil(t *testing.T, dir, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.puro"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no segment in %s: %v", dir, err)
	}
	data, err := os.ReadFile(files[0])
	if err == nil {
		err = os.WriteFile(files[0], bytes.Replace(data, []byte(from), []byte(to), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
