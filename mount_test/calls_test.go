package mount_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The files that have a size, those that never wait for more, and topic t's two plain texts.
var (
	sizedFiles = []string{"t/log", "t/log.jsonl", "t/log.tsv", "t/records/0", "t/keys/k"}
	endedFiles = append([]string{
		"t/info", ".puro/status.json", ".puro/metrics", ".puro/errors",
	}, sizedFiles...)
	plainTexts = []string{"t/log", "t/stream"}
)

// logBytes is the size of the log of topic t: two lines.
const logBytes = int64(len("one\n" + "of a key\n"))

// ways returns a call on a file that is open, to write if it can be. Streams do not wait: they tell
// when they would.
func ways(do func(fd int) error) func(path string) error {
	return func(path string) error {
		flags := syscall.O_RDONLY
		if strings.Contains(path, "/append") {
			flags = syscall.O_WRONLY
		}
		return withFile(path, flags|syscall.O_NONBLOCK, do)
	}
}

// opening returns a call that opens a file and closes it.
func opening(flags int) func(path string) error {
	return func(path string) error { return tried(path, flags) }
}

// wantIs is an error unless both are the same.
func wantIs[T comparable](got, want T, err error) error {
	if err == nil && got != want {
		err = fmt.Errorf("got %v, want %v", got, want)
	}
	return err
}

// openCalls are the flags of open(2), beside those of treeErrors.
var openCalls = []callRow{
	{"O_DIRECT to read", readFiles, opening(unix.O_DIRECT), 0},
	{"O_DIRECT to write", appendFiles, opening(unix.O_WRONLY | unix.O_DIRECT), 0},
	{"O_NOFOLLOW", allFiles, opening(unix.O_NOFOLLOW), 0},
	{"O_NOATIME", allFiles, opening(unix.O_NOATIME), 0},
	{"O_EXCL without O_CREAT", allFiles, opening(unix.O_EXCL), 0},
	{"O_CREAT of what is there, to read", allFiles, opening(unix.O_CREAT), 0},
	{"O_TRUNC to write", appendFiles, opening(unix.O_WRONLY | unix.O_TRUNC), 0},
	{"O_TRUNC to read and write", appendFiles, opening(unix.O_RDWR | unix.O_TRUNC), 0},
	{"O_TRUNC to read", readFiles, opening(unix.O_TRUNC), syscall.EACCES},
	{"O_DIRECTORY of a file", allFiles, opening(unix.O_DIRECTORY), syscall.ENOTDIR},
	{"O_DIRECTORY of a directory", directories, opening(unix.O_DIRECTORY), 0},
	{"a file with a slash behind it", allFiles, func(p string) error {
		return tried(p+"/", syscall.O_RDONLY)
	}, syscall.ENOTDIR},
	{"a name below a file", allFiles, func(p string) error {
		return tried(p+"/name", syscall.O_RDONLY)
	}, syscall.ENOTDIR},
	{"a name of 2000 bytes in", directories, func(p string) error {
		return tried(p+"/"+strings.Repeat("n", 2000), syscall.O_RDONLY)
	}, syscall.ENAMETOOLONG},
	{"O_PATH, then fstat", everything, func(p string) error {
		return withFile(p, unix.O_PATH, func(fd int) error {
			var there, st unix.Stat_t
			err := errors.Join(unix.Lstat(p, &there), unix.Fstat(fd, &st))
			return wantIs(st.Ino, there.Ino, err)
		})
	}, 0},
	{"O_PATH, then read", everything, func(p string) error {
		return withFile(p, unix.O_PATH, func(fd int) error {
			_, err := syscall.Read(fd, make([]byte, 10))
			return err
		})
	}, syscall.EBADF},
	{"O_DIRECT, read of any length anywhere", []string{"t/log"}, func(p string) error {
		return withFile(p, unix.O_DIRECT, func(fd int) error {
			b := make([]byte, 7)
			n, err := syscall.Pread(fd, b[1:6], 3)
			return wantIs(string(b[1:1+max(n, 0)]), "\nof a", err)
		})
	}, 0},
}

// fileCalls are the calls on open files that change nothing.
var fileCalls = []callRow{
	{"read of nothing", readFiles, ways(func(fd int) error {
		n, err := syscall.Read(fd, nil)
		return wantIs(n, 0, err)
	}), 0},
	{"write of nothing", appendFiles, ways(func(fd int) error {
		n, err := syscall.Write(fd, nil)
		return wantIs(n, 0, err)
	}), 0},
	{"pread at the end", sizedFiles, ways(func(fd int) error {
		end, err := syscall.Seek(fd, 0, io.SeekEnd)
		if err != nil {
			return err
		}
		n, err := syscall.Pread(fd, make([]byte, 10), end)
		return wantIs(n, 0, err)
	}), 0},
	{"pread behind the end", endedFiles, ways(func(fd int) error {
		n, err := syscall.Pread(fd, make([]byte, 10), 1<<40)
		return wantIs(n, 0, err)
	}), 0},
	{"pread at the end of a stream", []string{"t/stream", "t/from/start"}, ways(func(fd int) error {
		_, err := syscall.Pread(fd, make([]byte, 10), logBytes)
		return err
	}), syscall.EAGAIN},
	{"pread at a negative place", allFiles, ways(func(fd int) error {
		_, err := syscall.Pread(fd, make([]byte, 10), -1)
		return err
	}), syscall.EINVAL},
	{"seek to a negative place", allFiles, ways(func(fd int) error {
		_, err := syscall.Seek(fd, -1, io.SeekStart)
		return err
	}), syscall.EINVAL},
	{"seek behind the end", allFiles, ways(func(fd int) error {
		at, err := syscall.Seek(fd, 1<<40, io.SeekEnd)
		return errors.Join(err, wantIs(at >= 1<<40, true, nil))
	}), 0},
	{"SEEK_END", plainTexts, ways(func(fd int) error {
		at, err := syscall.Seek(fd, 0, io.SeekEnd)
		return wantIs(at, logBytes, err)
	}), 0},
	{"SEEK_DATA finds no holes", sizedFiles, ways(func(fd int) error {
		at, err := syscall.Seek(fd, 2, unix.SEEK_DATA)
		return wantIs(at, 2, err)
	}), 0},
	{"SEEK_HOLE finds the end", sizedFiles, ways(func(fd int) error {
		end, _ := syscall.Seek(fd, 0, io.SeekEnd)
		at, err := syscall.Seek(fd, 2, unix.SEEK_HOLE)
		return wantIs(at, end, err)
	}), 0},
	{"SEEK_DATA behind the end", allFiles, ways(func(fd int) error {
		_, err := syscall.Seek(fd, 1<<40, unix.SEEK_DATA)
		return err
	}), syscall.ENXIO},
	{"ftruncate of a file to read", readFiles, ways(func(fd int) error {
		return syscall.Ftruncate(fd, 0)
	}), syscall.EINVAL},
	{"ftruncate to nothing", appendFiles, ways(func(fd int) error {
		return syscall.Ftruncate(fd, 0)
	}), 0},
	{"ftruncate", appendFiles, ways(func(fd int) error {
		return syscall.Ftruncate(fd, 5)
	}), syscall.EPERM},
	{"fallocate of a file to read", readFiles, ways(func(fd int) error {
		return unix.Fallocate(fd, 0, 0, 100)
	}), syscall.EBADF},
	{"a hole of", appendFiles, ways(func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 100)
	}), syscall.EPERM},
	{"posix_fadvise", allFiles, ways(func(fd int) error {
		return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED)
	}), 0},
	{"fsync", everything, ways(syscall.Fsync), 0},
	{"fdatasync", everything, ways(syscall.Fdatasync), 0},
	{"syncfs", everything, ways(unix.Syncfs), 0},
	{"utimensat that omits both", everything, func(p string) error {
		omit := unix.Timespec{Nsec: unix.UTIME_OMIT}
		return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{omit, omit}, 0)
	}, 0},
	{"utimensat to now", readFiles, func(p string) error {
		now := unix.Timespec{Nsec: unix.UTIME_NOW}
		return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{now, now}, 0)
	}, syscall.EPERM},
	{"flock", everything, ways(func(fd int) error {
		return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	}), 0},
	{"flock of what another has", everything, func(p string) error {
		return ways(func(holder int) error {
			if err := unix.Flock(holder, unix.LOCK_EX); err != nil {
				return err
			}
			return ways(func(fd int) error { return unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB) })(p)
		})(p)
	}, syscall.EWOULDBLOCK},
	{"fcntl lock to read", readFiles, ways(func(fd int) error {
		return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_RDLCK})
	}), 0},
	{"fcntl lock to write", appendFiles, ways(func(fd int) error {
		return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	}), 0},
	{"fcntl lock to write of a file to read", readFiles, ways(func(fd int) error {
		return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	}), syscall.EBADF},
	{"fcntl lock of what another has", appendFiles, func(p string) error {
		return ways(func(holder int) error {
			lock := unix.Flock_t{Type: unix.F_WRLCK}
			if err := unix.FcntlFlock(uintptr(holder), unix.F_OFD_SETLK, &lock); err != nil {
				return err
			}
			return ways(func(fd int) error {
				return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock)
			})(p)
		})(p)
	}, syscall.EAGAIN},
	{"FIONREAD", plainTexts, ways(func(fd int) error {
		if _, err := syscall.Seek(fd, 4, io.SeekStart); err != nil {
			return err
		}
		n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
		return wantIs(int64(n), logBytes-4, err)
	}), 0},
	{"an ioctl of terminals", allFiles, ways(func(fd int) error {
		_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		return err
	}), syscall.ENOTTY},
	{"FICLONE", appendFiles, ways(func(fd int) error {
		return unix.IoctlFileClone(fd, fd)
	}), syscall.EBADF},
	{"listxattr of what is no record", append(append([]string{
		"t/log", "t/stream", "t/info"}, appendFiles...), directories...), func(p string) error {
		n, err := unix.Listxattr(p, nil)
		return wantIs(n, 0, err)
	}, 0},
	{"listxattr of a record", []string{"t/records/1", "t/keys/k"}, func(p string) error {
		names := make([]byte, 100)
		n, err := unix.Listxattr(p, names)
		return wantIs(string(names[:max(n, 0)]),
			"user.puro.key\x00user.puro.offset\x00user.puro.time\x00", err)
	}, 0},
	{"listxattr without room", []string{"t/records/1"}, func(p string) error {
		_, err := unix.Listxattr(p, make([]byte, 3))
		return err
	}, syscall.ERANGE},
	{"getxattr of a name that is not there", everything, func(p string) error {
		_, err := unix.Getxattr(p, "user.none", nil)
		return err
	}, syscall.ENODATA},
	{"an access control list", everything, func(p string) error {
		_, err := unix.Getxattr(p, "system.posix_acl_access", nil)
		return err
	}, syscall.ENODATA},
	{"readlink", everything, func(p string) error {
		_, err := os.Readlink(p)
		return err
	}, syscall.EINVAL},
	{"rename without replacing onto what is there", appendFiles, func(p string) error {
		log := p[:strings.LastIndex(p, "/")] + "/log"
		return unix.Renameat2(unix.AT_FDCWD, p, unix.AT_FDCWD, log, unix.RENAME_NOREPLACE)
	}, syscall.EEXIST},
	{"preadv2 that must not wait", plainTexts, ways(func(fd int) error {
		_, err := unix.Preadv2(fd, [][]byte{make([]byte, 4)}, 0, unix.RWF_NOWAIT)
		return err
	}), syscall.EOPNOTSUPP},
	{"mmap to read", []string{"t/log", "t/stream", "t/keys/k"}, ways(func(fd int) error {
		return errors.Join(mapped(fd, unix.PROT_READ, unix.MAP_SHARED),
			mapped(fd, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE))
	}), 0},
	{"mmap to write", readFiles, ways(func(fd int) error {
		return mapped(fd, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}), syscall.EACCES},
	{"mmap", appendFiles, ways(func(fd int) error {
		return mapped(fd, unix.PROT_READ, unix.MAP_SHARED)
	}), syscall.EACCES},
	{"mmap of a directory", directories, ways(func(fd int) error {
		return mapped(fd, unix.PROT_READ, unix.MAP_SHARED)
	}), syscall.ENODEV},
}

// mapped maps the first bytes of a file into memory, and checks that they are what a read gets.
func mapped(fd, prot, flags int) error {
	const n = 4
	memory, err := unix.Mmap(fd, 0, n, prot, flags)
	if err != nil {
		return err
	}
	want := make([]byte, n)
	_, err = syscall.Pread(fd, want, 0)
	return errors.Join(wantIs(string(memory), string(want), err), unix.Munmap(memory))
}

// The free space is that of the file system that the store is on, and the longest name is that of a
// key.
func TestStatfs(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	var under, st unix.Statfs_t
	until(t, "nobody else uses the disk for a moment", func() bool {
		var again unix.Statfs_t
		err := errors.Join(unix.Statfs(m.store, &under), unix.Statfs(m.path("t/log"), &st),
			unix.Statfs(m.store, &again))
		if err != nil {
			t.Fatal(err)
		}
		return under == again
	})
	want := unix.Statfs_t{
		Type: unix.FUSE_SUPER_MAGIC, Bsize: under.Bsize, Frsize: under.Frsize,
		Blocks: under.Blocks, Bfree: under.Bfree, Bavail: under.Bavail,
		Files: under.Files, Ffree: under.Ffree, Namelen: 1024, Flags: st.Flags,
	}
	if st.Fsid, want.Fsid = under.Fsid, under.Fsid; st != want {
		t.Errorf("statfs: %+v, want %+v", st, want)
	}
}

// A listing in many small requests shows each topic that is there all the time once, whatever comes
// and goes meanwhile.
func TestListingWhileTopicsChange(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "allow_delete")
	const topics, listings = 200, 30
	for i := range topics {
		m.mkdir(fmt.Sprint("stays", i))
	}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i = (i + 1) % 50 {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			name := m.path(fmt.Sprint("comes-and-goes", i))
			err := syscall.Mkdir(name, 0o755)
			if errors.Is(err, syscall.EEXIST) {
				err = syscall.Rmdir(name)
			}
			if err != nil {
				stopped <- err
				return
			}
		}
	}()
	for range listings {
		listed := list(t, m.dir)
		for i := range topics {
			if n := listed[fmt.Sprint("stays", i)]; n != 1 {
				t.Fatalf("topic %d is listed %d times", i, n)
			}
		}
		for name, n := range listed {
			if n != 1 {
				t.Errorf("%s is listed %d times", name, n)
			}
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// list returns how often a directory has each name, read with a small buffer.
func list(t *testing.T, dir string) map[string]int {
	t.Helper()
	listed := make(map[string]int)
	err := withFile(dir, syscall.O_RDONLY, func(fd int) error {
		for buf := make([]byte, 512); ; {
			n, err := syscall.ReadDirent(fd, buf)
			if n <= 0 || err != nil {
				return err
			}
			_, _, names := syscall.ParseDirent(buf[:n], -1, nil)
			for _, name := range names {
				listed[name]++
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return listed
}
