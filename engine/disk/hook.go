package disk

import (
	"errors"
	"io/fs"
	"syscall"
)

// A Kind says what an operation does.
type Kind uint8

// The kinds of operations. What changes a file or a directory comes last.
const (
	OpStat    Kind = iota // of a name, or of an open file; so are Writable and FSType
	OpSize                // of an open file
	OpReadDir             // all names of a directory
	OpRead                // of an open file, at a place
	OpClose
	OpOpen // also makes a file, if Op.Flag says so
	OpMkdir
	OpRename
	OpRemove
	OpWrite
	OpTruncate
	OpSync     // fsync(2)
	OpDatasync // fdatasync(2)
	OpSyncDir  // fsync(2) of a directory
)

var kindNames = [...]string{
	"stat", "lseek", "readdir", "read", "close", "open", "mkdir", "rename", "remove", "write",
	"truncate", "fsync", "fdatasync", "fsync of the directory",
}

// String is the name of the system call, more or less.
func (k Kind) String() string { return kindNames[k] }

// Changes tells whether operations of the kind change what is on the disk, or force it there. An
// open counts, whatever its flags.
func (k Kind) Changes() bool { return k >= OpOpen }

// An Op is one operation: what a Hook is told of it. It is valid until After has returned.
type Op struct {
	Kind Kind
	Path string // of the file or the directory: that of its Dir and its name there
	To   string // the new path, of OpRename
	File *File  // the open file; of OpOpen it is set for After only, if there is no error
	Flag int    // of OpOpen
	Perm fs.FileMode
	At   int64    // place of the first byte that is read or written; the new size, of OpTruncate
	Data [][]byte // the bytes to write, or where the bytes that were read are
	// Limit is how many bytes of Data a write writes at most. Before may lower it: the write is then
	// a short one, and the rest follows as an operation of its own.
	Limit int
}

// A Hook stands between the engine and the disk, in tests. Its methods are called by the goroutine
// that does the operation, by several at a time, and must not use the log.
type Hook interface {
	// Before is called before each operation. If it returns an error the operation is not done and
	// fails with that, a syscall.Errno as a rule. It may keep others from starting until After.
	Before(op *Op) error
	// After is called when the operation is done, or Before has made it fail, with the number of
	// bytes that were read or written. It may change bytes that were read.
	After(op *Op, n int, err error)
}

// hooked does an operation under a Hook; do returns how many bytes it read or wrote.
func hooked(h Hook, op *Op, do func(op *Op) (int, error)) (int, error) {
	for _, p := range op.Data {
		op.Limit += len(p)
	}
	n, err := 0, h.Before(op)
	if err != nil {
		err = pathError(op.Kind, op.Path, err)
	} else {
		n, err = do(op)
	}
	h.After(op, n, err)
	return n, err
}

// hookedOnly is hooked for what reads or writes no bytes.
func hookedOnly(h Hook, op *Op, do func() error) error {
	_, err := hooked(h, op, func(*Op) (int, error) { return 0, do() })
	return err
}

// pathError makes what the os package would have returned.
func pathError(kind Kind, path string, err error) error {
	return &fs.PathError{Op: kind.String(), Path: path, Err: err}
}

// again calls a system call until no signal interrupts it.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
