package nodes

import (
	"context"
	"errors"
	"syscall"

	"purofs/engine"
	"purofs/nodes/codec"
)

// Errors of the tree itself.
var (
	// errRemoved is met by those who still use a topic that was removed.
	errRemoved = errors.New("the topic was removed")
	// errShutDown is met by who waits for the next record of a cursor when the mount comes to its end.
	errShutDown = errors.New("the mount has come to its end")
	// errNotAllowed is met by every change of the tree that is not one of a topic.
	errNotAllowed = errors.New("only topics can be changed, by mkdir, rmdir, chmod and chown, and " +
		"cursors, by mkdir and rmdir")
	// errDeleteOff is met by rmdir of a topic without the option that allows it.
	errDeleteOff = errors.New("topics can be removed only on a mount with the option allow_delete")
	// errBeyondEnd is met by a read of a stream at a place that the topic does not have.
	errBeyondEnd = errors.New("a stream cannot be read beyond its end")
	// errOvertaken is met once by a reader whose place was removed by retention.
	errOvertaken = errors.New("records were removed before they were read")
	// errLost is met by a read at a place whose bytes were lost to damage.
	errLost = errors.New("the bytes at this place were lost")
	// errNoRecord is met by a name under records/ of a record that there is not, yet or any more.
	errNoRecord = errors.New("there is no such record")
	// errRecordRemoved is met by a read of a record that was removed since it was opened.
	errRecordRemoved = errors.New("the record was removed")
	// errCarryFull is met by a write when all handles together carry too much of unfinished lines.
	errCarryFull = errors.New("too many bytes of unfinished lines are held, end them with newlines")
	// errTooManyOpen is met by an open when all users together, or one of them, have too much open.
	errTooManyOpen = errors.New("too many files are open, close some")
	// errNotInOrder is met by a write that does not go on where the last one of a raw record ended.
	errNotInOrder = errors.New(
		"a raw record is written from its beginning to its end, without holes (cp --sparse=never)")
	// errNameTooLong is met by a name that is longer than a topic's may be.
	errNameTooLong = errors.New("the name is too long for a topic")
	// errBadPosition is met by a write to position of what is none.
	errBadPosition = errors.New("the cursor was not moved")
	// errMoved is met by a reader by a cursor that somebody else has moved meanwhile.
	errMoved = errors.New("the cursor was moved since this file was opened")
	// errUnread is met by a read of a cursor's stream behind what was delivered, which would skip.
	errUnread = errors.New("a cursor's stream cannot be read behind what was not read yet")
)

// errnos is the one table of what a program sees of an error. The first row that matches counts, so
// an error that wraps another stands above it.
var errnos = []struct {
	err   error
	errno syscall.Errno
}{
	{context.Canceled, syscall.EINTR},
	{context.DeadlineExceeded, syscall.EBUSY},

	{engine.ErrTooLarge, syscall.EMSGSIZE},
	{codec.ErrTooLong, syscall.EMSGSIZE},
	{codec.ErrSyntax, syscall.EINVAL},
	{errNameTooLong, syscall.ENAMETOOLONG},
	{errBadPosition, syscall.EINVAL},
	{engine.ErrInvalidTopic, syscall.EINVAL},
	{engine.ErrEmptyBatch, syscall.EINVAL},
	{engine.ErrOption, syscall.EINVAL},
	{engine.ErrPosition, syscall.ENOENT},
	{engine.ErrNoTopic, syscall.ENOENT},
	{engine.ErrNoKey, syscall.ENOENT},
	{engine.ErrTooManyKeys, syscall.ENOBUFS},
	{engine.ErrTooManyTopics, syscall.ENOSPC},
	{engine.ErrNoRecord, syscall.EAGAIN},

	{engine.ErrNoCursor, syscall.ENOENT},
	{engine.ErrCursorExists, syscall.EEXIST},
	{engine.ErrCursorHeld, syscall.EBUSY},
	{engine.ErrInvalidCursor, syscall.EINVAL},
	{engine.ErrCursorDamaged, syscall.EIO},

	{engine.ErrLocked, syscall.EBUSY},
	{engine.ErrReadOnly, syscall.EROFS},
	{engine.ErrPoisoned, syscall.EIO},
	{engine.ErrDamaged, syscall.EIO},
	{engine.ErrVanished, syscall.EIO},
	{engine.ErrVersion, syscall.EIO},
	{engine.ErrClosed, syscall.EIO},
	{engine.ErrNotStore, syscall.EIO},
	{engine.ErrNetworkFS, syscall.EIO},

	{errRemoved, syscall.ESTALE},
	{errShutDown, syscall.ENOTCONN},
	{errNotAllowed, syscall.EPERM},
	{errDeleteOff, syscall.EPERM},
	{errBeyondEnd, syscall.ESPIPE},
	{errOvertaken, syscall.EPIPE},
	{errLost, syscall.EIO},
	{errMoved, syscall.EBUSY},
	{errUnread, syscall.ESPIPE},
	{errNoRecord, syscall.ENOENT},
	{errRecordRemoved, syscall.ESTALE},
	{errCarryFull, syscall.ENOBUFS},
	{errTooManyOpen, syscall.ENFILE},
	{errNotInOrder, syscall.EINVAL},
}

// errnoOf returns what a program sees of err. An error of the operating system that is none of the
// table's passes through (ENOSPC, EDQUOT, EFBIG, ...), except those by which the kernel would
// understand something else: that the call was interrupted, or is not implemented at all. Whatever
// is left is EIO.
func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	for _, row := range errnos {
		if errors.Is(err, row.err) {
			return row.errno
		}
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return syscall.EIO
	}
	switch errno {
	case 0, syscall.EINTR, syscall.EAGAIN, syscall.ENOSYS:
		return syscall.EIO
	}
	return errno
}

// errnoFor is errnoOf for a handle: one that was opened with O_NONBLOCK is told to try again where
// another is told that the log is busy.
func errnoFor(err error, nonblock bool) syscall.Errno {
	if nonblock && errors.Is(err, engine.ErrLocked) {
		return syscall.EAGAIN
	}
	return errnoOf(err)
}

// errnoFor takes note of an error of a call on a file, and returns what the program sees.
func (t *Tree) errnoFor(tp *topic, call string, err error, nonblock bool) syscall.Errno {
	if err == nil {
		return 0
	}
	if !errors.Is(err, context.Canceled) {
		t.refused(tp.name, call, err)
	}
	return errnoFor(err, nonblock)
}
