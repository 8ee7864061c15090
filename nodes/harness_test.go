package nodes_test

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes"
)

// patience bounds waits for events that come at once unless something is broken.
const patience = time.Minute

// A hookedLog is a real log in which a test can have calls fail.
type hookedLog struct {
	nodes.Log

	mu     sync.Mutex
	append func(context.Context, *engine.Batch) error // before an append; nil: nothing
	reader func(nodes.Reader) nodes.Reader            // around each new reader; nil: nothing
}

func (l *hookedLog) onAppend(with func(context.Context, *engine.Batch) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.append = with
}

func (l *hookedLog) wrapReaders(with func(nodes.Reader) nodes.Reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reader = with
}

func (l *hookedLog) Append(ctx context.Context, b *engine.Batch) error {
	l.mu.Lock()
	hook := l.append
	l.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, b); err != nil {
			return err
		}
	}
	return l.Log.Append(ctx, b)
}

func (l *hookedLog) OpenReader(topic string, from engine.Position) (nodes.Reader, error) {
	r, err := l.Log.OpenReader(topic, from)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && l.reader != nil {
		r = l.reader(r)
	}
	return r, err
}

// A fakeKernel hands what it is told to the test.
type fakeKernel struct {
	polls   chan uint64
	entries chan string
	inodes  chan uint64
}

func (k *fakeKernel) NotifyPoll(kh uint64)              { k.polls <- kh }
func (k *fakeKernel) NotifyEntry(_ uint64, name string) { k.entries <- name }
func (k *fakeKernel) NotifyInode(node uint64)           { k.inodes <- node }

// A mount is a tree with a log, and what a test needs to call it as the kernel does.
type mount struct {
	*testing.T
	dir    string
	log    *hookedLog
	kernel *fakeKernel
	tree   *nodes.Tree

	mu      sync.Mutex
	lookups map[uint64]uint64 // of each node, for forgetAll
}

// newMount returns a tree on a new store.
func newMount(t *testing.T, change func(*nodes.Config)) *mount {
	t.Helper()
	return mountStore(t, t.TempDir(), change)
}

// mountStore returns a tree on a store that other mounts may share.
func mountStore(t *testing.T, dir string, change func(*nodes.Config)) *mount {
	t.Helper()
	log, err := engine.Open(t.Context(), dir, engine.Options{Sync: engine.SyncNone})
	if err != nil {
		t.Fatal(err)
	}
	m := &mount{
		T: t, dir: dir, lookups: map[uint64]uint64{}, log: &hookedLog{Log: nodes.EngineLog(log)},
		kernel: &fakeKernel{
			polls:   make(chan uint64, 100),
			entries: make(chan string, 100),
			inodes:  make(chan uint64, 100),
		},
	}
	config := nodes.Config{Log: m.log, Version: "test"}
	if change != nil {
		change(&config)
	}
	m.tree = nodes.NewTree(config)
	m.tree.SetKernel(m.kernel)
	t.Cleanup(func() {
		m.tree.Shutdown()
		if _, _, _, waiting := m.tree.Sizes(); waiting > 0 {
			t.Errorf("%d reads wait after Shutdown", waiting)
		}
		if err := log.Close(); err != nil {
			t.Errorf("closing the log: %v", err)
		}
	})
	return m
}

// lookup walks to a path and returns what the last lookup said.
func (m *mount) lookup(path string) (fuse.EntryOut, syscall.Errno) {
	m.Helper()
	out := fuse.EntryOut{NodeId: fuse.FUSE_ROOT_ID}
	for name := range strings.SplitSeq(path, "/") {
		in := fuse.InHeader{NodeId: out.NodeId}
		out = fuse.EntryOut{}
		if st := m.tree.Lookup(nil, &in, name, &out); st != fuse.OK {
			return out, syscall.Errno(st)
		}
		m.mu.Lock()
		m.lookups[out.NodeId]++
		m.mu.Unlock()
	}
	return out, 0
}

// forgetAll takes back all lookups, as the kernel does when it is short of memory.
func (m *mount) forgetAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, lookups := range m.lookups {
		m.tree.Forget(id, lookups)
	}
	clear(m.lookups)
}

func (m *mount) node(path string) uint64 {
	m.Helper()
	if path == "" {
		return fuse.FUSE_ROOT_ID
	}
	out, errno := m.lookup(path)
	if errno != 0 {
		m.Fatalf("lookup %s: %v", path, errno)
	}
	return out.NodeId
}

func (m *mount) tryOpen(path string, flags uint32) (uint64, syscall.Errno) {
	m.Helper()
	in := fuse.OpenIn{InHeader: fuse.InHeader{NodeId: m.node(path)}, Flags: flags}
	var out fuse.OpenOut
	st := m.tree.Open(nil, &in, &out)
	return out.Fh, syscall.Errno(st)
}

// open opens a file; the test fails if it is not released in the end.
func (m *mount) open(path string, flags uint32) uint64 {
	m.Helper()
	fh, errno := m.tryOpen(path, flags)
	if errno != 0 {
		m.Fatalf("open %s: %v", path, errno)
	}
	return fh
}

func (m *mount) release(fh uint64) { m.tree.Release(nil, &fuse.ReleaseIn{Fh: fh}) }

func (m *mount) mkdir(name string) syscall.Errno {
	in := fuse.MkdirIn{InHeader: fuse.InHeader{NodeId: fuse.FUSE_ROOT_ID}, Mode: 0o750}
	in.Uid, in.Gid = 17, 18
	var out fuse.EntryOut
	return syscall.Errno(m.tree.Mkdir(nil, &in, name, &out))
}

func (m *mount) rmdir(name string) syscall.Errno {
	in := fuse.InHeader{NodeId: fuse.FUSE_ROOT_ID}
	return syscall.Errno(m.tree.Rmdir(nil, &in, name))
}

// writeAs writes with a lock owner.
func (m *mount) writeAs(owner, fh uint64, data string) syscall.Errno {
	m.Helper()
	return m.writeCtx(m.Context(), owner, fh, data)
}

func (m *mount) writeCtx(ctx context.Context, owner, fh uint64, data string) syscall.Errno {
	m.Helper()
	buf := []byte(data)
	in := fuse.WriteIn{
		Fh: fh, Size: uint32(len(buf)), WriteFlags: fuse.WRITE_LOCKOWNER, LockOwner: owner,
	}
	n, errno := m.tree.ServeWrite(ctx, &in, buf)
	if errno == 0 && int(n) != len(buf) {
		m.Errorf("a write of %d bytes took %d", len(buf), n)
	}
	for i := range buf {
		buf[i] = '#' // the request's memory is used again
	}
	return errno
}

func (m *mount) flush(owner, fh uint64) syscall.Errno {
	return syscall.Errno(m.tree.Flush(nil, &fuse.FlushIn{Fh: fh, LockOwner: owner}))
}

// append writes to a topic's append file, as echo does.
func (m *mount) append(topic, data string) {
	m.Helper()
	fh := m.open(topic+"/append", syscall.O_WRONLY|syscall.O_APPEND)
	defer m.release(fh)
	if errno := m.writeAs(1, fh, data); errno != 0 {
		m.Fatalf("write to %s: %v", topic, errno)
	}
	if errno := m.flush(1, fh); errno != 0 {
		m.Fatalf("close of %s: %v", topic, errno)
	}
}

// cat reads a file until its end, size bytes at a time.
func (m *mount) cat(path string, size int) string {
	m.Helper()
	fh := m.open(path, syscall.O_RDONLY)
	defer m.release(fh)
	var text strings.Builder
	for {
		data, errno := m.read(fh, uint64(text.Len()), size).now()
		if errno != 0 {
			m.Fatalf("read of %s at %d: %v", path, text.Len(), errno)
		}
		if data == "" {
			return text.String()
		}
		text.WriteString(data)
	}
}

// read sends a READ.
func (m *mount) read(fh, offset uint64, size int) *request {
	m.Helper()
	r := &request{T: m.T, size: size, parked: make(chan struct{}), done: make(chan struct{})}
	m.send(fh, offset, r)
	return r
}

func (m *mount) send(fh, offset uint64, r *request) {
	m.tree.ServeRead(&fuse.ReadIn{Fh: fh, Offset: offset, Size: uint32(r.size)}, r)
}

// A request is a READ as the tree sees it, which checks that it is treated as Kernel says.
type request struct {
	*testing.T
	size int

	mu          sync.Mutex
	buf         []byte
	interrupted func()
	answered    bool
	impatient   bool // it is interrupted before Park returns

	parked chan struct{}
	done   chan struct{}
	data   string
	errno  syscall.Errno
}

func (r *request) Buffer() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answered {
		r.Error("Buffer after the answer")
	}
	if r.buf == nil {
		r.buf = make([]byte, r.size)
	}
	return r.buf
}

func (r *request) answer(data string, errno syscall.Errno) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answered {
		r.Errorf("answered twice: %q, %v and %q, %v", r.data, r.errno, data, errno)
		return
	}
	r.answered, r.data, r.errno = true, data, errno
	close(r.done)
}

func (r *request) Reply(n int) {
	if n == 0 {
		r.answer("", 0)
		return
	}
	r.answer(string(r.Buffer()[:n]), 0)
}

func (r *request) Fail(errno syscall.Errno) { r.answer("", errno) }

func (r *request) Park(interrupted func()) {
	r.mu.Lock()
	r.buf, r.interrupted = nil, interrupted
	r.mu.Unlock()
	if r.impatient {
		interrupted()
	}
	close(r.parked)
}

// now returns the answer that is there already.
func (r *request) now() (string, syscall.Errno) {
	r.Helper()
	select {
	case <-r.done:
	default:
		r.Fatal("the read waits")
	}
	return r.data, r.errno
}

// waits fails the test unless the read waits.
func (r *request) waits() {
	r.Helper()
	select {
	case <-r.done:
		r.Fatalf("the read does not wait: %q, %v", r.data, r.errno)
	case <-r.parked:
	}
}

// get waits for the answer.
func (r *request) get() (string, syscall.Errno) {
	r.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		r.Fatal("the read was not answered")
	}
	return r.data, r.errno
}

// want waits for the answer and checks it.
func (r *request) want(data string, errno syscall.Errno) {
	r.Helper()
	if got, gotErrno := r.get(); got != data || gotErrno != errno {
		r.Errorf("read %q, %v, want %q, %v", got, gotErrno, data, errno)
	}
}

// soon waits for something that a fakeKernel is told.
func soon[V any](t *testing.T, from chan V) V {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("the kernel was not told")
		panic("unreachable")
	}
}
