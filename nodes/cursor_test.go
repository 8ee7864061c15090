package nodes_test

import (
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/nodes"
)

const billing = "orders/cursors/billing"

// newCursor returns a mount whose topic orders has that text, and a cursor.
func newCursor(t *testing.T, text string, change func(*nodes.Config)) *mount {
	t.Helper()
	m := newMount(t, change)
	m.mkdir("orders")
	m.append("orders", text)
	if errno := m.makeCursor("billing"); errno != 0 {
		t.Fatal(errno)
	}
	return m
}

func (m *mount) makeCursor(name string) syscall.Errno {
	m.Helper()
	in := fuse.MkdirIn{InHeader: fuse.InHeader{NodeId: m.node("orders/cursors")}}
	return syscall.Errno(m.tree.Mkdir(nil, &in, name, &fuse.EntryOut{}))
}

func (m *mount) removeCursor(name string) syscall.Errno {
	m.Helper()
	return syscall.Errno(m.tree.Rmdir(nil, &fuse.InHeader{NodeId: m.node("orders/cursors")}, name))
}

// at checks where the cursor stands.
func (m *mount) at(want string) {
	m.Helper()
	if got := m.cat(billing+"/position", 100); got != want+"\n" {
		m.Errorf("position %q, want %s", got, want)
	}
}

// readAs sends a READ with a lock owner.
func (m *mount) readAs(owner, fh, offset uint64, size int) *request {
	r := &request{T: m.T, size: size, parked: make(chan struct{}), done: make(chan struct{})}
	m.tree.ServeRead(&fuse.ReadIn{
		Fh: fh, Offset: offset, Size: uint32(size),
		ReadFlags: fuse.READ_LOCKOWNER, LockOwner: owner,
	}, r)
	return r
}

// busy checks whether others are kept from the cursor.
func (m *mount) busy(want bool) {
	m.Helper()
	fh, errno := m.tryOpen(billing+"/next", syscall.O_RDONLY)
	if errno == 0 {
		m.release(fh)
	}
	if (errno == syscall.EBUSY) != want {
		m.Errorf("open by another: %v, want that it is busy: %v", errno, want)
	}
}

func TestCursorStream(t *testing.T) {
	m := newCursor(t, "one\ntwo\nthree\n", nil)
	fh := m.open(billing+"/stream", syscall.O_RDONLY)
	m.read(fh, 14, 100).want("", syscall.ESPIPE) // nothing was read yet
	m.read(fh, 0, 100).want("one\ntwo\nthree\n", 0)
	m.at("0")
	m.read(fh, 3, 100).want("\ntwo\nthree\n", 0) // the record has its newline still
	m.at("0")
	m.read(fh, 4, 100).want("two\nthree\n", 0)
	m.at("1")
	m.read(fh, 0, 4).want("one\n", 0) // looking back takes nothing back
	m.read(fh, 9, 100).want("hree\n", 0)
	m.at("2")
	m.read(fh, 15, 100).want("", syscall.ESPIPE)
	r := m.read(fh, 14, 100)
	r.waits()
	m.at("3")
	m.append("orders", "four\n")
	r.want("four\n", 0)
	if got := m.cat(billing+"/lag", 100); got != "1\n" {
		t.Errorf("lag %q, want 1", got)
	}
	m.release(fh) // says nothing
	m.at("3")
	fh = m.open(billing+"/stream", syscall.O_RDONLY|syscall.O_NONBLOCK)
	m.read(fh, 0, 100).want("four\n", 0)
	m.read(fh, 5, 100).want("", syscall.EAGAIN)
	m.at("4")
	m.release(fh)
}

// Records are told apart by what they are, not by the newlines in them.
func TestCursorStreamOfAnyValues(t *testing.T) {
	m := newCursor(t, "", nil)
	m.add("orders", keyed{"", "a\nb\n"}, keyed{"", ""}, keyed{"k", "\xff"})
	fh := m.open(billing+"/stream", syscall.O_RDONLY)
	m.read(fh, 0, 100).want("a\nb\n\n\n\xff\n", 0)
	for place, want := range []string{"0", "0", "0", "0", "0", "1", "2", "2"} {
		m.read(fh, uint64(place), 1).get()
		m.at(want)
	}
	m.release(fh)
	fh = m.open(billing+"/stream.jsonl", syscall.O_RDONLY)
	got, _ := m.read(fh, 0, 1000).get()
	m.read(fh, uint64(len(got)), 100).waits()
	m.at("3")
	m.release(fh)
}

// What was lost is passed over when the program has been told; a cursor is not held up by it.
func TestCursorStreamOfLostRecords(t *testing.T) {
	m := newCursor(t, "0\n1\n2\n3\n", nil)
	m.log.wrapReaders(func(r nodes.Reader) nodes.Reader { return &gappyReader{Reader: r, at: 2} })
	fh := m.open(billing+"/stream", syscall.O_RDONLY)
	m.read(fh, 0, 100).want("0\n1\n", 0)
	m.read(fh, 4, 100).want("", syscall.EIO)
	m.at("2")
	m.read(fh, 4, 100).want("3\n", 0)
	m.at("2")
	m.read(fh, 6, 100).waits()
	m.at("4")
	m.release(fh)
}

// Where nobody knows which records a place of the file is behind, none is said to be done.
func TestCursorStreamGoneAstray(t *testing.T) {
	m := newCursor(t, "0\n1\n2\n3\n", nil)
	fh := m.open(billing+"/stream", syscall.O_RDONLY)
	m.read(fh, 0, 100).want("0\n1\n2\n3\n", 0)
	m.log.wrapReaders(func(r nodes.Reader) nodes.Reader { return &gappyReader{Reader: r, at: 1} })
	m.read(fh, 4, 100).want("2\n3\n", 0)
	m.at("1")
	m.read(fh, 8, 100).waits()
	m.at("1")
	m.release(fh)
}

// New records are not done because old ones in their place were.
func TestCursorStreamOfTopicMadeAgain(t *testing.T) {
	m := newCursor(t, "a\n", nil)
	m.append("orders", "b\nc\n")
	other := mountStore(t, m.dir, func(c *nodes.Config) { c.AllowDelete = true })
	fh := m.open(billing+"/stream", syscall.O_RDONLY)
	m.read(fh, 0, 100).want("a\nb\nc\n", 0)
	m.read(fh, 2, 2).want("b\n", 0)
	m.at("1")
	other.rmdir("orders")
	other.mkdir("orders")
	other.append("orders", "x\ny\n")
	m.read(fh, 6, 100).want("x\ny\n", 0)
	m.at("3") // where x is
	m.release(fh)
	fh = m.open(billing+"/stream", syscall.O_RDONLY)
	m.read(fh, 0, 100).want("x\ny\n", 0)
	m.read(fh, 2, 100).want("y\n", 0)
	m.at("4")
	m.release(fh)
}

func TestCursorNext(t *testing.T) {
	m := newCursor(t, "one\ntwo\n", nil)
	fh := m.open(billing+"/next", syscall.O_RDONLY)
	m.read(fh, 4, 100).want("", 0) // the end of what was not read
	m.read(fh, 0, 3).want("one", 0)
	m.read(fh, 3, 3).want("\n", 0)
	m.at("0")
	m.read(fh, 4, 3).want("", 0)
	m.at("1")
	m.read(fh, 0, 100).want("one\n", 0)
	m.release(fh)
	if got := m.cat(billing+"/next", 100); got != "two\n" {
		t.Errorf("got %q, want two", got)
	}
	fh = m.open(billing+"/next", syscall.O_RDONLY|syscall.O_NONBLOCK)
	m.read(fh, 0, 100).want("", syscall.EAGAIN)
	m.release(fh)
	fh = m.open(billing+"/next", syscall.O_RDONLY)
	r := m.read(fh, 0, 100)
	r.waits()
	r.interrupted()
	r.want("", syscall.EINTR)
	if m.poll(fh, 1) {
		t.Error("next can be read though there is nothing")
	}
	r = m.read(fh, 0, 100)
	r.waits()
	m.append("orders", "three\n")
	r.want("three\n", 0)
	soon(t, m.kernel.polls)
	if !m.poll(fh, 1) {
		t.Error("next cannot be read though there is a record")
	}
	m.release(fh)
	m.at("2")
}

// Of next the end of a file would be an empty record, as $(cat next) reads it.
func TestCursorWaitEnds(t *testing.T) {
	for _, test := range []struct {
		name   string
		end    func(*mount)
		ofNext syscall.Errno
	}{
		{"removal", func(m *mount) { m.rmdir("orders") }, syscall.ESTALE},
		{"shutdown", func(m *mount) { m.tree.Shutdown() }, syscall.ENOTCONN},
	} {
		for file, want := range map[string]syscall.Errno{
			"/stream": 0, "/stream.jsonl": 0, "/next": test.ofNext,
		} {
			t.Run(test.name+file, func(t *testing.T) {
				m := newCursor(t, "", func(c *nodes.Config) { c.AllowDelete = true })
				fh := m.open(billing+file, syscall.O_RDONLY)
				r := m.read(fh, 0, 100)
				r.waits()
				test.end(m)
				r.want("", want)
				m.read(fh, 0, 100).want("", want)
				m.release(fh)
			})
		}
	}
}

// A cursor is given back by the close of who read last, and by nobody else's.
func TestCursorHold(t *testing.T) {
	m := newCursor(t, "one\ntwo\n", nil)
	other := mountStore(t, m.dir, nil)
	fh := m.open(billing+"/stream", syscall.O_RDONLY)
	held := func(want bool) {
		t.Helper()
		m.busy(want)
		other.busy(want)
	}
	held(true)
	if errno := m.removeCursor("billing"); errno != syscall.EBUSY {
		t.Errorf("rmdir: %v, want EBUSY", errno)
	}
	if errno := other.move("end"); errno != syscall.EBUSY {
		t.Errorf("write to position: %v, want EBUSY", errno)
	}
	m.flush(1, fh) // a shell that moves the file to another number closes the first one
	held(true)
	m.readAs(1, fh, 0, 100).want("one\ntwo\n", 0)
	m.flush(2, fh) // a child of a shell that ends
	held(true)
	m.flush(1, fh)
	held(false)
	m.readAs(2, fh, 4, 100).want("two\n", 0) // somebody has it still
	held(true)
	m.at("1")
	m.flush(2, fh)
	if errno := other.move("0"); errno != 0 {
		t.Error(errno)
	}
	m.readAs(2, fh, 8, 100).want("", syscall.EBUSY) // it was moved
	held(false)
	m.at("0")
	m.release(fh)
	if errno := m.removeCursor("billing"); errno != 0 {
		t.Error(errno)
	}
}

// move writes to position.
func (m *mount) move(to string) syscall.Errno {
	m.Helper()
	fh := m.open(billing+"/position", syscall.O_WRONLY)
	defer m.release(fh)
	return m.writeAs(1, fh, to+"\n")
}

func TestCursorPosition(t *testing.T) {
	m := newCursor(t, "0\n1\n2\n3\n", nil)
	for _, test := range []struct {
		spelled, want string
		errno         syscall.Errno
	}{
		{"end", "4", 0}, {"start", "0", 0}, {"2", "2", 0}, {"-1", "3", 0}, {"1h", "0", 0},
		{"2000-01-01T00:00:00Z", "0", 0}, {"latest", "4", 0},
		{"", "4", syscall.EINVAL}, {"here", "4", syscall.EINVAL}, {"5", "4", syscall.EINVAL},
		{string(make([]byte, 100)), "4", syscall.EINVAL},
	} {
		if errno := m.move(test.spelled); errno != test.errno {
			t.Errorf("%q: %v, want %v", test.spelled, errno, test.errno)
		}
		m.at(test.want)
	}
	m.busy(false)
}

func TestCursorNames(t *testing.T) {
	m := newCursor(t, "", nil)
	for name, want := range map[string]syscall.Errno{
		"billing": syscall.EEXIST, ".hidden": syscall.EINVAL,
		string(make([]byte, 300)): syscall.ENAMETOOLONG,
	} {
		if errno := m.makeCursor(name); errno != want {
			t.Errorf("mkdir %.10q: %v, want %v", name, errno, want)
		}
	}
	for name, want := range map[string]syscall.Errno{"none": syscall.ENOENT, ".x": syscall.ENOENT} {
		if _, errno := m.lookup("orders/cursors/" + name); errno != want {
			t.Errorf("lookup %q: %v, want %v", name, errno, want)
		}
		if errno := m.removeCursor(name); errno != want {
			t.Errorf("rmdir %q: %v, want %v", name, errno, want)
		}
	}
	readOnly := mountStore(t, m.dir, func(c *nodes.Config) { c.ReadOnly = true })
	if errno := readOnly.makeCursor("other"); errno != syscall.EROFS {
		t.Errorf("mkdir, read-only: %v, want EROFS", errno)
	}
}

// To move a cursor takes the rights to read and to write the topic.
func TestCursorRights(t *testing.T) {
	m := newCursor(t, "", nil) // mode 0750
	for file, want := range map[string]uint32{
		"": syscall.S_IFDIR | 0o550, "/stream": syscall.S_IFREG | 0o400,
		"/stream.jsonl": syscall.S_IFREG | 0o400, "/next": syscall.S_IFREG | 0o400,
		"/position": syscall.S_IFREG | 0o640, "/lag": syscall.S_IFREG | 0o440,
	} {
		out, _ := m.lookup(billing + file)
		if out.Mode != want {
			t.Errorf("%s: mode %o, want %o", billing+file, out.Mode, want)
		}
	}
	if out, _ := m.lookup("orders/cursors"); out.Mode != syscall.S_IFDIR|0o750 {
		t.Errorf("cursors: mode %o", out.Mode)
	}
}
