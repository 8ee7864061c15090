package transport

import (
	"bytes"
	"context"
	"errors"
	"log"
	"runtime"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"purofs/nodes"
)

// MaxWrite is the most bytes that one READ or WRITE moves: what Linux allows. A write(2) of up to
// nearly that much arrives in one piece. Mount with max_read of the same size.
const MaxWrite = 1 << 20

// maxBackground bounds the requests that the kernel sends on nobody's behalf, such as read-ahead.
const maxBackground = 64

// A FileSystem answers the requests of a connection. Its methods are called concurrently.
type FileSystem interface {
	// RawFileSystem answers everything but READ, WRITE and POLL. Init is not called: there is no
	// fuse.Server. OnUnmount is, when the connection has ended and no other method runs.
	fuse.RawFileSystem

	// ServeRead answers a READ, at once or later; in is valid only during the call.
	ServeRead(in *fuse.ReadIn, req nodes.ReadRequest)
	// ServeWrite answers a WRITE with the number of bytes taken. in, data and ctx are valid only
	// during the call. ctx ends when the writer is interrupted; then, and only if nothing was
	// stored, EINTR is the answer.
	ServeWrite(ctx context.Context, in *fuse.WriteIn, data []byte) (uint32, syscall.Errno)
	// ServePoll answers a POLL with the events of poll(2) that hold now; in is valid only during
	// the call. If in.Flags asks for it, nodes.Kernel.NotifyPoll has to be called with in.Kh when
	// others do.
	ServePoll(in *nodes.PollIn) (revents uint32, errno syscall.Errno)
	// Panicked takes note of a panic of another method, in the goroutine that panicked; call names
	// the request, which gets EIO. It must not panic itself.
	Panicked(call string, reason any)
}

// A Conn is one connection to the kernel, that is, one mount. It implements nodes.Kernel. All its
// methods are safe for concurrent use.
type Conn struct {
	fsys   FileSystem
	device device
	log    zerolog.Logger

	inputs  *sync.Pool  // of *buffer, each for one request
	replies *replyPools // of *buffer, each for one answer
	reads   sync.Pool   // of *readRequest
	writes  sync.Pool   // of *writeRequest
	flights flights     // READ and WRITE under way
	others  others      // all other requests under way
	workers sync.WaitGroup
	crew    *crew // how many of them wait for a request

	ready     chan struct{} // closed when INIT was answered
	readyOnce sync.Once
	over      chan struct{} // closed by end: workers end after their request
	endOnce   sync.Once
	err       error // why the connection ended, if not by an unmount; set before over is closed
}

// New makes a connection of an open /dev/fuse that has been mounted. Serve, which must be called,
// closes the descriptor.
func New(fd int, fsys FileSystem, logger zerolog.Logger) *Conn {
	c := &Conn{
		fsys:    fsys,
		device:  device{fd: fd},
		log:     logger,
		inputs:  newInputPool(MaxWrite),
		replies: newReplyPools(),
		crew:    newCrew(max(2, runtime.GOMAXPROCS(0))),
		ready:   make(chan struct{}),
		over:    make(chan struct{}),
	}
	c.reads.New = func() any { return new(readRequest) }
	c.writes.New = c.newWriteRequest
	c.others.underway = make(map[uint64]bool)
	c.others.protocol = fuse.NewProtocolServer(fsys, c.protocolOptions())
	return c
}

// protocolOptions is what the kernel is told at the start.
func (c *Conn) protocolOptions() *fuse.MountOptions {
	return &fuse.MountOptions{
		MaxWrite:      MaxWrite,
		MaxBackground: maxBackground,
		Logger:        log.New(debugLog{c.log}, "", 0),
		PanicHandler: func(reason any) fuse.Status {
			c.fsys.Panicked("request", reason)
			return fuse.EIO
		},
		// ATOMIC_O_TRUNC: `echo > file` opens with O_TRUNC instead of sending a SETATTR of its own.
		// HANDLE_KILLPRIV_V2: nothing here is setuid, so the kernel need not ask for
		// security.capability before each write.
		ExtraCapabilities: fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_HANDLE_KILLPRIV_V2 |
			fuse.CAP_READDIRPLUS_AUTO | fuse.CAP_DIRECT_IO_ALLOW_MMAP,
		DisabledCapabilities: fuse.CAP_PASSTHROUGH,
		IgnoreSecurityLabels: true,
	}
}

// Serve answers requests until the kernel ends the connection: when the file system is unmounted
// and nobody uses it any more, or when it is made to (umount2(2) with MNT_FORCE, or fusectl). That
// is no error. It returns when all who waited have been interrupted and no handler runs any more.
func (c *Conn) Serve() error {
	c.workers.Go(c.work)
	c.workers.Go(func() { c.crew.watch(c.over, c.help) })
	c.workers.Wait()
	if err := c.device.close(); err != nil {
		c.log.Warn().Err(err).Msg("close of /dev/fuse")
	}
	c.fsys.OnUnmount()
	return c.err
}

// Ready is closed when the kernel's first request has been answered: from then on the mount works.
func (c *Conn) Ready() <-chan struct{} { return c.ready }

// end lets no worker begin another request and interrupts those under way.
func (c *Conn) end(err error) {
	c.endOnce.Do(func() {
		c.err = err
		close(c.over)
		c.guard("interrupt", c.flights.end)
		c.others.end()
	})
}

// send writes an answer. The kernel refuses it with ENOENT if nobody waits for it any more.
func (c *Conn) send(message []byte) {
	err := c.device.write(message)
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV) {
		header := overlay[fuse.OutHeader](message)
		c.log.Error().Err(err).Uint64("request", header.Unique).Uint32("bytes", header.Length).
			Int32("status", header.Status).Msg("the kernel refused an answer")
	}
}

// guard calls fn and tells whether it returned; a panic is told to the file system.
func (c *Conn) guard(what string, fn func()) (ok bool) {
	defer func() {
		if reason := recover(); reason != nil {
			c.fsys.Panicked(what, reason)
		}
	}()
	fn()
	return true
}

// debugLog passes go-fuse's own messages on.
type debugLog struct{ log zerolog.Logger }

func (d debugLog) Write(line []byte) (int, error) {
	d.log.Debug().Bytes("text", bytes.TrimSpace(line)).Msg("go-fuse")
	return len(line), nil
}
