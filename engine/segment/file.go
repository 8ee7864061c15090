package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"

	"purofs/engine/disk"
	"purofs/engine/format"
)

// A Segment is one open segment file. Reading is safe for concurrent use; the methods that write
// need the producer's lock, and one caller at a time.
type Segment struct {
	order uint32
	file  *disk.File
	lock  tailLock

	syncing sync.Mutex // held during a sync, guards refused
	refused error      // what the first sync that failed returned
}

// Name is the file name of a segment.
func Name(order uint32) string { return "stream" + strconv.FormatUint(uint64(order), 10) + ".puro" }

// ParseName returns the number of the segment with that file name, and whether it is one.
func ParseName(name string) (order uint32, ok bool) {
	digits, found := strings.CutPrefix(name, "stream")
	if digits, ok = strings.CutSuffix(digits, ".puro"); !found || !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), err == nil && Name(uint32(n)) == name
}

// Open opens a segment of the store in dir.
func Open(dir *disk.Dir, order uint32, writable bool) (*Segment, error) {
	flag := os.O_RDONLY
	if writable {
		flag = os.O_RDWR
	}
	return open(dir, order, flag, 0)
}

// Create makes a new, empty segment. If another process was first the error is fs.ErrExist. The
// directory has to be synced before anything in the segment can count as synced.
func Create(dir *disk.Dir, order uint32, perm fs.FileMode) (*Segment, error) {
	return open(dir, order, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
}

func open(dir *disk.Dir, order uint32, flag int, perm fs.FileMode) (*Segment, error) {
	// OpenFile follows links within the store: a segment under two names would be locked as one and
	// counted as two.
	if info, err := dir.Lstat(Name(order)); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("opening segment: %s is not a regular file (move it away): %w",
			Name(order), fs.ErrInvalid)
	}
	file, err := dir.OpenFile(Name(order), flag, perm)
	if err != nil {
		return nil, fmt.Errorf("opening segment: %w", err)
	}
	return &Segment{order: order, file: file}, nil
}

// Order is the segment's number.
func (s *Segment) Order() uint32 { return s.order }

// Close closes the file and with it releases its locks.
func (s *Segment) Close() error { return s.file.Close() }

// Named tells whether the file still has its name in the store in dir.
func (s *Segment) Named(dir *disk.Dir) (named bool, err error) {
	info, err := s.file.Info()
	if err == nil {
		named, err = dir.Has(Name(s.order), info)
	}
	if err != nil {
		return false, fmt.Errorf("looking at segment %s: %w", Name(s.order), err)
	}
	return named, nil
}

// Size returns the file's size.
func (s *Segment) Size() (int64, error) {
	size, err := s.file.Size()
	if err != nil {
		return 0, fmt.Errorf("looking at segment %s: %w", Name(s.order), err)
	}
	return size, nil
}

// ReadAt reads from the file.
func (s *Segment) ReadAt(p []byte, at int64) (int, error) { return s.file.ReadAt(p, at) }

// Append writes a block at the end of the file, which is at, and then raises its signal. The pieces
// are its bytes, with a low signal; start is how many bytes stand before the block's start record.
// If syncFirst is set the block is forced to the disk before the signal is raised.
//
// After an error the file ends at at again, if that was possible; if not, the low block is a torn
// tail, which the next producer repairs.
func (s *Segment) Append(at int64, pieces [][]byte, start int64, syncFirst bool) error {
	if err := s.file.WriteAllAt(pieces, at); err != nil {
		return s.undo(at, fmt.Errorf("writing to segment %s: %w", Name(s.order), err))
	}
	if syncFirst {
		if err := s.Sync(); err != nil {
			return s.undo(at, err)
		}
	}
	if _, err := s.file.WriteAt(raised[:], at+start+format.SignalOffset); err != nil {
		return s.undo(at, fmt.Errorf("raising the signal in segment %s: %w", Name(s.order), err))
	}
	return nil
}

var raised = [1]byte{1}

// undo takes back what was written from at on.
func (s *Segment) undo(at int64, cause error) error {
	if err := s.file.Truncate(at); err != nil {
		return errors.Join(cause, fmt.Errorf("taking the write back: %w", err))
	}
	return cause
}

// ErrSync is matched by the error of a sync that the disk refused.
var ErrSync = errors.New("syncing segment")

// Sync forces the file's bytes to the disk (fdatasync(2)). After an error the kernel may have
// dropped them, and it tells each open file of that only once, so all later calls return the same
// error. Calls wait for each other: the error of one may be about what another one has written.
func (s *Segment) Sync() error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	if s.refused != nil {
		return s.refused
	}
	if err := s.file.Datasync(); err != nil {
		s.refused = fmt.Errorf("%w %s: %w", ErrSync, Name(s.order), err)
	}
	return s.refused
}

var _ io.ReaderAt = (*Segment)(nil)
