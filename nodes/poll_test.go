package nodes_test

import (
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"purofs/nodes"
)

// poll asks whether a file can be read, and to be told under the name kh if it cannot.
func (m *mount) poll(fh, kh uint64) bool {
	m.Helper()
	events, errno := m.tree.ServePoll(&nodes.PollIn{
		Fh: fh, Kh: kh, Flags: fuse.FUSE_POLL_SCHEDULE_NOTIFY, Events: unix.POLLIN,
	})
	if errno != 0 {
		m.Fatalf("poll: %v", errno)
	}
	return events&unix.POLLIN != 0
}

func TestPoll(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/stream", syscall.O_RDONLY)
	if m.poll(fh, 77) {
		t.Error("an empty stream can be read")
	}
	m.append("orders", "a\n")
	if kh := soon(t, m.kernel.polls); kh != 77 {
		t.Errorf("the kernel is told of %d, want 77", kh)
	}
	if !m.poll(fh, 77) {
		t.Error("a stream with a record cannot be read")
	}
	m.read(fh, 0, 100).want("a\n", 0)
	if m.poll(fh, 77) {
		t.Error("a stream that was read to its end can be read")
	}
	if m.poll(fh, 77) {
		t.Error("nor can it when asked again")
	}
	m.append("orders", "b\n")
	soon(t, m.kernel.polls)
	if len(m.kernel.polls) > 0 {
		t.Error("the kernel is told twice of one record")
	}
}

// Who asks for edges (EPOLLET) reads all that there is, and does not ask again before the next one.
func TestPollTellsOfTheNextEdge(t *testing.T) {
	for _, file := range []string{
		"stream", "stream.jsonl", "stream.raw", "from/0", "cursors/billing/stream",
	} {
		t.Run(file, func(t *testing.T) {
			m := newCursor(t, "a\n", nil)
			fh := m.open("orders/"+file, syscall.O_RDONLY|syscall.O_NONBLOCK)
			if !m.poll(fh, 77) {
				t.Error("a stream with a record cannot be read")
			}
			m.readInPieces(fh)
			m.append("orders", "b\n")
			if kh := soon(t, m.kernel.polls); kh != 77 {
				t.Errorf("the kernel is told of %d, want 77", kh)
			}
		})
	}
}

// A program polls on while it is told of the record before: for the race detector.
func TestPollWhileTold(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/stream", syscall.O_RDONLY)
	var polls sync.WaitGroup
	var over atomic.Bool
	polls.Go(func() {
		for !over.Load() {
			if _, errno := m.tree.ServePoll(&nodes.PollIn{
				Fh: fh, Kh: 77, Flags: fuse.FUSE_POLL_SCHEDULE_NOTIFY, Events: unix.POLLIN,
			}); errno != 0 {
				t.Errorf("poll: %v", errno)
				return
			}
		}
	})
	for range 100 {
		m.append("orders", "a\n")
		select {
		case <-m.kernel.polls:
		default:
		}
	}
	over.Store(true)
	polls.Wait()
}

func TestPollOfWhatIsAlwaysReady(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	for _, path := range []string{"orders/log", "orders/info", ".puro/errors"} {
		if !m.poll(m.open(path, syscall.O_RDONLY), 1) {
			t.Errorf("%s cannot be read", path)
		}
	}
	in := nodes.PollIn{Fh: m.open("orders/append", syscall.O_WRONLY), Events: unix.POLLOUT}
	if events, _ := m.tree.ServePoll(&in); events != unix.POLLOUT {
		t.Errorf("append: events %x, want POLLOUT", events)
	}
}

func TestPollEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(m *mount)
	}{
		{"removal", func(m *mount) { m.rmdir("orders") }},
		{"shutdown", func(m *mount) { m.tree.Shutdown() }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMount(t, func(c *nodes.Config) { c.AllowDelete = true })
			m.mkdir("orders")
			fh := m.open("orders/stream", syscall.O_RDONLY)
			m.poll(fh, 5)
			test.end(m)
			soon(t, m.kernel.polls)
			if !m.poll(fh, 5) {
				t.Error("the end of the file cannot be read")
			}
		})
	}
}

func TestPollEndsWithItsHandle(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/stream", syscall.O_RDONLY)
	m.poll(fh, 5)
	m.release(fh)
	m.append("orders", "a\n")
	if len(m.kernel.polls) > 0 {
		t.Error("the kernel is told of a handle that it released")
	}
}

// A topic that was removed before it was first seen is not waited for without end.
func TestPollOfATopicThatWasRemoved(t *testing.T) {
	m := newMount(t, func(c *nodes.Config) { c.AllowDelete = true })
	m.mkdir("orders")
	m.rmdir("orders")
	other := mountStore(t, m.dir, func(c *nodes.Config) { c.AutoCreate = true })
	fh := other.open("orders/stream", syscall.O_RDONLY)
	if other.poll(fh, 5) {
		t.Error("it can be read")
	}
	soon(t, other.kernel.polls)
	if !other.poll(fh, 5) {
		t.Error("poll goes round in circles")
	}
}
