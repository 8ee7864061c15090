package mount_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// A testDisk is an image file that another process serves by FUSE, so that everything that the
// kernel does to the block device on it is seen: each write and each flush is noted in a trace, in
// order, and writes can be made to fail. Between the file system and the trace stand only the loop
// device and the FUSE connection, neither of which keeps or reorders anything.
type testDisk struct {
	*testing.T
	image  string // path of the file to attach
	trace  string // path of the trace
	server *process
}

// diskImage is the one file of a disk's FUSE mount.
const diskImage = "disk.img"

// newDisk serves the image that stands in the file backing, which changes with every write.
func newDisk(t *testing.T, backing string) *testDisk {
	t.Helper()
	dir := newDir(t, "disk")
	d := &testDisk{T: t, image: filepath.Join(dir, diskImage), trace: backing + ".trace"}
	d.server = start(t, child("disk", backing, d.trace, dir))
	d.server.wantLines("ready")
	t.Cleanup(func() {
		until(t, "the disk is not in use any more", func() bool {
			return unix.Unmount(dir, 0) != unix.EBUSY
		})
		d.server.succeed()
	})
	return d
}

// fail makes the next writes fail that contain the text; times is how many.
func (d *testDisk) fail(errno syscall.Errno, times int, text string) {
	d.Helper()
	d.server.say(fmt.Sprintf("%d %d %s", errno, times, text))
	d.server.wantLines("ok")
}

// A traceEntry is what happened to a disk: a write, or, without data, a flush. A flush covers the
// writes before it.
type traceEntry struct {
	at   int64 // place on the disk
	data []byte
}

func (e traceEntry) flush() bool { return len(e.data) == 0 }

// traceHead is how many bytes of a trace stand before an entry's data: its place and length.
const traceHead = 8 + 4

func (e traceEntry) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.at))
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.data)))
	return append(b, e.data...)
}

// parseTrace returns the entries of a trace.
func parseTrace(b []byte) (entries []traceEntry) {
	for len(b) > 0 {
		length := traceHead + int(binary.BigEndian.Uint32(b[8:]))
		at := int64(binary.BigEndian.Uint64(b))
		entries = append(entries, traceEntry{at, b[traceHead:length:length]})
		b = b[length:]
	}
	return entries
}

// A diskRoot is the directory that the child serves, a diskFile the file in it.
type diskRoot struct {
	gofs.Inode
	file *diskFile
}

type diskFile struct {
	gofs.Inode
	backing *os.File
	size    uint64

	mu    sync.Mutex // what is in the trace before a flush was there when the flush came
	trace *os.File
	fault diskFault
}

// A diskFault makes writes fail.
type diskFault struct {
	errno syscall.Errno
	times int
	text  string
}

var (
	_ = (gofs.NodeOnAdder)((*diskRoot)(nil))
	_ = (gofs.NodeGetattrer)((*diskFile)(nil))
	_ = (gofs.NodeOpener)((*diskFile)(nil))
	_ = (gofs.NodeReader)((*diskFile)(nil))
	_ = (gofs.NodeWriter)((*diskFile)(nil))
	_ = (gofs.NodeFsyncer)((*diskFile)(nil))
)

func (r *diskRoot) OnAdd(ctx context.Context) {
	r.AddChild(diskImage, r.NewPersistentInode(ctx, r.file, gofs.StableAttr{}), false)
}

func (f *diskFile) Getattr(_ context.Context, _ gofs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = syscall.S_IFREG|0o600, f.size
	return 0
}

// Open has the loop device pass by the page cache, where its writes would be kept a second time.
func (f *diskFile) Open(context.Context, uint32) (gofs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

func (f *diskFile) Read(
	_ context.Context, _ gofs.FileHandle, dest []byte, at int64,
) (fuse.ReadResult, syscall.Errno) {
	n, _ := f.backing.ReadAt(dest, at) // less only at the end of the disk
	return fuse.ReadResultData(dest[:n]), 0
}

func (f *diskFile) Write(
	_ context.Context, _ gofs.FileHandle, data []byte, at int64,
) (uint32, syscall.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault.times > 0 && bytes.Contains(data, []byte(f.fault.text)) {
		f.fault.times--
		return 0, f.fault.errno
	}
	if _, err := f.backing.WriteAt(data, at); err != nil {
		return 0, gofs.ToErrno(err)
	}
	return uint32(len(data)), f.note(traceEntry{at, data})
}

func (f *diskFile) Fsync(context.Context, gofs.FileHandle, uint32) syscall.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.note(traceEntry{})
}

// note adds to the trace, in one write, so that the trace's size is always that of whole entries.
func (f *diskFile) note(e traceEntry) syscall.Errno {
	_, err := f.trace.Write(e.append(nil))
	return gofs.ToErrno(err)
}

// childDisk serves a disk until it is unmounted: BACKING TRACE DIRECTORY. Lines of its input are
// what testDisk.fail asks for.
func childDisk(args []string) error {
	backing, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := backing.Stat()
	if err != nil {
		return err
	}
	trace, err := os.Create(args[1])
	if err != nil {
		return err
	}
	file := &diskFile{backing: backing, size: uint64(info.Size()), trace: trace}
	server, err := gofs.Mount(args[2], &diskRoot{file: file}, &gofs.Options{
		MountOptions: fuse.MountOptions{
			DirectMountStrict: true, FsName: "disk", Name: "purofs-test", DisableXAttrs: true,
		},
	})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println("ok") {
			words := strings.SplitN(lines.Text(), " ", 3)
			var fault diskFault
			if _, err := fmt.Sscan(words[0]+" "+words[1], &fault.errno, &fault.times); err != nil {
				panic(err)
			}
			fault.text = words[2]
			file.mu.Lock()
			file.fault = fault
			file.mu.Unlock()
		}
	}()
	server.Wait()
	return nil
}

// mountImage mounts the file system in an image file on a directory, through a loop device that
// goes with the mount.
func mountImage(t *testing.T, image string, kind *fileSystem, dir string) {
	t.Helper()
	if err := tryMountImage(t, image, kind, dir); err != nil {
		t.Fatalf("mount the %s image: %v", kind.name, err)
	}
}

func tryMountImage(t *testing.T, image string, kind *fileSystem, dir string) error {
	t.Helper()
	file, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	loop := attachLoop(t, file)
	defer loop.Close()
	if err := unix.Mount(loop.Name(), dir, kind.kind, unix.MS_NOATIME, kind.options); err != nil {
		return err
	}
	t.Cleanup(func() { unmountImage(t, dir) })
	return nil
}

// unmountImage ends what mountImage began, if that has not been done yet.
func unmountImage(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Unmount(dir, 0); err != nil && err != unix.EINVAL {
		t.Fatalf("unmount %s: %v", dir, err)
	}
}

// attachLoop makes a block device of a file, for as long as it is open or mounted.
func attachLoop(t *testing.T, file *os.File) *os.File {
	t.Helper()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no loop devices here: ", err)
	}
	defer control.Close()
	config := unix.LoopConfig{Fd: uint32(file.Fd())}
	config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
	for {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			t.Fatalf("ask for a free loop device: %v", err)
		}
		loop, err := os.OpenFile(fmt.Sprint("/dev/loop", number), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &config)
		if err == nil {
			return loop
		}
		loop.Close()
		if err != unix.EBUSY { // another process was faster
			t.Fatalf("attach a loop device: %v", err)
		}
	}
}

// A fileSystem is one that a store can be on.
type fileSystem struct {
	name, kind, options string
	bytes               int64
	mkfs                []string // command that is given the image file
}

var fileSystems = []*fileSystem{
	{"ext4 ordered", "ext4", "data=ordered,nodiscard", 48 << 20, mkfsExt4},
	{"ext4 writeback", "ext4", "data=writeback,nodiscard", 48 << 20, mkfsExt4},
	{"XFS", "xfs", "nodiscard", 300 << 20, []string{"mkfs.xfs", "-q", "-f", "-K"}},
	{"btrfs", "btrfs", "nodiscard,max_inline=0", 128 << 20,
		[]string{"mkfs.btrfs", "-q", "-f", "-K", "-m", "single", "-d", "single"}},
}

var mkfsExt4 = []string{"mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "size=4",
	"-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"}

// format makes an image file of an empty file system.
func (s *fileSystem) format(t *testing.T, image string) {
	t.Helper()
	needTool(t, s.mkfs[0])
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, s.bytes); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(s.mkfs[0], append(s.mkfs[1:], image)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", s.mkfs, err, out)
	}
}
