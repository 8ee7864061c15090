package mount_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"
	"golang.org/x/sys/unix"
)

// What moves data between two files without a buffer of the program's, and what it answers. Each
// row has a topic of its own, whose log is "one\ntwo\n" and then has what the row says. The other
// file, or pipe, has "moved\n", and room for more.
var movingCalls = []struct {
	call  string
	do    func(topic string, file, pipe [2]int) (int, error)
	moved int
	errno syscall.Errno
	log   string
}{
	{"sendfile to append", func(topic string, file, _ [2]int) (int, error) {
		return into(topic, 0, func(fd int) (int, error) { return unix.Sendfile(fd, file[0], nil, 100) })
	}, 6, 0, "one\ntwo\nmoved\n"},
	// O_APPEND refuses this and splice(2) on every file system.
	{"sendfile to append with O_APPEND", func(topic string, file, _ [2]int) (int, error) {
		return into(topic, unix.O_APPEND, func(fd int) (int, error) {
			return unix.Sendfile(fd, file[0], nil, 100)
		})
	}, 0, syscall.EINVAL, "one\ntwo\n"},
	{"sendfile of log", func(topic string, file, _ [2]int) (int, error) {
		return outOf(topic+"/log", func(fd int) (int, error) {
			return unix.Sendfile(file[1], fd, nil, 100)
		})
	}, 8, 0, "one\ntwo\n"},
	{"sendfile of stream", func(topic string, file, _ [2]int) (int, error) {
		return outOf(topic+"/stream", func(fd int) (int, error) {
			return unix.Sendfile(file[1], fd, nil, 8)
		})
	}, 8, 0, "one\ntwo\n"},
	{"splice to append", func(topic string, _, pipe [2]int) (int, error) {
		return into(topic, 0, func(fd int) (int, error) {
			n, err := unix.Splice(pipe[0], nil, fd, nil, 100, 0)
			return int(n), err
		})
	}, 6, 0, "one\ntwo\nmoved\n"},
	{"splice of log", func(topic string, _, pipe [2]int) (int, error) {
		return outOf(topic+"/log", func(fd int) (int, error) {
			n, err := unix.Splice(fd, nil, pipe[1], nil, 100, 0)
			return int(n), err
		})
	}, 8, 0, "one\ntwo\n"},
	{"splice of stream", func(topic string, _, pipe [2]int) (int, error) {
		return outOf(topic+"/stream", func(fd int) (int, error) {
			n, err := unix.Splice(fd, nil, pipe[1], nil, 8, 0)
			return int(n), err
		})
	}, 8, 0, "one\ntwo\n"},
	{"copy_file_range of log to append", func(topic string, _, _ [2]int) (int, error) {
		return outOf(topic+"/log", func(log int) (int, error) {
			return into(topic, 0, func(fd int) (int, error) {
				return unix.CopyFileRange(log, nil, fd, nil, 4, 0)
			})
		})
	}, 4, 0, "one\ntwo\none\n"},
	{"copy_file_range to append with O_APPEND", func(topic string, _, _ [2]int) (int, error) {
		return outOf(topic+"/log", func(log int) (int, error) {
			return into(topic, unix.O_APPEND, func(fd int) (int, error) {
				return unix.CopyFileRange(log, nil, fd, nil, 4, 0)
			})
		})
	}, 0, syscall.EBADF, "one\ntwo\n"},
	// Between file systems it is for those who wrote the program to read and write.
	{"copy_file_range from elsewhere", func(topic string, file, _ [2]int) (int, error) {
		return into(topic, 0, func(fd int) (int, error) {
			return unix.CopyFileRange(file[0], nil, fd, nil, 6, 0)
		})
	}, 0, syscall.EXDEV, "one\ntwo\n"},
	{"copy_file_range to elsewhere", func(topic string, file, _ [2]int) (int, error) {
		return outOf(topic+"/log", func(fd int) (int, error) {
			return unix.CopyFileRange(fd, nil, file[1], nil, 6, 0)
		})
	}, 0, syscall.EXDEV, "one\ntwo\n"},
	{"pwritev2 with RWF_APPEND", func(topic string, _, _ [2]int) (int, error) {
		return into(topic, 0, func(fd int) (int, error) {
			return unix.Pwritev2(fd, [][]byte{[]byte("mov"), []byte("ed\n")}, 0, unix.RWF_APPEND)
		})
	}, 6, 0, "one\ntwo\nmoved\n"},
	{"write with O_DIRECT, of any length", func(topic string, _, _ [2]int) (int, error) {
		return into(topic, unix.O_DIRECT, func(fd int) (int, error) {
			return unix.Write(fd, []byte("moved\n"))
		})
	}, 6, 0, "one\ntwo\nmoved\n"},
	{"write after lseek with O_APPEND", func(topic string, _, _ [2]int) (int, error) {
		return into(topic, unix.O_APPEND, func(fd int) (int, error) {
			if _, err := unix.Seek(fd, 0, 0); err != nil {
				return 0, err
			}
			return unix.Write(fd, []byte("moved\n"))
		})
	}, 6, 0, "one\ntwo\nmoved\n"},
	{"ftruncate to what was written", func(topic string, _, _ [2]int) (int, error) {
		return into(topic, 0, func(fd int) (int, error) {
			n, err := unix.Write(fd, []byte("moved\n"))
			return n, errors.Join(err, unix.Ftruncate(fd, int64(n)))
		})
	}, 6, 0, "one\ntwo\nmoved\n"},
}

// into has a call write to the file append of a topic, and outOf has one read a file.
func into(topic string, flags int, do func(fd int) (int, error)) (n int, err error) {
	err = withFile(topic+"/append", unix.O_WRONLY|flags, func(fd int) (err error) {
		n, err = do(fd)
		return err
	})
	return n, err
}

func outOf(path string, do func(fd int) (int, error)) (n int, err error) {
	err = withFile(path, unix.O_RDONLY, func(fd int) (err error) {
		n, err = do(fd)
		return err
	})
	return n, err
}

func TestMovingData(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	for i, row := range movingCalls {
		t.Run(row.call, func(t *testing.T) {
			m := m.in(t)
			topic := fmt.Sprint("topic", i)
			m.sh(fmt.Sprintf(`mkdir %s; printf 'one\ntwo\n' >> %[1]s/append`, topic))
			from, err := os.Open(writeFile(t, "from", "moved\n"))
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			to, err := os.Create(filepath.Join(t.TempDir(), "to"))
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close()
			out, in, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			defer in.Close()
			mustWriteAll(t, in, []byte("moved\n"))
			n, err := row.do(m.path(topic), [2]int{int(from.Fd()), int(to.Fd())},
				[2]int{int(out.Fd()), int(in.Fd())})
			if max(n, 0) != row.moved || row.errno == 0 && err != nil ||
				row.errno != 0 && !errors.Is(err, row.errno) {
				t.Errorf("%d bytes, %v, want %d, %v", n, err, row.moved, row.errno)
			}
			m.want(topic+"/log", row.log)
		})
	}
	m.verify()
}

// inotify tells what is done through the kernel to the file that is watched: of append a write,
// and of log nothing, since nobody writes to that. Who waits for records polls stream.
func TestInotify(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "allow_delete")
	m.mkdir("t")
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	watched := make(map[int32]string)
	for name, mask := range map[string]uint32{
		"t/append": unix.IN_MODIFY, "t/log": unix.IN_ALL_EVENTS, ".": unix.IN_CREATE | unix.IN_DELETE,
	} {
		wd, err := unix.InotifyAddWatch(fd, m.path(name), mask)
		if err != nil {
			t.Fatal(err)
		}
		watched[int32(wd)] = name
	}
	appendLines(t, openLog(t, m.store), "t", "of another process")
	m.sh(`echo one >> t/append; mkdir u; rmdir u`)
	events := make([]byte, 4096)
	n, err := unix.Read(fd, events)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for events = events[:n]; len(events) > 0; {
		wd, mask := binary.NativeEndian.Uint32(events), binary.NativeEndian.Uint32(events[4:])
		got = append(got, fmt.Sprintf("%s %#x", watched[int32(wd)], mask))
		events = events[unix.SizeofInotifyEvent+binary.NativeEndian.Uint32(events[12:]):]
	}
	want := fmt.Sprintf("[t/append %#x . %#x . %#x]", unix.IN_MODIFY,
		unix.IN_CREATE|unix.IN_ISDIR, unix.IN_DELETE|unix.IN_ISDIR)
	if fmt.Sprint(got) != want {
		t.Errorf("the events are %v, want %s", got, want)
	}
}

// The cases of go-fuse's own tests that make no files of their own apply here too.
func TestPosixOfGoFuse(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "allow_delete")
	m.sh(`mkdir a b c`)
	for _, name := range []string{"MkdirRmdir", "ReadDirConsistency"} {
		t.Run(name, func(t *testing.T) { posixtest.All[name](t, m.dir) })
	}
}
