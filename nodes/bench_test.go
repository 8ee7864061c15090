package nodes_test

import (
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes"
)

// A benchmark is a tree on a real log without the kernel: what a request costs beyond the
// transport.
type benchmark struct {
	*testing.B
	tree *nodes.Tree
}

func newBenchmark(b *testing.B) *benchmark {
	b.Helper()
	log, err := engine.Open(b.Context(), b.TempDir(), engine.Options{Sync: engine.SyncNone})
	if err != nil {
		b.Fatal(err)
	}
	tree := nodes.NewTree(nodes.Config{Log: nodes.EngineLog(log)})
	b.Cleanup(func() {
		tree.Shutdown()
		if err := log.Close(); err != nil {
			b.Error(err)
		}
	})
	in := fuse.MkdirIn{InHeader: fuse.InHeader{NodeId: fuse.FUSE_ROOT_ID}, Mode: 0o755}
	if st := tree.Mkdir(nil, &in, "t", &fuse.EntryOut{}); st != fuse.OK {
		b.Fatal(st)
	}
	return &benchmark{b, tree}
}

func (b *benchmark) node(names ...string) uint64 {
	out := fuse.EntryOut{NodeId: fuse.FUSE_ROOT_ID}
	for _, name := range names {
		in := fuse.InHeader{NodeId: out.NodeId}
		if st := b.tree.Lookup(nil, &in, name, &out); st != fuse.OK {
			b.Fatal(st)
		}
	}
	return out.NodeId
}

func (b *benchmark) open(node uint64, flags uint32) uint64 {
	var out fuse.OpenOut
	in := fuse.OpenIn{InHeader: fuse.InHeader{NodeId: node}, Flags: flags}
	if st := b.tree.Open(nil, &in, &out); st != fuse.OK {
		b.Fatal(st)
	}
	return out.Fh
}

func (b *benchmark) write(fh uint64, data []byte) {
	in := fuse.WriteIn{Fh: fh, WriteFlags: fuse.WRITE_LOCKOWNER, LockOwner: 1}
	if _, errno := b.tree.ServeWrite(b.Context(), &in, data); errno != 0 {
		b.Fatal(errno)
	}
}

// line is a record of 100 bytes.
var line = []byte(strings.Repeat("x", 99) + "\n")

func BenchmarkWriteLine(b *testing.B) {
	m := newBenchmark(b)
	fh := m.open(m.node("t", "append"), syscall.O_WRONLY)
	b.ReportAllocs()
	for b.Loop() {
		m.write(fh, line)
	}
}

func BenchmarkWriteMiB(b *testing.B) {
	m := newBenchmark(b)
	fh := m.open(m.node("t", "append"), syscall.O_WRONLY)
	data := []byte(strings.Repeat(string(line), 1<<20/len(line)))
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		m.write(fh, data)
	}
}

func BenchmarkEcho(b *testing.B) {
	m := newBenchmark(b)
	node := m.node("t", "append")
	b.ReportAllocs()
	for b.Loop() {
		fh := m.open(node, syscall.O_WRONLY)
		m.write(fh, line)
		m.tree.Flush(nil, &fuse.FlushIn{Fh: fh, LockOwner: 1})
		m.tree.Release(nil, &fuse.ReleaseIn{Fh: fh})
	}
}

// A benchRead is a READ that is answered or waits.
type benchRead struct {
	buf    []byte
	n      int
	errno  syscall.Errno
	answer chan struct{}
}

func (r *benchRead) Buffer() []byte           { return r.buf }
func (r *benchRead) Reply(n int)              { r.n = n; r.answer <- struct{}{} }
func (r *benchRead) Fail(errno syscall.Errno) { r.errno = errno; r.Reply(0) }
func (r *benchRead) Park(func())              {}

func benchmarkRead(b *testing.B, name string, size int) {
	m := newBenchmark(b)
	w := m.open(m.node("t", "append"), syscall.O_WRONLY)
	data := []byte(strings.Repeat(string(line), 1<<20/len(line)))
	for range 32 {
		m.write(w, data)
	}
	fh := m.open(m.node("t", name), syscall.O_RDONLY)
	r := &benchRead{buf: make([]byte, size), answer: make(chan struct{}, 1)}
	total, at := uint64(32*len(data)), uint64(0)
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		m.tree.ServeRead(&fuse.ReadIn{Fh: fh, Offset: at}, r)
		<-r.answer
		if at += uint64(r.n); r.n == 0 || at == total {
			at = 0
		}
	}
}

func BenchmarkReadLog(b *testing.B)    { benchmarkRead(b, "log", 128<<10) }
func BenchmarkReadStream(b *testing.B) { benchmarkRead(b, "stream", 128<<10) }
func BenchmarkReadJSONL(b *testing.B)  { benchmarkRead(b, "log.jsonl", 128<<10) }
func BenchmarkReadTSV(b *testing.B)    { benchmarkRead(b, "log.tsv", 128<<10) }
func BenchmarkReadSmall(b *testing.B)  { benchmarkRead(b, "log", 4<<10) }

// BenchmarkWake is a write until the reader that waited has it.
func BenchmarkWake(b *testing.B) {
	m := newBenchmark(b)
	w := m.open(m.node("t", "append"), syscall.O_WRONLY)
	fh := m.open(m.node("t", "stream"), syscall.O_RDONLY)
	r := &benchRead{buf: make([]byte, 128<<10), answer: make(chan struct{}, 1)}
	at := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		m.tree.ServeRead(&fuse.ReadIn{Fh: fh, Offset: at}, r)
		m.write(w, line)
		<-r.answer
		at += uint64(r.n)
	}
}

// BenchmarkWaitingReaders measures what the tree and the log hold for a reader that read a record
// and waits for more, in each format.
func BenchmarkWaitingReaders(b *testing.B) {
	for _, name := range []string{"-1", "-1.jsonl", "-1.tsv", "-1.raw"} {
		b.Run(name, func(b *testing.B) { benchmarkWaitingReaders(b, name) })
	}
}

func benchmarkWaitingReaders(b *testing.B, name string) {
	const readers = 1000
	m := newBenchmark(b)
	m.write(m.open(m.node("t", "append"), syscall.O_WRONLY), line)
	node := m.node("t", "from", name)
	for b.Loop() {
		before := heapBytes()
		var handles []uint64
		for range readers {
			fh := m.open(node, syscall.O_RDONLY)
			r := &benchRead{buf: make([]byte, 256), answer: make(chan struct{}, 1)}
			m.tree.ServeRead(&fuse.ReadIn{Fh: fh}, r)
			<-r.answer
			m.tree.ServeRead(&fuse.ReadIn{Fh: fh, Offset: uint64(r.n)}, r)
			handles = append(handles, fh)
		}
		b.ReportMetric(float64(heapBytes()-before)/readers, "bytes/reader")
		m.write(m.open(m.node("t", "append"), syscall.O_WRONLY), line)
		for _, fh := range handles {
			m.tree.Release(nil, &fuse.ReleaseIn{Fh: fh})
		}
	}
}

func heapBytes() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// However many records a read goes through, it allocates nothing for each.
func TestFormattedReadsAllocateNothing(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", strings.Repeat(string(line), 80_000))
	for _, format := range textFormats {
		in := fuse.ReadIn{Fh: m.open("orders/log"+format.Suffix(), syscall.O_RDONLY)}
		r := &benchRead{buf: make([]byte, 128<<10), answer: make(chan struct{}, 1)}
		got := testing.AllocsPerRun(50, func() {
			m.tree.ServeRead(&in, r)
			<-r.answer
			if r.n != len(r.buf) {
				t.Fatalf("read %d bytes at %d", r.n, in.Offset)
			}
			in.Offset += uint64(r.n)
		})
		if got > 20 {
			t.Errorf("%s: %v allocations in a read of hundreds of records", format.Suffix(), got)
		}
	}
}
