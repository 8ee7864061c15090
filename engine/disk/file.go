package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A File is an open file. Reading is safe for concurrent use, and so is writing at given places;
// Write is not.
type File struct {
	path string
	file *os.File
	fd   int
	hook Hook
	end  int64 // where Write goes on
}

// Name is the file's path, when it was opened.
func (f *File) Name() string { return f.path }

// Fd is the descriptor, valid until Close.
func (f *File) Fd() int { return f.fd }

// Control calls fn with the descriptor, which stays what it is until fn returns, even if the file
// is closed meanwhile.
func (f *File) Control(fn func(fd int)) error {
	conn, err := f.file.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Control(func(fd uintptr) { fn(int(fd)) })
}

// Close closes the file, and with it releases its locks.
func (f *File) Close() error {
	if f.hook == nil {
		return f.file.Close()
	}
	err := hookedOnly(f.hook, f.op(OpClose), f.file.Close)
	_ = f.file.Close() // one that fails by the hook closes nevertheless, as close(2) does
	return err
}

func (f *File) op(kind Kind) *Op { return &Op{Kind: kind, Path: f.path, File: f} }

// fail names what failed.
func (f *File) fail(kind Kind, err error) error {
	if err == nil {
		return nil
	}
	return pathError(kind, f.path, err)
}

// ReadAt reads as io.ReaderAt.
func (f *File) ReadAt(p []byte, at int64) (int, error) {
	if f.hook == nil {
		return f.file.ReadAt(p, at)
	}
	op := f.op(OpRead)
	op.At, op.Data = at, [][]byte{p}
	return hooked(f.hook, op, func(*Op) (int, error) { return f.file.ReadAt(p, at) })
}

// WriteAt writes as io.WriterAt, in one pwrite(2) as a rule. After an error it is not known how
// many bytes were written.
func (f *File) WriteAt(p []byte, at int64) (int, error) {
	if f.hook == nil {
		return f.file.WriteAt(p, at)
	}
	if err := f.writeHooked([][]byte{p}, at); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Write writes behind what Write wrote before, from the beginning of the file on.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.end)
	f.end += int64(n)
	return n, err
}

// WriteAllAt writes the pieces one behind the other in one pwritev(2), if there are at most 1024 of
// them, or in one pwrite(2).
func (f *File) WriteAllAt(pieces [][]byte, at int64) error {
	if f.hook != nil {
		return f.writeHooked(pieces, at)
	}
	if len(pieces) == 1 {
		_, err := f.file.WriteAt(pieces[0], at)
		return err
	}
	for len(pieces) > 0 {
		some := pieces[:min(len(pieces), piecesMax)]
		if err := f.writePieces(some, at); err != nil {
			return err
		}
		at += size(some)
		pieces = pieces[len(some):]
	}
	return nil
}

// piecesMax is IOV_MAX.
const piecesMax = 1024

// writePieces writes all of the pieces.
func (f *File) writePieces(pieces [][]byte, at int64) error {
	n, err := unix.Pwritev(f.fd, pieces, at)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Pwritev(f.fd, pieces, at)
	}
	if err != nil {
		return f.fail(OpWrite, err)
	}
	// The rest, if there is one, would give the reason: no space, a limit, or an error of the disk.
	for _, p := range pieces {
		skip := min(n, len(p))
		n -= skip
		if skip < len(p) {
			if _, err := f.file.WriteAt(p[skip:], at+int64(skip)); err != nil {
				return err
			}
		}
		at += int64(len(p))
	}
	return nil
}

func size(pieces [][]byte) (bytes int64) {
	for _, p := range pieces {
		bytes += int64(len(p))
	}
	return bytes
}

// writeHooked writes all of the pieces, as far as the hook lets it at a time.
func (f *File) writeHooked(pieces [][]byte, at int64) error {
	for {
		op := f.op(OpWrite)
		op.At, op.Data = at, pieces
		n, err := hooked(f.hook, op, func(op *Op) (int, error) {
			pieces := first(op.Data, max(1, op.Limit))
			if len(pieces) == 1 {
				return f.file.WriteAt(pieces[0], at)
			}
			return int(size(pieces)), f.writePieces(pieces, at)
		})
		pieces = behind(pieces, n)
		if at += int64(n); err != nil || size(pieces) == 0 {
			return err
		}
	}
}

// first returns the first n bytes of the pieces.
func first(pieces [][]byte, n int) (some [][]byte) {
	for _, p := range pieces {
		p = p[:min(n, len(p))]
		n -= len(p)
		some = append(some, p)
	}
	return some
}

// behind returns what is behind the first n bytes of the pieces.
func behind(pieces [][]byte, n int) (rest [][]byte) {
	for _, p := range pieces {
		skip := min(n, len(p))
		n -= skip
		if skip < len(p) {
			rest = append(rest, p[skip:])
		}
	}
	return rest
}

// Truncate makes the file that long.
func (f *File) Truncate(size int64) error {
	if f.hook == nil {
		return f.file.Truncate(size)
	}
	op := f.op(OpTruncate)
	op.At = size
	return hookedOnly(f.hook, op, func() error { return f.file.Truncate(size) })
}

// Sync forces the file to the disk (fsync(2)). After an error the kernel may have dropped what was
// written, and a second call would only seem to succeed.
func (f *File) Sync() error {
	if f.hook == nil {
		return f.file.Sync()
	}
	return hookedOnly(f.hook, f.op(OpSync), f.file.Sync)
}

// Datasync forces the file's bytes, and its size, to the disk (fdatasync(2)); see Sync.
func (f *File) Datasync() error {
	if f.hook == nil {
		return f.datasync()
	}
	return hookedOnly(f.hook, f.op(OpDatasync), f.datasync)
}

func (f *File) datasync() error {
	return f.fail(OpDatasync, again(func() error { return unix.Fdatasync(f.fd) }))
}

// Uncache has the kernel drop its copy of a part of the file that is on the disk already, so that
// the next read comes from there; length 0 means to the end. It is a request: a page that somebody
// has mapped stays. It does nothing that a hook could want to see.
func (f *File) Uncache(at, length int64) error {
	if err := unix.Fadvise(f.fd, at, length, unix.FADV_DONTNEED); err != nil {
		return fmt.Errorf("dropping %s from the page cache: %w", f.path, err)
	}
	return nil
}

// Size returns the file's size. An fstat(2) would tell it too, but it also asks for the timestamps:
// a kernel with multigrain timestamps (Linux 6.13 on) makes the next write pay for that with a new
// time and a log entry for the inode, about a microsecond.
func (f *File) Size() (int64, error) {
	if f.hook == nil {
		return f.size()
	}
	var size int64
	err := hookedOnly(f.hook, f.op(OpSize), func() (err error) {
		size, err = f.size()
		return err
	})
	return size, err
}

func (f *File) size() (int64, error) {
	size, err := unix.Seek(f.fd, 0, io.SeekEnd)
	return size, f.fail(OpSize, err)
}

// Info is what fstat(2) says.
func (f *File) Info() (info fs.FileInfo, err error) {
	err = hookedOr(f.hook, *f.op(OpStat), func() (err error) {
		info, err = f.file.Stat()
		return err
	})
	return info, err
}

var (
	_ io.ReaderAt = (*File)(nil)
	_ io.WriterAt = (*File)(nil)
	_ io.Writer   = (*File)(nil)
)
