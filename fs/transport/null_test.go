package transport_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"purofs/fs/transport"
	"purofs/nodes"
)

// Files of the null file system, by node number.
const (
	nodeNull   = iota + 2 // takes what is written and reads as zeros
	nodeStream            // every read waits until it is woken
	nodeStuck             // every write waits until it is interrupted
	nodePanic             // every handler panics
	nodeReady             // polls as readable once it was woken
	nodeWake              // every write answers one waiting read
)

var nullFiles = map[string]uint64{
	"null": nodeNull, "stream": nodeStream, "stuck": nodeStuck, "panic": nodePanic,
	"ready": nodeReady, "wake": nodeWake,
}

// A nullFS does nothing, to be measured and to be tested with.
type nullFS struct {
	fuse.RawFileSystem
	kernel nodes.Kernel // set before the first request

	parked  chan struct{} // one for each read that has come to wait
	polled  chan struct{} // one for each poll that asked to be told
	written chan []byte   // a copy of what is written, if not nil
	stuck   chan struct{} // one for each write that has come to wait
	release chan struct{} // when closed, lets go what is stuck
	data    chan string   // from Write to Read

	mu      sync.Mutex // guards what follows
	waiting []*waiter
	left    string // for the next read
	handles []uint64
	ready   bool
	panics  []string // what Panicked was told
}

// A waiter is one parked read.
type waiter struct {
	req  nodes.ReadRequest
	done atomic.Bool // somebody answers
}

// take makes the caller the one who answers, once.
func (w *waiter) take() bool { return !w.done.Swap(true) }

func newNullFS() *nullFS {
	return &nullFS{
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		parked:        make(chan struct{}, 4096),
		polled:        make(chan struct{}, 4096),
		stuck:         make(chan struct{}, 4096),
		release:       make(chan struct{}),
		data:          make(chan string, 1),
	}
}

func (n *nullFS) Panicked(call string, reason any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.panics = append(n.panics, fmt.Sprint(call, ": ", reason))
}

func (n *nullFS) String() string { return "null" }

func nullAttr(node uint64, out *fuse.Attr) {
	out.Ino, out.Mode, out.Nlink, out.Size = node, fuse.S_IFREG|0o666, 1, 1<<40
	if node == fuse.FUSE_ROOT_ID {
		out.Mode = fuse.S_IFDIR | 0o777
	}
}

func (n *nullFS) Lookup(
	_ <-chan struct{}, _ *fuse.InHeader, name string, out *fuse.EntryOut,
) fuse.Status {
	node, ok := nullFiles[name]
	if !ok {
		return fuse.ENOENT
	}
	out.NodeId, out.EntryValid, out.AttrValid = node, 1000, 1000
	nullAttr(node, &out.Attr)
	return fuse.OK
}

func (n *nullFS) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	out.AttrValid = 1000
	nullAttr(in.NodeId, &out.Attr)
	return fuse.OK
}

func (n *nullFS) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	nullAttr(in.NodeId, &out.Attr)
	return fuse.OK
}

func (n *nullFS) Open(_ <-chan struct{}, _ *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	out.OpenFlags = fuse.FOPEN_DIRECT_IO | fuse.FOPEN_PARALLEL_DIRECT_WRITES
	return fuse.OK
}

func (n *nullFS) OpenDir(_ <-chan struct{}, _ *fuse.OpenIn, _ *fuse.OpenOut) fuse.Status {
	return fuse.OK
}

func (n *nullFS) ReadDir(
	_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList,
) fuse.Status {
	if in.Offset == 0 {
		for name, node := range nullFiles {
			out.AddDirEntry(fuse.DirEntry{Name: name, Ino: node, Mode: fuse.S_IFREG})
		}
	}
	return fuse.OK
}

func (n *nullFS) ReadDirPlus(
	cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList,
) fuse.Status {
	if in.Offset == 0 {
		for name, node := range nullFiles {
			entry := out.AddDirLookupEntry(fuse.DirEntry{Name: name, Ino: node, Mode: fuse.S_IFREG})
			_ = n.Lookup(cancel, nil, name, entry)
		}
	}
	return fuse.OK
}

func (n *nullFS) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }

func (n *nullFS) Unlink(cancel <-chan struct{}, _ *fuse.InHeader, name string) fuse.Status {
	if name == "panic" {
		panic("unlink of panic")
	}
	n.stuck <- struct{}{}
	select {
	case <-cancel:
		return fuse.EINTR
	case <-n.release:
		return fuse.EIO
	}
}

// Read and Write serve the same file system behind go-fuse's own server.
func (n *nullFS) Read(
	_ <-chan struct{}, in *fuse.ReadIn, buf []byte,
) (fuse.ReadResult, fuse.Status) {
	if in.NodeId == nodeStream {
		return fuse.ReadResultData(buf[:copy(buf, <-n.data)]), fuse.OK
	}
	return fuse.ReadResultData(buf[:in.Size]), fuse.OK
}

func (n *nullFS) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	if in.NodeId == nodeWake {
		n.data <- string(data)
	}
	return uint32(len(data)), fuse.OK
}

func (n *nullFS) ServeRead(in *fuse.ReadIn, req nodes.ReadRequest) {
	switch in.NodeId {
	case nodeStream:
		n.park(req)
		n.mu.Lock()
		text := n.left
		n.left = ""
		n.mu.Unlock()
		if text != "" {
			n.wakeOrLeave(text)
		}
	case nodePanic:
		req.Buffer()
		panic("read of panic")
	default:
		req.Reply(len(req.Buffer()))
	}
}

// park lets a read wait for wake or its interrupt.
func (n *nullFS) park(req nodes.ReadRequest) {
	w := &waiter{req: req}
	req.Park(func() {
		if w.take() {
			req.Fail(syscall.EINTR)
		}
	})
	n.mu.Lock()
	n.waiting = append(n.waiting, w)
	n.mu.Unlock()
	select {
	case n.parked <- struct{}{}:
	default: // nobody counts them
	}
}

// wakeOrLeave answers all waiting reads, or the next one.
func (n *nullFS) wakeOrLeave(text string) {
	n.mu.Lock()
	if len(n.waiting) == 0 {
		n.left = text
	}
	n.mu.Unlock()
	n.wake(text)
}

// wake answers all waiting reads and tells pollers.
func (n *nullFS) wake(text string) (woken int) {
	n.mu.Lock()
	waiting, handles := n.waiting, n.handles
	n.waiting, n.handles, n.ready = nil, nil, true
	n.mu.Unlock()
	for _, w := range waiting {
		if w.take() {
			w.req.Reply(copy(w.req.Buffer(), text))
			woken++
		}
	}
	for _, kh := range handles {
		n.kernel.NotifyPoll(kh)
	}
	return woken
}

func (n *nullFS) ServeWrite(
	ctx context.Context, in *fuse.WriteIn, data []byte,
) (uint32, syscall.Errno) {
	switch in.NodeId {
	case nodePanic:
		panic("write of panic")
	case nodeWake:
		n.wakeOrLeave(string(data))
	case nodeStuck:
		n.stuck <- struct{}{}
		select {
		case <-ctx.Done():
			return 0, syscall.EINTR
		case <-n.release:
			return 0, syscall.EIO
		}
	}
	if n.written != nil {
		n.written <- append([]byte(nil), data...)
	}
	return uint32(len(data)), 0
}

func (n *nullFS) ServePoll(in *nodes.PollIn) (uint32, syscall.Errno) {
	switch in.Node {
	case nodePanic:
		panic("poll of panic")
	case nodeReady:
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.ready {
			return in.Events & unix.POLLIN, 0
		}
		if in.Flags&fuse.FUSE_POLL_SCHEDULE_NOTIFY != 0 {
			n.handles = append(n.handles, in.Kh)
			n.polled <- struct{}{}
		}
		return 0, 0
	}
	return in.Events & (unix.POLLIN | unix.POLLOUT), 0
}

// mount mounts a null file system served by this package, until the end of the test.
func mount(tb testing.TB, fsys *nullFS, logger zerolog.Logger) (dir string, conn *transport.Conn) {
	tb.Helper()
	dir, fd := mountDevice(tb)
	conn = transport.New(fd, fsys, logger)
	fsys.kernel = conn
	served := make(chan error, 1)
	go func() { served <- conn.Serve() }()
	<-conn.Ready()
	tb.Cleanup(func() {
		err := unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH)
		if err != nil && err != unix.EINVAL { // EINVAL: the test has done it
			tb.Error(err)
		}
		if err := <-served; err != nil {
			tb.Errorf("Serve: %v", err)
		}
	})
	return dir, conn
}
