package nodes_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"

	"purofs/engine"
	"purofs/nodes"
	"purofs/nodes/codec"
)

func TestErrno(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want syscall.Errno
	}{
		{"nothing", nil, 0},
		{"canceled", context.Canceled, syscall.EINTR},
		{"deadline", context.DeadlineExceeded, syscall.EBUSY},

		{"too large", engine.ErrTooLarge, syscall.EMSGSIZE},
		{"line too long", codec.ErrTooLong, syscall.EMSGSIZE},
		{"bad line", &codec.LineError{Line: 1, Reason: "why"}, syscall.EINVAL},
		{"name too long", nodes.ErrNameTooLong, syscall.ENAMETOOLONG},
		{"invalid topic", engine.CheckTopicName("a/b"), syscall.EINVAL},
		{"empty batch", engine.ErrEmptyBatch, syscall.EINVAL},
		{"option", engine.ErrOption, syscall.EINVAL},
		{"position", engine.ErrPosition, syscall.ENOENT},
		{"no topic", engine.ErrNoTopic, syscall.ENOENT},
		{"no key", engine.ErrNoKey, syscall.ENOENT},
		{"too many keys", engine.ErrTooManyKeys, syscall.ENOBUFS},
		{"too many topics", engine.ErrTooManyTopics, syscall.ENOSPC},
		{"no record", engine.ErrNoRecord, syscall.EAGAIN},

		{"no cursor", engine.ErrNoCursor, syscall.ENOENT},
		{"cursor exists", engine.ErrCursorExists, syscall.EEXIST},
		{"cursor held", engine.ErrCursorHeld, syscall.EBUSY},
		{"invalid cursor", engine.ErrInvalidCursor, syscall.EINVAL},
		{"cursor damaged", engine.ErrCursorDamaged, syscall.EIO},

		{"locked", engine.ErrLocked, syscall.EBUSY},
		{"read-only", engine.ErrReadOnly, syscall.EROFS},
		{"poisoned", engine.ErrPoisoned, syscall.EIO},
		{"damaged", &engine.DamageError{Segment: 1}, syscall.EIO},
		{"vanished", engine.ErrVanished, syscall.EIO},
		{"newer version", engine.ErrVersion, syscall.EIO},
		{"closed", engine.ErrClosed, syscall.EIO},
		{"not a store", engine.ErrNotStore, syscall.EIO},
		{"network", engine.ErrNetworkFS, syscall.EIO},

		{"removed", nodes.ErrRemoved, syscall.ESTALE},
		{"shut down", nodes.ErrShutDown, syscall.ENOTCONN},
		{"not allowed", nodes.ErrNotAllowed, syscall.EPERM},
		{"delete off", nodes.ErrDeleteOff, syscall.EPERM},
		{"beyond the end", nodes.ErrBeyondEnd, syscall.ESPIPE},
		{"overtaken", nodes.ErrOvertaken, syscall.EPIPE},
		{"lost", nodes.ErrLost, syscall.EIO},
		{"no such record", nodes.ErrNoRecord, syscall.ENOENT},
		{"record removed", nodes.ErrRecordRemoved, syscall.ESTALE},
		{"bad position", fmt.Errorf("%w: %w", nodes.ErrBadPosition, engine.ErrPosition), syscall.EINVAL},
		{"moved", nodes.ErrMoved, syscall.EBUSY},
		{"unread", nodes.ErrUnread, syscall.ESPIPE},
		{"carry", nodes.ErrCarryFull, syscall.ENOBUFS},
		{"open", nodes.ErrTooManyOpen, syscall.ENFILE},
		{"not in order", nodes.ErrNotInOrder, syscall.EINVAL},

		{"disk full", syscall.ENOSPC, syscall.ENOSPC},
		{"quota", &os.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT}, syscall.EDQUOT},
		{"file size", os.NewSyscallError("pwrite", syscall.EFBIG), syscall.EFBIG},
		{"would seem interrupted", syscall.EINTR, syscall.EIO},
		{"would seem to be tried again", syscall.EAGAIN, syscall.EIO},
		{"would seem not implemented", syscall.ENOSYS, syscall.EIO},
		{"no error number", syscall.Errno(0), syscall.EIO},
		{"unknown", errors.New("what is this"), syscall.EIO},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := nodes.Errno(test.err); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if test.err == nil {
				return
			}
			if got := nodes.Errno(fmt.Errorf("doing: %w", test.err)); got != test.want {
				t.Errorf("wrapped: got %v, want %v", got, test.want)
			}
		})
	}
	for _, known := range nodes.TableErrors() {
		if !slices.ContainsFunc(tests, func(test struct {
			name string
			err  error
			want syscall.Errno
		}) bool {
			return errors.Is(test.err, known)
		}) {
			t.Errorf("%q is in the table, but not in this test", known)
		}
	}
}

func TestErrnoNonblock(t *testing.T) {
	locked := fmt.Errorf("append: %w", engine.ErrLocked)
	if got := nodes.ErrnoFor(locked, true); got != syscall.EAGAIN {
		t.Errorf("locked, O_NONBLOCK: got %v, want EAGAIN", got)
	}
	if got := nodes.ErrnoFor(locked, false); got != syscall.EBUSY {
		t.Errorf("locked: got %v, want EBUSY", got)
	}
	if got := nodes.ErrnoFor(engine.ErrPoisoned, true); got != syscall.EIO {
		t.Errorf("poisoned, O_NONBLOCK: got %v, want EIO", got)
	}
}
