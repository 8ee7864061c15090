package transport_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"purofs/fs/transport"
	"purofs/nodes"
)

// A fakeKernel is the other end of a connection: a socket that keeps messages apart, as /dev/fuse
// does. With it the order of requests and interrupts is the test's to choose.
type fakeKernel struct {
	t      *testing.T
	fd     int
	served chan error
	hungUp sync.Once
}

func newFakeKernel(t *testing.T, fsys transport.FileSystem) *fakeKernel {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn := transport.New(fds[1], fsys, zerolog.Nop())
	k := &fakeKernel{t: t, fd: fds[0], served: make(chan error, 1)}
	go func() { k.served <- conn.Serve() }()
	t.Cleanup(k.hangUp)
	return k
}

// hangUp ends the connection as the kernel might, and waits for its end.
func (k *fakeKernel) hangUp() {
	k.hungUp.Do(func() {
		if err := unix.Close(k.fd); err != nil {
			k.t.Error(err)
		}
		<-k.served
	})
}

// send sends one request; T begins with a fuse.InHeader.
func send[T any](k *fakeKernel, opcode uint32, unique uint64, in *T, payload string) {
	k.t.Helper()
	header := (*fuse.InHeader)(unsafe.Pointer(in))
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(in)), unsafe.Sizeof(*in))
	header.Opcode, header.Unique, header.Length = opcode, unique, uint32(len(bytes)+len(payload))
	if _, err := unix.Write(k.fd, append(bytes, payload...)); err != nil {
		k.t.Error(err)
	}
}

// receive returns the number and the error of the next answer.
func (k *fakeKernel) receive() (unique uint64, errno syscall.Errno) {
	k.t.Helper()
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(k.fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n < 16 {
			k.t.Errorf("answer of %d bytes, %v", n, err)
			return 0, 0
		}
		if length := binary.NativeEndian.Uint32(buf); int(length) != n {
			k.t.Errorf("answer of %d bytes says it has %d", n, length)
		}
		status := int32(binary.NativeEndian.Uint32(buf[4:]))
		return binary.NativeEndian.Uint64(buf[8:]), syscall.Errno(-status)
	}
}

const (
	opRead      = 15
	opWrite     = 16
	opInterrupt = 36
)

// racyFS answers reads at once, parks them and answers from elsewhere, or waits for their
// interrupt.
type racyFS struct {
	nullFS
	wakers sync.WaitGroup
}

func (r *racyFS) ServeRead(in *fuse.ReadIn, req nodes.ReadRequest) {
	switch in.Offset % 3 {
	case 0:
		req.Reply(copy(req.Buffer(), "now"))
	case 1:
		r.park(req)
	case 2:
		w := &waiter{req: req}
		req.Park(func() {
			if w.take() {
				req.Fail(syscall.EINTR)
			}
		})
		r.wakers.Go(func() {
			if w.take() {
				req.Reply(copy(req.Buffer(), "later"))
			}
		})
	}
}

func newRacyFS() *racyFS {
	r := &racyFS{nullFS: *newNullFS()}
	r.parked = make(chan struct{}, 1<<16)
	return r
}

// Every request is answered once, whatever the order of answers and interrupts.
func TestAnswersAndInterruptsRace(t *testing.T) {
	const rounds, batch = 200, 64
	fsys := newRacyFS()
	k := newFakeKernel(t, fsys)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	unique := uint64(2)
	for range rounds {
		waiting := make(map[uint64]bool)
		for range batch {
			waiting[unique] = true
			if random.IntN(4) == 0 {
				in := &fuse.WriteIn{Size: 1}
				in.NodeId = []uint64{nodeNull, nodeStuck}[random.IntN(2)]
				send(k, opWrite, unique, in, "x")
			} else {
				send(k, opRead, unique, &fuse.ReadIn{Size: 4096, Offset: random.Uint64()}, "")
			}
			if random.IntN(2) == 0 {
				send(k, opInterrupt, unique|1, &fuse.InterruptIn{Unique: unique}, "")
			}
			unique += 2
		}
		k.collect(waiting)
	}
	k.hangUp()
	fsys.wakers.Wait()
}

// impatientFS looks for a while whether a write is interrupted.
type impatientFS struct{ nullFS }

func (*impatientFS) ServeWrite(
	ctx context.Context, _ *fuse.WriteIn, data []byte,
) (uint32, syscall.Errno) {
	for range 2000 {
		if ctx.Err() != nil {
			return 0, syscall.EINTR
		}
	}
	return uint32(len(data)), 0
}

// An interrupt that comes together with the answer to its write is none for another write.
func TestInterruptIsForOneWrite(t *testing.T) {
	const rounds, batch = 200, 16
	k := newFakeKernel(t, &impatientFS{*newNullFS()})
	for round := range uint64(rounds) {
		first := 2 * (1 + round*batch)
		for unique := first; unique < first+2*batch; unique += 2 {
			send(k, opWrite, unique, &fuse.WriteIn{Size: 1}, "x")
			if unique%4 == 0 {
				send(k, opInterrupt, unique|1, &fuse.InterruptIn{Unique: unique}, "")
			}
		}
		for left := batch; left > 0; {
			unique, errno := k.receive()
			if unique&1 == 1 {
				continue // the interrupt came too late
			}
			left--
			if errno != 0 && unique%4 != 0 {
				t.Fatalf("write %d, which nobody has interrupted: %v", unique, errno)
			}
		}
	}
}

// collect interrupts what waits until everything is answered, as the kernel does for a killed
// process.
func (k *fakeKernel) collect(waiting map[uint64]bool) {
	k.t.Helper()
	for unique := range waiting {
		send(k, opInterrupt, unique|1, &fuse.InterruptIn{Unique: unique}, "")
	}
	for len(waiting) > 0 {
		unique, errno := k.receive()
		switch {
		case unique&1 == 1 && errno == syscall.EAGAIN:
			if waiting[unique&^1] {
				send(k, opInterrupt, unique, &fuse.InterruptIn{Unique: unique &^ 1}, "")
			}
		case !waiting[unique]:
			k.t.Fatalf("request %d is answered twice (%v)", unique, errno)
		case errno != 0 && errno != syscall.EINTR:
			k.t.Fatalf("request %d: got %v", unique, errno)
		default:
			delete(waiting, unique)
		}
	}
}

// The end of the connection comes while requests arrive, wait and are answered.
func TestEndRacesWithRequests(t *testing.T) {
	for round := range 100 {
		fsys := newRacyFS()
		k := newFakeKernel(t, fsys)
		n := round % 50
		for i := range n {
			send(k, opRead, uint64(2*i+2), &fuse.ReadIn{Size: 100, Offset: uint64(i)}, "")
		}
		var ends sync.WaitGroup
		ends.Go(func() { fsys.wake("end") })
		k.hangUp()
		ends.Wait()
		fsys.wakers.Wait()
		if left := fsys.wake("late"); left != 0 {
			t.Fatalf("round %d: %d of %d reads have not been interrupted", round, left, n)
		}
	}
}

// longFS answers with more than was asked for, at once or after it has parked the read.
type longFS struct{ nullFS }

func (l *longFS) ServeRead(in *fuse.ReadIn, req nodes.ReadRequest) {
	if in.NodeId == nodeStream {
		req.Park(func() {})
	}
	req.Reply(len(req.Buffer()) + 1)
}

// A wrong answer is an error for who reads, and no endless wait.
func TestWrongAnswerIsAnError(t *testing.T) {
	fsys := &longFS{*newNullFS()}
	k := newFakeKernel(t, fsys)
	for unique, node := range map[uint64]uint64{2: nodeNull, 4: nodeStream} {
		in := &fuse.ReadIn{Size: 100}
		in.NodeId = node
		send(k, opRead, unique, in, "")
		if got, errno := k.receive(); got != unique || errno != syscall.EIO {
			t.Errorf("answer to %d: %v, want EIO to %d", got, errno, unique)
		}
	}
	k.hangUp()
	if len(fsys.panics) != 2 {
		t.Errorf("told of the panics %q, want two", fsys.panics)
	}
}

func TestParkedReadIsSmall(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector multiplies memory")
	}
	const n = 4096
	fsys := newNullFS()
	k := newFakeKernel(t, fsys)
	var before, after runtime.MemStats
	collectGarbage()
	runtime.ReadMemStats(&before)
	for i := range n {
		in := &fuse.ReadIn{Size: 1 << 20}
		in.NodeId = nodeStream
		send(k, opRead, uint64(2*i+2), in, "")
		<-fsys.parked
	}
	collectGarbage()
	runtime.ReadMemStats(&after)
	inUse := func(m *runtime.MemStats) int { return int(m.HeapAlloc + m.StackInuse) }
	each := (inUse(&after) - inUse(&before)) / n
	t.Logf("%d bytes each", each)
	if each > 512 {
		t.Errorf("a waiting READ takes %d bytes, want at most 512", each)
	}
	k.hangUp()
}

// collectGarbage empties pools too, which give up what they hold in two steps.
func collectGarbage() {
	for range 3 {
		runtime.GC()
	}
}

// heldFS holds a write until it is released, and tells then what the write has brought.
type heldFS struct {
	nullFS
	brought chan string
}

func (h *heldFS) ServeWrite(
	ctx context.Context, in *fuse.WriteIn, data []byte,
) (uint32, syscall.Errno) {
	if in.NodeId == nodeStuck {
		h.stuck <- struct{}{}
		select {
		case <-ctx.Done():
		case <-h.release:
		}
		h.brought <- string(data)
	}
	return uint32(len(data)), 0
}

// What a write has brought stays what it is until it is answered, whatever comes meanwhile.
func TestBufferIsKeptUntilTheAnswer(t *testing.T) {
	fsys := &heldFS{*newNullFS(), make(chan string, 1)}
	k := newFakeKernel(t, fsys)
	for _, size := range []int{100, 8 << 10} { // copied, and served where it was read
		fsys.release = make(chan struct{})
		want := strings.Repeat("a", size)
		in := &fuse.WriteIn{Size: uint32(size)}
		in.NodeId = nodeStuck
		send(k, opWrite, 2, in, want)
		<-fsys.stuck
		for unique := range uint64(200) {
			other := &fuse.WriteIn{Size: uint32(size)}
			other.NodeId = nodeNull
			send(k, opWrite, 4+unique*2, other, strings.Repeat("b", size))
			if got, errno := k.receive(); got != 4+unique*2 || errno != 0 {
				t.Fatalf("got an answer to %d, %v; want %d", got, errno, 4+unique*2)
			}
		}
		close(fsys.release)
		if got := <-fsys.brought; got != want {
			t.Errorf("a write of %d bytes is now that of another one", size)
		}
		if got, errno := k.receive(); got != 2 || errno != 0 {
			t.Fatalf("got an answer to %d, %v; want 2", got, errno)
		}
	}
}
