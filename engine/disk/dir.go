package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Dir is an open directory. All names are looked up within it. It is safe for concurrent use.
type Dir struct {
	path  string
	root  *os.Root
	hook  Hook
	owner *owner // of what is made in it; nil for who makes it
}

// OpenDir opens the directory at path; all that is opened in it has its hook, which may be nil. The
// error for what is no directory is syscall.ENOTDIR.
func OpenDir(path string, hook Hook) (*Dir, error) {
	d := &Dir{path: filepath.Clean(path), hook: hook}
	open := func() (err error) {
		if d.root, err = os.OpenRoot(path); err == nil {
			return nil
		}
		if info, statErr := os.Stat(path); statErr == nil && !info.IsDir() {
			return pathError(OpOpen, path, syscall.ENOTDIR)
		}
		return err
	}
	err := hookedOr(hook, Op{Kind: OpOpen, Path: d.path, Flag: os.O_RDONLY}, open)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// hookedOr does an operation that reads and writes no bytes under a hook, or without one.
func hookedOr(hook Hook, op Op, do func() error) error {
	if hook == nil {
		return do()
	}
	return hookedOnly(hook, &op, do)
}

// Path is the directory's, as it was opened.
func (d *Dir) Path() string { return d.path }

func (d *Dir) join(name string) string { return filepath.Join(d.path, name) }

// Close closes the directory. What was opened in it stays open.
func (d *Dir) Close() error { return d.root.Close() }

// OpenDir opens a directory in this one.
func (d *Dir) OpenDir(name string) (*Dir, error) {
	sub := &Dir{path: d.join(name), hook: d.hook, owner: d.owner}
	open := func() (err error) {
		sub.root, err = d.root.OpenRoot(name)
		return err
	}
	err := hookedOr(d.hook, Op{Kind: OpOpen, Path: sub.path, Flag: os.O_RDONLY}, open)
	if err != nil {
		return nil, err
	}
	return sub, nil
}

// Open opens a file, or a directory, for reading.
func (d *Dir) Open(name string) (*File, error) { return d.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile opens a file as open(2) does. O_APPEND is not supported: see File.Write.
func (d *Dir) OpenFile(name string, flag int, perm fs.FileMode) (*File, error) {
	if d.hook == nil {
		return d.open(name, flag, perm)
	}
	op := &Op{Kind: OpOpen, Path: d.join(name), Flag: flag, Perm: perm}
	err := hookedOnly(d.hook, op, func() (err error) {
		op.File, err = d.open(name, flag, perm)
		return err
	})
	return op.File, err
}

func (d *Dir) open(name string, flag int, perm fs.FileMode) (*File, error) {
	open := d.root.OpenFile
	if flag&os.O_CREATE != 0 && d.owner != nil {
		open = d.create
	}
	file, err := open(name, flag, perm)
	if err != nil {
		return nil, err
	}
	// Fd is called once: it is the number for system calls, valid as long as the file is open.
	return &File{path: d.join(name), file: file, fd: int(file.Fd()), hook: d.hook}, nil
}

// ReadFile returns what a file of at most that many bytes holds; for a larger one the error is
// syscall.EFBIG.
func (d *Dir) ReadFile(name string, bytesMax int64) ([]byte, error) {
	// A pipe, say, would otherwise have its opener wait for a writer.
	file, err := d.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.NewSectionReader(file, 0, bytesMax+1))
	if err == nil && int64(len(b)) > bytesMax {
		err = fmt.Errorf("%s has more than %d bytes: %w", name, bytesMax, syscall.EFBIG)
	}
	return b, err
}

// Mkdir makes a directory.
func (d *Dir) Mkdir(name string, perm fs.FileMode) error {
	return hookedOr(d.hook, Op{Kind: OpMkdir, Path: d.join(name), Perm: perm}, func() error {
		return d.mkdir(name, perm)
	})
}

// Rename gives a file another name, in the place of a file that has it.
func (d *Dir) Rename(from, to string) error {
	op := Op{Kind: OpRename, Path: d.join(from), To: d.join(to)}
	return hookedOr(d.hook, op, func() error { return d.root.Rename(from, to) })
}

// Remove removes a file, or an empty directory.
func (d *Dir) Remove(name string) error {
	return hookedOr(d.hook, Op{Kind: OpRemove, Path: d.join(name)}, func() error {
		return d.root.Remove(name)
	})
}

// Lstat looks at a name, and not at what a link points to.
func (d *Dir) Lstat(name string) (info fs.FileInfo, err error) {
	err = hookedOr(d.hook, Op{Kind: OpStat, Path: d.join(name)}, func() (err error) {
		info, err = d.root.Lstat(name)
		return err
	})
	return info, err
}

// Has tells whether the name leads to an open file, of which open is the Info: the file may have
// been moved away since it was opened, or removed, also if another name of it somewhere is left.
func (d *Dir) Has(name string, open fs.FileInfo) (bool, error) {
	info, err := d.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(info, open), err
}

// Stat looks at the directory itself.
func (d *Dir) Stat() (info fs.FileInfo, err error) {
	err = hookedOr(d.hook, Op{Kind: OpStat, Path: d.path}, func() (err error) {
		info, err = d.root.Stat(".")
		return err
	})
	return info, err
}

// ReadDir returns all entries of the directory, in no order.
func (d *Dir) ReadDir() (entries []fs.DirEntry, err error) {
	err = d.itself(OpReadDir, func(self *os.File) (err error) {
		entries, err = self.ReadDir(-1)
		return err
	})
	return entries, err
}

// Sync forces the names in the directory to the disk: without it a power cut can lose a whole new
// file, or bring back one that was removed.
func (d *Dir) Sync() error { return d.itself(OpSyncDir, (*os.File).Sync) }

// Writable tells whether this process may make files in the directory.
func (d *Dir) Writable() bool {
	err := d.itself(OpStat, func(self *os.File) error {
		return unix.Faccessat(int(self.Fd()), ".", unix.W_OK, unix.AT_EACCESS)
	})
	return !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS)
}

// FSType is the kind of the directory's file system, see statfs(2).
func (d *Dir) FSType() (kind int64, err error) {
	err = d.itself(OpStat, func(self *os.File) error {
		var st unix.Statfs_t
		err := again(func() error { return unix.Fstatfs(int(self.Fd()), &st) })
		kind = int64(st.Type)
		return err
	})
	return kind, err
}

// itself does an operation on the directory's own descriptor.
func (d *Dir) itself(kind Kind, do func(self *os.File) error) error {
	return hookedOr(d.hook, Op{Kind: kind, Path: d.path}, func() error {
		self, err := d.root.Open(".")
		if err != nil {
			return err
		}
		defer self.Close()
		return do(self)
	})
}
