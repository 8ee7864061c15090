package nodes_test

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"purofs/nodes"
)

func TestStream(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "one\ntwo\n")
	fh := m.open("orders/stream", syscall.O_RDONLY)
	m.read(fh, 0, 100).want("one\ntwo\n", 0)
	r := m.read(fh, 8, 100)
	r.waits()
	m.append("orders", "three\n")
	r.want("three\n", 0)
	m.read(fh, 4, 100).want("two\nthree\n", 0) // seeked back, as while read does
	m.read(fh, 15, 100).want("", syscall.ESPIPE)
	m.read(fh, 1<<63, 100).want("", syscall.ESPIPE)
	if got := m.size("orders/stream"); got != 14 {
		t.Errorf("size is %d, want 14", got)
	}
}

func TestStreamGivesWholeRecords(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "one\ntwo\nthirteen chars\n")
	fh := m.open("orders/stream", syscall.O_RDONLY)
	m.read(fh, 0, 10).want("one\ntwo\n", 0)
	m.read(fh, 8, 10).want("thirteen c", 0) // longer than the buffer: in pieces
	m.read(fh, 18, 10).want("hars\n", 0)
	m.read(fh, 23, 10).waits()
}

// A read(2) of more than a request can carry comes in several. The kernel asks for the next part if
// it got all of one, and that must not wait while the reader has data to come.
func TestStreamNeverFillsAPartOfARead(t *testing.T) {
	const size = 128 << 10
	m := newMount(t, nil)
	m.mkdir("orders")
	line := strings.Repeat("x", size/2-1) + "\n"
	m.append("orders", line+line)
	fh := m.open("orders/stream", syscall.O_RDONLY)
	if got, _ := m.read(fh, 0, size).now(); len(got) != size/2 {
		t.Errorf("got %d bytes, want the %d of one record", len(got), size/2)
	}
	m.append("orders", strings.Repeat("y", size-1)+"\n")
	if got, _ := m.read(fh, size, size).now(); len(got) != size-1 {
		t.Errorf("got %d bytes of a record of %d, want all but one", len(got), size)
	}
}

func TestStreamNonblock(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/stream", syscall.O_RDONLY|syscall.O_NONBLOCK)
	m.read(fh, 0, 100).want("", syscall.EAGAIN)
	m.append("orders", "a\n")
	m.read(fh, 0, 100).want("a\n", 0)
}

func TestStreamEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(m *mount, r *request)
		want syscall.Errno
	}{
		{"interrupt", func(_ *mount, r *request) { r.interrupted() }, syscall.EINTR},
		{"removal", func(m *mount, _ *request) { m.rmdir("orders") }, 0},
		{"shutdown", func(m *mount, _ *request) { m.tree.Shutdown() }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMount(t, func(c *nodes.Config) { c.AllowDelete = true })
			m.mkdir("orders")
			fh := m.open("orders/stream", syscall.O_RDONLY)
			r := m.read(fh, 0, 100)
			r.waits()
			test.end(m, r)
			r.want("", test.want)
			if _, _, _, waiting := m.tree.Sizes(); waiting != 0 {
				t.Errorf("%d reads wait", waiting)
			}
			if test.want == 0 {
				m.read(fh, 0, 100).want("", 0)
			}
		})
	}
}

// A reader can be interrupted before it has begun to wait.
func TestStreamInterruptedAtOnce(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	r := &request{
		T: t, size: 100, impatient: true, parked: make(chan struct{}), done: make(chan struct{}),
	}
	m.send(m.open("orders/stream", syscall.O_RDONLY), 0, r)
	r.want("", syscall.EINTR)
}

// Records, interrupts and a shutdown, all at the same time: each read is answered once, and nothing
// is read twice or left out.
func TestStreamRaces(t *testing.T) {
	const readers, records = 8, 200
	m := newMount(t, nil)
	m.mkdir("orders")
	var group sync.WaitGroup
	for i := range readers {
		fh := m.open("orders/stream", syscall.O_RDONLY)
		group.Go(func() {
			text := readInterrupted(m, fh, i%2 == 0)
			if text != count(records) {
				t.Errorf("reader %d got %d bytes: %.100q", i, len(text), text)
			}
			m.release(fh)
		})
	}
	for i := range records {
		m.append("orders", fmt.Sprintf("%d\n", i))
	}
	m.append("orders", "end\n")
	group.Wait()
}

// readInterrupted reads a stream until the line "end" and returns what came before, and interrupts
// each read that waits, if it is told to.
func readInterrupted(m *mount, fh uint64, interrupt bool) string {
	var text strings.Builder
	for {
		r := m.read(fh, uint64(text.Len()), 64)
		if interrupt {
			select {
			case <-r.parked:
				r.interrupted()
			default:
			}
		}
		data, errno := r.get()
		if errno != 0 && errno != syscall.EINTR {
			m.Errorf("read: %v", errno)
			return ""
		}
		text.WriteString(data)
		if whole, ok := strings.CutSuffix(text.String(), "end\n"); ok {
			return whole
		}
	}
}

// count is the lines 0 to n-1.
func count(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintln(&text, i)
	}
	return text.String()
}

func TestStreamShutdownWhileItIsServed(t *testing.T) {
	const readers = 100
	m := newMount(t, nil)
	m.mkdir("orders")
	var waiting []*request
	for range readers {
		r := m.read(m.open("orders/stream", syscall.O_RDONLY), 0, 100)
		r.waits()
		waiting = append(waiting, r)
	}
	var group sync.WaitGroup
	group.Go(func() { m.append("orders", "a\n") })
	group.Go(m.tree.Shutdown)
	group.Wait()
	for _, r := range waiting {
		if data, errno := r.get(); errno != 0 || data != "" && data != "a\n" {
			t.Errorf("got %q, %v, want a line or the end", data, errno)
		}
	}
}

func TestStreamDamage(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "0\n1\n2\n3\n")
	m.damage(2)
	fh := m.open("orders/stream", syscall.O_RDONLY)
	m.read(fh, 0, 100).want("0\n1\n", 0)
	m.read(fh, 4, 100).want("", syscall.EIO)
	m.read(fh, 4, 100).want("2\n3\n", 0)
	m.read(fh, 8, 100).waits()
}

// A reader whose records were removed before it read them is told once, and goes on with the oldest
// one.
func TestStreamOvertaken(t *testing.T) {
	m := newMount(t, nil)
	other := mountStore(t, m.dir, func(c *nodes.Config) { c.AllowDelete = true })
	m.mkdir("orders")
	m.append("orders", "old\nold too\n")
	fh := m.open("orders/stream", syscall.O_RDONLY)
	m.read(fh, 0, 4).want("old\n", 0)
	other.rmdir("orders")
	other.mkdir("orders")
	other.append("orders", "new\n")
	m.read(fh, 4, 100).want("", syscall.EPIPE)
	m.read(fh, 4, 100).want("new\n", 0)
	m.read(fh, 8, 100).waits()
}

// A topic that is not there yet can be followed, where topics appear by themselves.
func TestStreamOfATopicToCome(t *testing.T) {
	m := newMount(t, func(c *nodes.Config) { c.AutoCreate = true })
	r := m.read(m.open("orders/stream", syscall.O_RDONLY), 0, 100)
	r.waits()
	m.append("orders", "first\n")
	r.want("first\n", 0)
}

func TestStreamFromOtherMount(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	other := mountStore(t, m.dir, nil)
	r := m.read(m.open("orders/stream", syscall.O_RDONLY), 0, 100)
	r.waits()
	other.append("orders", "theirs\n")
	r.want("theirs\n", 0)
}

func TestFrom(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "0\n1\n2\n3\n")
	tests := []struct{ position, want string }{
		{"start", "0\n1\n2\n3\n"},
		{"2", "2\n3\n"},
		{"-1", "3\n"},
		{"-100", "0\n1\n2\n3\n"},
		{"@0", "0\n1\n2\n3\n"},
		{"1h", "0\n1\n2\n3\n"},
		{"end", ""},
		{"4", ""},
	}
	for _, test := range tests {
		path := "orders/from/" + test.position
		if got := m.size(path); got != uint64(len(test.want)) {
			t.Errorf("%s: size is %d, want %d", path, got, len(test.want))
		}
		fh := m.open(path, syscall.O_RDONLY)
		if test.want != "" {
			m.read(fh, 0, 100).want(test.want, 0)
		}
		m.read(fh, uint64(len(test.want)), 100).waits()
	}
	if _, errno := m.lookup("orders/from/nowhere"); errno != syscall.ENOENT {
		t.Errorf("from/nowhere: %v, want ENOENT", errno)
	}
}

func TestFromBeyondTheEnd(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "0\n")
	fh := m.open("orders/from/3", syscall.O_RDONLY)
	r := m.read(fh, 0, 100)
	r.waits()
	m.append("orders", "1\n2\n")
	r.waits()
	m.append("orders", "3\n4\n")
	r.want("3\n4\n", 0)
	m.read(fh, 2, 100).want("4\n", 0)
}

// The end is that of the moment of opening.
func TestFromEndIsWhereItWas(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "old\n")
	fh := m.open("orders/from/end", syscall.O_RDONLY)
	m.append("orders", "new\n")
	m.read(fh, 0, 100).want("new\n", 0)
}
