package mount_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Every kind of file there is below the mount point, with a topic t that has a record.
var (
	readFiles = []string{
		"t/log", "t/log.jsonl", "t/log.tsv", "t/stream", "t/stream.jsonl", "t/stream.tsv",
		"t/stream.raw", "t/from/start", "t/from/start.jsonl", "t/records/0", "t/keys/k", "t/info",
		".puro/status.json", ".puro/metrics", ".puro/errors",
	}
	appendFiles = []string{"t/append", "t/append.jsonl", "t/append.tsv", "t/append.raw"}
	allFiles    = append(append([]string{}, appendFiles...), readFiles...)
	directories = []string{".", ".puro", "t", "t/from", "t/records", "t/keys"}
	everything  = append(append([]string{}, directories...), allFiles...)
)

// tried opens a file and closes it again.
func tried(path string, flags int) error {
	fd, err := syscall.Open(path, flags, 0o644)
	if err == nil {
		return syscall.Close(fd)
	}
	return err
}

// A callRow is a call, which is tried on files of the tree, and what it answers: 0 if it succeeds,
// which changes nothing.
type callRow struct {
	call  string
	of    []string
	do    func(path string) error
	errno syscall.Errno
}

// Every call that would change the tree, of every kind of file.
var treeErrors = []callRow{
	{"create in", directories, func(p string) error {
		return tried(p+"/new", syscall.O_CREAT|syscall.O_WRONLY)
	}, syscall.EPERM},
	{"create exclusively in", directories, func(p string) error {
		return tried(p+"/new", syscall.O_CREAT|syscall.O_EXCL|syscall.O_RDWR)
	}, syscall.EPERM},
	{"create what is there in", appendFiles, func(p string) error {
		return tried(p, syscall.O_CREAT|syscall.O_WRONLY)
	}, 0},
	{"create exclusively what is there in", allFiles, func(p string) error {
		return tried(p, syscall.O_CREAT|syscall.O_EXCL|syscall.O_WRONLY)
	}, syscall.EEXIST},
	{"O_TMPFILE in", directories, func(p string) error {
		return tried(p, unix.O_TMPFILE|syscall.O_RDWR)
	}, syscall.EPERM},
	{"mknod of a file in", directories, func(p string) error {
		return syscall.Mknod(p+"/new", syscall.S_IFREG|0o644, 0)
	}, syscall.EPERM},
	{"mkfifo in", directories, func(p string) error {
		return syscall.Mkfifo(p+"/new", 0o644)
	}, syscall.EPERM},
	{"mkdir in", directories[1:], func(p string) error {
		return syscall.Mkdir(p+"/new", 0o755)
	}, syscall.EPERM},
	{"mkdir of", everything[1:], func(p string) error {
		return syscall.Mkdir(p, 0o755)
	}, syscall.EEXIST},
	{"symlink in", directories, func(p string) error {
		return syscall.Symlink("target", p+"/new")
	}, syscall.EPERM},
	{"link of", allFiles, func(p string) error { return syscall.Link(p, p+".new") }, syscall.EPERM},
	{"rename of", everything[1:], func(p string) error {
		return syscall.Rename(p, p+".new")
	}, syscall.EPERM},
	{"exchange of", allFiles, func(p string) error {
		return unix.Renameat2(unix.AT_FDCWD, p, unix.AT_FDCWD, p[:strings.LastIndex(p, "/")]+"/.",
			unix.RENAME_EXCHANGE)
	}, syscall.EBUSY},
	{"unlink of", allFiles, syscall.Unlink, syscall.EPERM},
	{"unlink of a directory", directories[1:], syscall.Unlink, syscall.EISDIR},
	{"rmdir of a file", allFiles, syscall.Rmdir, syscall.ENOTDIR},
	{"rmdir without allow_delete of", directories[1:], syscall.Rmdir, syscall.EPERM},
	{"setxattr of", everything, func(p string) error {
		return unix.Setxattr(p, "user.new", []byte("value"), 0)
	}, syscall.EPERM},
	{"removexattr of", everything, func(p string) error {
		return unix.Removexattr(p, "user.new")
	}, syscall.EPERM},
	{"chmod of", allFiles, func(p string) error { return syscall.Chmod(p, 0o777) }, syscall.EPERM},
	{"chmod of a fixed directory", []string{".", ".puro", "t/from"}, func(p string) error {
		return syscall.Chmod(p, 0o700)
	}, syscall.EPERM},
	{"chmod to what it is of", everything, func(p string) error {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		return syscall.Chmod(p, uint32(info.Mode().Perm()))
	}, 0},
	{"chown of", append([]string{".", ".puro", "t/from"}, allFiles...), func(p string) error {
		return syscall.Chown(p, 12345, 12345)
	}, syscall.EPERM},
	{"chown to what it is of", everything, func(p string) error {
		return syscall.Chown(p, os.Getuid(), os.Getgid())
	}, 0},
	{"utimes of", readFiles, func(p string) error {
		return syscall.Utimes(p, make([]syscall.Timeval, 2))
	}, syscall.EPERM},
	{"utimes of append", append([]string{"t"}, appendFiles...), func(p string) error {
		return syscall.Utimes(p, make([]syscall.Timeval, 2))
	}, 0},
	{"truncate to nothing of", readFiles, func(p string) error {
		return syscall.Truncate(p, 0)
	}, syscall.EPERM},
	{"truncate of", allFiles, func(p string) error { return syscall.Truncate(p, 5) }, syscall.EPERM},
	{"truncate to nothing of append", appendFiles, func(p string) error {
		return syscall.Truncate(p, 0)
	}, 0},
	{"fallocate of append", appendFiles, func(p string) error {
		return withFile(p, syscall.O_WRONLY, func(fd int) error { return unix.Fallocate(fd, 0, 0, 100) })
	}, syscall.EPERM},
	{"open to write of", readFiles, func(p string) error {
		return tried(p, syscall.O_WRONLY)
	}, syscall.EACCES},
	{"open to write and truncate of", readFiles, func(p string) error {
		return tried(p, syscall.O_WRONLY|syscall.O_TRUNC)
	}, syscall.EACCES},
	{"open to read and write of", readFiles, func(p string) error {
		return tried(p, syscall.O_RDWR)
	}, syscall.EACCES},
	{"open to write of a directory", directories, func(p string) error {
		return tried(p, syscall.O_WRONLY)
	}, syscall.EISDIR},
	{"read of append that is open to write", appendFiles, func(p string) error {
		return withFile(p, syscall.O_WRONLY, func(fd int) error {
			_, err := syscall.Read(fd, make([]byte, 10))
			return err
		})
	}, syscall.EBADF},
	{"write to", readFiles, func(p string) error {
		return withFile(p, syscall.O_RDONLY, func(fd int) error {
			_, err := syscall.Write(fd, []byte("x\n"))
			return err
		})
	}, syscall.EBADF},
	{"read of a directory", directories, func(p string) error {
		return withFile(p, syscall.O_RDONLY, func(fd int) error {
			_, err := syscall.Read(fd, make([]byte, 10))
			return err
		})
	}, syscall.EISDIR},
	{"execute", allFiles, func(p string) error {
		return syscall.Access(p, 1)
	}, syscall.EACCES},
	{"read beyond the end of", []string{"t/stream", "t/from/start"}, func(p string) error {
		return withFile(p, syscall.O_RDONLY, func(fd int) error {
			_, err := syscall.Pread(fd, make([]byte, 10), 1000)
			return err
		})
	}, syscall.ESPIPE},
	{"read beyond the end of a log", []string{"t/log"}, func(p string) error {
		return withFile(p, syscall.O_RDONLY, func(fd int) error {
			n, err := syscall.Pread(fd, make([]byte, 10), 1000)
			return errors.Join(err, wantZero(n))
		})
	}, 0},
	{"name that is not there in", directories, func(p string) error {
		return tried(p+"/missing", syscall.O_RDONLY)
	}, syscall.ENOENT},
	{"fsync of", allFiles, func(p string) error {
		flags := syscall.O_RDONLY
		if strings.HasSuffix(p, "append") {
			flags = syscall.O_WRONLY
		}
		return withFile(p, flags, syscall.Fsync)
	}, 0},
}

func wantZero(n int) error {
	if n != 0 {
		return fmt.Errorf("%d bytes", n)
	}
	return nil
}

func withFile(path string, flags int, do func(fd int) error) error {
	fd, err := syscall.Open(path, flags, 0)
	if err != nil {
		return err
	}
	return errors.Join(do(fd), syscall.Close(fd))
}

func TestTreeErrors(t *testing.T) {
	t.Parallel()
	needRoot(t) // users without rights are stopped earlier, by the modes
	m := mountStore(t)
	m.sh(`mkdir t; echo one >> t/append`)
	put(t, openLog(t, m.store), "t", "k", []byte("of a key"))
	tree := func() string { return m.sh(`find . -printf '%p %m %U %G\n' | sort; cat t/log`) }
	before := tree()
	for _, row := range slices.Concat(treeErrors, openCalls, fileCalls) {
		for _, name := range row.of {
			t.Run(row.call+" "+name, func(t *testing.T) {
				err := row.do(m.path(name))
				if row.errno == 0 && err != nil || row.errno != 0 && !errors.Is(err, row.errno) {
					t.Errorf("%v, want errno %d (%v)", err, int(row.errno), row.errno)
				}
			})
		}
	}
	if after := tree(); after != before {
		t.Errorf("the tree has changed from\n%s\nto\n%s", before, after)
	}
}

// A read-only mount answers EROFS to every change, and shows everything.
func TestReadOnlyMount(t *testing.T) {
	t.Parallel()
	needRoot(t)
	writable := mountStore(t)
	writable.sh(`mkdir t; echo one >> t/append`)
	m := mountOn(t, writable.store, "ro", "allow_delete", "auto_create")
	calls := []struct {
		name string
		do   func() error
	}{
		{"mkdir", func() error { return syscall.Mkdir(m.path("new"), 0o755) }},
		{"rmdir", func() error { return syscall.Rmdir(m.path("t")) }},
		{"chmod", func() error { return syscall.Chmod(m.path("t"), 0o700) }},
		{"chown", func() error { return syscall.Chown(m.path("t"), 1, 1) }},
		{"open to write", func() error { return tried(m.path("t/append"), syscall.O_WRONLY) }},
		{"open to read and write", func() error { return tried(m.path("t/append"), syscall.O_RDWR) }},
	}
	for _, call := range calls {
		if err := call.do(); !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v, want %v", call.name, err, syscall.EROFS)
		}
	}
	reader := m.start(`cat t/stream`)
	reader.wantLines("one")
	writable.sh(`echo two >> t/append`)
	reader.wantLines("two")
	m.want("t/log", "one\ntwo\n")
}

// What happens to files that are open when their topic is removed, and to the topic's name.
func TestRemovedTopic(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "allow_delete")
	m.sh(`mkdir t; echo one >> t/append`)
	fd, err := syscall.Open(m.path("t/append"), syscall.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	m.sh(`rmdir t; test ! -e t; test -z "$(ls)"`)
	if _, err := syscall.Write(fd, []byte("late\n")); !errors.Is(err, syscall.ESTALE) {
		t.Errorf("write to a file of a topic that was removed: %v, want %v", err, syscall.ESTALE)
	}
	if err := syscall.Rmdir(m.path("t")); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("rmdir of a topic that was removed: %v", err)
	}
	m.sh(`mkdir t; echo two >> t/append`)
	m.want("t/log", "two\n")
}
