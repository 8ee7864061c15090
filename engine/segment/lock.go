package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"purofs/engine/disk"
	"purofs/engine/format"
)

// ErrLocked is returned when another process kept the lock for longer than the caller would wait.
var ErrLocked = errors.New("segment is locked by another process")

// lockYields is how often the processor is offered to whoever holds the lock before the wait in the
// kernel begins: a holder is usually done within microseconds.
const lockYields = 8

// A tailLock is the waiting side of the producer's lock. fcntl(2) has no wait that can be given up,
// so a goroutine waits for it; if the caller gives up, the next one takes the wait over, and a lock
// that arrives when nobody wants it is released at once.
type tailLock struct {
	mu      sync.Mutex
	waiting bool // the goroutine is in the kernel
	wanted  bool // a caller wants its lock
	granted chan error
}

// LockTail takes the producer's lock: exclusive, from just before the end of the file to infinity.
// size is the file's, which may be out of date: all such ranges overlap. It waits for at most
// timeout, and not at all if that is 0; the error is then ErrLocked, or that of ctx. One caller at
// a time.
func (s *Segment) LockTail(ctx context.Context, size int64, timeout time.Duration) error {
	if !s.lock.pending() {
		from := max(0, size-format.EndBytes)
		for yields := 0; ; yields++ {
			ok, err := tryLock(s.file, unix.F_WRLCK, from, 0)
			if err != nil || ok {
				return err
			}
			if timeout == 0 {
				return ErrLocked
			}
			if yields == lockYields {
				break
			}
			yield()
		}
		s.lock.start(s, from)
	}
	return s.lock.wait(ctx, size, timeout, s)
}

// UnlockTail releases the producer's lock.
func (s *Segment) UnlockTail() {
	// Unlocking what is locked by this description fails only for a closed file, which has no locks.
	_ = setLock(s.file, unix.F_OFD_SETLK, unix.F_UNLCK, 0, 0)
}

// ShareHead takes a shared lock on the first byte for as long as the segment is open: retention and
// compaction keep away from it. Only for segments that are complete: a producer of an empty one
// locks that byte. It reports false if someone else has it locked: a steward, or a producer that
// does not know yet that it is complete.
func (s *Segment) ShareHead() (bool, error) { return tryLock(s.file, unix.F_RDLCK, 0, 1) }

// TailLocked tells whether some other open file description holds a lock that keeps readers from
// the bytes from pos on: a producer is at work there.
func (s *Segment) TailLocked(pos int64) (bool, error) { return locked(s.file, pos) }

// yield is sched_yield(2).
func yield() { _, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

func (l *tailLock) pending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

// start sends a goroutine to wait in the kernel. It ends when the lock is granted, at the latest
// when the process that holds it ends; nobody waits for it, since nothing can hasten it.
func (l *tailLock) start(s *Segment, from int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting, l.wanted = true, true
	l.granted = make(chan error, 1)
	go func() {
		// Within Control the descriptor stays what it is, even if the segment is closed meanwhile.
		err := s.file.Control(func(int) {
			l.grant(s, setLock(s.file, unix.F_OFD_SETLKW, unix.F_WRLCK, from, 0))
		})
		if err != nil {
			l.grant(s, err)
		}
	}()
}

// grant hands the lock, or the error of waiting for it, to whoever wants it now.
func (l *tailLock) grant(s *Segment, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = false
	if l.wanted {
		l.granted <- err
	} else if err == nil {
		s.UnlockTail()
	}
}

// wait waits for the goroutine's lock.
func (l *tailLock) wait(ctx context.Context, size int64, timeout time.Duration, s *Segment) error {
	l.mu.Lock()
	if !l.waiting && len(l.granted) == 0 {
		// It was granted, and released again, between pending and here.
		l.mu.Unlock()
		return s.LockTail(ctx, size, timeout)
	}
	l.wanted = true
	granted := l.granted
	l.mu.Unlock()

	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var gaveUp error
	select {
	case err := <-granted:
		l.disown()
		return err
	case <-ctx.Done():
		gaveUp = ctx.Err()
	case <-timer.C:
		gaveUp = ErrLocked
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted = false
	select {
	case err := <-granted: // it came in the same moment
		if err == nil {
			s.UnlockTail()
		}
	default:
	}
	return gaveUp
}

func (l *tailLock) disown() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted = false
}

// LockFile takes an exclusive lock on the whole of a file other than a segment, and tells whether
// it got it: false means that some other open file, in this process or another, has it. The kernel
// releases it when the file is closed, also by the death of the process.
func LockFile(file *disk.File) (bool, error) { return tryLock(file, unix.F_WRLCK, 0, 0) }

// UnlockFile releases the lock of LockFile while the file stays open.
func UnlockFile(file *disk.File) error {
	return setLock(file, unix.F_OFD_SETLK, unix.F_UNLCK, 0, 0)
}

// FileLocked tells whether some other open file has the lock of LockFile.
func FileLocked(file *disk.File) (bool, error) { return locked(file, 0) }

// locked tells whether some other open file description has the bytes from pos on, or some of them,
// locked for itself.
func locked(file *disk.File, pos int64) (bool, error) {
	lk := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart, Start: pos}
	if err := unix.FcntlFlock(uintptr(file.Fd()), unix.F_OFD_GETLK, &lk); err != nil {
		return false, fmt.Errorf("asking for the lock of %s: %w", file.Name(), err)
	}
	return lk.Type != unix.F_UNLCK, nil
}

// tryLock takes a lock without waiting, if nobody has one that is in its way; length 0 means to
// infinity.
func tryLock(file *disk.File, kind int16, from, length int64) (bool, error) {
	err := setLock(file, unix.F_OFD_SETLK, kind, from, length)
	if isLocked(err) {
		return false, nil
	}
	return err == nil, err
}

// setLock takes or releases a lock.
func setLock(file *disk.File, cmd int, kind int16, from, length int64) error {
	lk := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: from, Len: length}
	err := unix.FcntlFlock(uintptr(file.Fd()), cmd, &lk)
	for errors.Is(err, unix.EINTR) {
		err = unix.FcntlFlock(uintptr(file.Fd()), cmd, &lk)
	}
	if err != nil && !isLocked(err) {
		err = fmt.Errorf("locking %s: %w", file.Name(), err)
	}
	return err
}

// isLocked tells whether a lock was refused because somebody else has one.
func isLocked(err error) bool { return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) }
