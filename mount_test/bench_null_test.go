package mount_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// childBenchNull mounts the file system that does nothing, which shows what the kernel and go-fuse
// cost: DIR. It says so, and unmounts at the end of its input.
func childBenchNull(args []string) error {
	forever := 24 * time.Hour
	server, err := gofs.Mount(args[0], &nullRoot{}, &gofs.Options{
		EntryTimeout: &forever, AttrTimeout: &forever,
		MountOptions: fuse.MountOptions{
			Name: "null", FsName: "null", DirectMountStrict: true,
			DirectMountFlags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC,
			MaxWrite:         1 << 20, MaxBackground: 64, IgnoreSecurityLabels: true,
			ExtraCapabilities: fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_HANDLE_KILLPRIV_V2,
			DisableSplice:     true, // it would complain of each answer of 1 MiB, and splice none
		},
	})
	if err != nil {
		return err
	}
	fmt.Println("mounted")
	_, err = io.Copy(io.Discard, os.Stdin)
	if err != nil {
		return err
	}
	return server.Unmount()
}

// A nullRoot is the directory with the files of the file system that does nothing.
type nullRoot struct{ gofs.Inode }

var _ gofs.NodeOnAdder = (*nullRoot)(nil)

func (r *nullRoot) OnAdd(ctx context.Context) {
	stream := newNullStream()
	for name, file := range map[string]gofs.InodeEmbedder{
		"append": &nullAppend{stream: stream}, "log": &nullLog{}, "stream": stream,
	} {
		inode := r.NewPersistentInode(ctx, file, gofs.StableAttr{Mode: syscall.S_IFREG})
		r.AddChild(name, inode, false)
	}
}

// A nullAppend takes what is written, and a stream that somebody waits at gets it.
type nullAppend struct {
	gofs.Inode
	stream *nullStream
}

var (
	_ gofs.NodeOpener    = (*nullAppend)(nil)
	_ gofs.NodeSetattrer = (*nullAppend)(nil)
	_ gofs.NodeWriter    = (*nullAppend)(nil)
	_ gofs.NodeFlusher   = (*nullAppend)(nil)
)

func (*nullAppend) Open(context.Context, uint32) (gofs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO | fuse.FOPEN_PARALLEL_DIRECT_WRITES, 0
}

func (*nullAppend) Setattr(
	context.Context, gofs.FileHandle, *fuse.SetAttrIn, *fuse.AttrOut,
) syscall.Errno {
	return 0
}

func (n *nullAppend) Write(
	_ context.Context, _ gofs.FileHandle, data []byte, _ int64,
) (uint32, syscall.Errno) {
	n.stream.wake(data)
	return uint32(len(data)), 0
}

func (*nullAppend) Flush(context.Context, gofs.FileHandle) syscall.Errno { return 0 }

// A nullLog is benchMiB again and again, benchLogBytes in all.
type nullLog struct{ gofs.Inode }

var (
	_ gofs.NodeOpener    = (*nullLog)(nil)
	_ gofs.NodeGetattrer = (*nullLog)(nil)
	_ gofs.NodeReader    = (*nullLog)(nil)
)

func (*nullLog) Open(context.Context, uint32) (gofs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NOFLUSH, 0
}

func (*nullLog) Getattr(_ context.Context, _ gofs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Size = benchLogBytes
	return 0
}

func (*nullLog) Read(
	_ context.Context, _ gofs.FileHandle, dest []byte, off int64,
) (fuse.ReadResult, syscall.Errno) {
	if off >= benchLogBytes {
		return fuse.ReadResultData(nil), 0
	}
	text := benchMiB[off%int64(len(benchMiB)):]
	return fuse.ReadResultData(text[:min(len(dest), len(text))]), 0
}

// A nullStream is a file whose every read waits for the next write.
type nullStream struct {
	gofs.Inode
	mu      sync.Mutex // guards what follows
	written *sync.Cond // a write came, or a read was interrupted
	writes  int
	last    []byte
}

var (
	_ gofs.NodeOpener = (*nullStream)(nil)
	_ gofs.NodeReader = (*nullStream)(nil)
)

func newNullStream() *nullStream {
	s := new(nullStream)
	s.written = sync.NewCond(&s.mu)
	return s
}

func (s *nullStream) Open(context.Context, uint32) (gofs.FileHandle, uint32, syscall.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &nullReader{s.writes}, fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NOFLUSH, 0
}

// A nullReader is an open nullStream, at its end.
type nullReader struct{ read int } // writes that it has seen

// wake gives what was written to all who wait.
func (s *nullStream) wake(data []byte) {
	s.mu.Lock()
	s.writes++
	s.last = append(s.last[:0], data...)
	s.mu.Unlock()
	s.written.Broadcast()
}

func (s *nullStream) Read(
	ctx context.Context, file gofs.FileHandle, dest []byte, _ int64,
) (fuse.ReadResult, syscall.Errno) {
	stop := context.AfterFunc(ctx, s.written.Broadcast)
	defer stop()
	reader := file.(*nullReader)
	s.mu.Lock()
	defer s.mu.Unlock()
	for reader.read == s.writes {
		if ctx.Err() != nil {
			return nil, syscall.EINTR
		}
		s.written.Wait()
	}
	reader.read = s.writes
	return fuse.ReadResultData(dest[:copy(dest, s.last)]), 0
}
