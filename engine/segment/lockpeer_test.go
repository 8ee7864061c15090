package segment_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"purofs/engine/disk"
	"purofs/engine/oracle"
	"purofs/engine/segment"
)

// A posixLock is what another producer takes, in a language that has POSIX locks only.
type posixLock struct {
	name       string
	kind       int16
	from, size int64 // size 0: to infinity
}

// posixLocks are those that Puro's clients take: the JVM gives a length that reaches as far as the
// type goes where it means infinity, and what is not asked to be exclusive is shared.
func posixLocks(end int64) []posixLock {
	const far = 1<<63 - 1
	return []posixLock{
		{"exclusive, from the last end record on", unix.F_WRLCK, end - 3, 0},
		{"exclusive, up to the last byte there can be", unix.F_WRLCK, end - 3, far - (end - 3)},
		{"shared, from the last end record on", unix.F_RDLCK, end - 3, 0},
		{"exclusive, with the size of long ago", unix.F_WRLCK, 0, 0},
		{"exclusive, one byte far behind the end", unix.F_WRLCK, end + 1<<40, 1},
	}
}

// Another producer that locks with F_SETLK is kept out while we hold the lock, and keeps us out
// while it holds its own, until its end; closing an unrelated descriptor of ours lets nobody in.
func TestLockAndPOSIXLocksExcludeEachOther(t *testing.T) {
	sound := image(block(1, "t", "x"))
	dir, s := openImage(t, sound)
	peer := startChild(t, "posix", filepath.Join(dir.Path(), segment.Name(0)))
	lock := func(l posixLock) string { return fmt.Sprint(l.kind, " ", l.from, " ", l.size) }
	unlock := lock(posixLock{kind: unix.F_UNLCK})
	locks := posixLocks(int64(len(sound)))
	for _, l := range locks {
		t.Run(l.name, func(t *testing.T) {
			requireLock(t, s, "the first lock")
			peer.ask(t, lock(l), "refused")
			if err := openSegment(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			peer.ask(t, lock(l), "refused")
			s.UnlockTail()

			peer.ask(t, lock(l), "done")
			requireLocked(t, s, "while the other producer holds its lock")
			locked, err := s.TailLocked(int64(len(sound)))
			if err != nil || locked != (l.kind == unix.F_WRLCK) {
				t.Errorf("TailLocked: %t, %v", locked, err)
			}
			peer.ask(t, unlock, "done")
			requireLock(t, s, "after the other producer")
			s.UnlockTail()
		})
	}
	peer.ask(t, lock(locks[0]), "done")
	requireLocked(t, s, "while the other producer holds its lock")
	peer.signal(t, syscall.SIGKILL)
	requireLock(t, s, "after the other producer was killed")
}

// childPOSIX locks a file with F_SETLK as it is told, in lines of KIND FROM SIZE.
func childPOSIX(args []string) error {
	file, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	for words := bufio.NewScanner(os.Stdin); words.Scan(); {
		var lk unix.Flock_t
		if _, err := fmt.Sscan(words.Text(), &lk.Type, &lk.Start, &lk.Len); err != nil {
			return err
		}
		err := unix.FcntlFlock(file.Fd(), unix.F_SETLK, &lk)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
			fmt.Println("refused")
		case err != nil:
			return err
		default:
			fmt.Println("done")
		}
	}
	return nil
}

// descriptorsOf returns the descriptors of this process for a file.
func descriptorsOf(t *testing.T, name string) (fds []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var fd int
		target, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if _, scan := fmt.Sscan(e.Name(), &fd); err == nil && scan == nil && target == name {
			fds = append(fds, fd)
		}
	}
	return fds
}

// A duplicate of the descriptor has the same lock: its close takes nothing away, and what it would
// keep is gone with the unlock.
func TestLockOfADuplicatedDescriptor(t *testing.T) {
	dir, a := openImage(t, image(block(1, "t", "x")))
	fds := descriptorsOf(t, filepath.Join(dir.Path(), segment.Name(0)))
	if len(fds) != 1 {
		t.Fatalf("the segment has the descriptors %v, want one", fds)
	}
	b := openSegment(t, dir)
	duplicate := func() int {
		fd, err := unix.FcntlInt(uintptr(fds[0]), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	closeOne := func(fd int) {
		if err := unix.Close(fd); err != nil {
			t.Fatal(err)
		}
	}
	requireLock(t, a, "the first lock")
	closeOne(duplicate())
	requireLocked(t, b, "after the close of a duplicate")

	kept := duplicate()
	defer closeOne(kept)
	a.UnlockTail()
	requireLock(t, b, "after the unlock, though there is a duplicate")
	b.UnlockTail()
	requireLock(t, a, "once more")
	a.UnlockTail()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	requireLock(t, b, "after the close, though there is a duplicate")
}

// A program that a producer started, and that outlives it, does not hold the lock on.
func TestLockIsNotInherited(t *testing.T) {
	dir, s := openImage(t, image(block(1, "t", "x")))
	holder := startChild(t, "hold-and-start", dir.Path())
	holder.expect(t, "locked")
	holder.ask(t, "one", "one") // by the program that it started
	requireLocked(t, s, "while the producer lives")
	holder.signal(t, syscall.SIGKILL)
	requireLock(t, s, "after the producer was killed")
	holder.ask(t, "two", "two")
	if err := holder.in.Close(); err != nil {
		t.Fatal(err)
	}
}

// childHoldAndStart locks the tail of segment 0 in a directory, and starts a program that has its
// input and output.
func childHoldAndStart(args []string) error {
	dir, err := disk.OpenDir(args[0], nil)
	if err != nil {
		return err
	}
	s, err := segment.Open(dir, 0, true)
	if err != nil {
		return err
	}
	if err := s.LockTail(context.Background(), 0, time.Minute); err != nil {
		return err
	}
	fmt.Println("locked")
	cat := exec.Command("cat")
	cat.Stdin, cat.Stdout, cat.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cat.Run()
}

// T11: processes count in a file, each under the lock that it knows: ours, of sizes that are long
// out of date, with waits that are given up and taken over, and a POSIX lock. Had two of them the
// lock at once, a count would be lost.
func TestLockedCounting(t *testing.T) {
	run := oracle.Start(t, "T11")
	rounds := oracle.Size(2_000, 200_000)
	dir, _ := openImage(t, image(block(1, "t", "x")))
	writeFile(t, dir, "counter", []byte("0"))
	counters := []string{"ours", "ours", "ours", "posix", "posix"}
	var crowd []*child
	for i, lock := range counters {
		crowd = append(crowd, startChild(t, "count", dir.Path(), lock, fmt.Sprint(rounds),
			fmt.Sprint(run.Seed+uint64(i))))
	}
	for _, c := range crowd {
		if err := c.in.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range crowd {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	want := len(counters) * rounds
	run.Count("counted", want)
	if got := string(readFile(t, dir, "counter")); got != fmt.Sprint(want) {
		t.Errorf("the processes counted to %s, want %d\nrun it again with: %s", got, want, run.Again())
	}
}

// childCount adds one to the number in a file, again and again, under a lock on segment 0 of a
// directory: DIR LOCK ROUNDS SEED. It begins when its input ends.
func childCount(args []string) error {
	var rounds int
	var seed uint64
	if _, err := fmt.Sscan(args[2]+" "+args[3], &rounds, &seed); err != nil {
		return err
	}
	lock, unlock, err := counterLock(args[0], args[1], seed)
	if err != nil {
		return err
	}
	counter, err := os.OpenFile(filepath.Join(args[0], "counter"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer counter.Close()
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	var text [20]byte
	for range rounds {
		if err := lock(); err != nil {
			return err
		}
		n, err := counter.ReadAt(text[:], 0)
		if err != io.EOF {
			return err
		}
		var count int
		if _, err := fmt.Sscan(string(text[:n]), &count); err != nil {
			return err
		}
		if _, err := counter.WriteAt(fmt.Append(text[:0], count+1), 0); err != nil {
			return err
		}
		unlock()
	}
	return nil
}

// counterLock returns how to take the lock on segment 0 of a directory and how to let it go.
func counterLock(path, kind string, seed uint64) (lock func() error, unlock func(), err error) {
	if kind == "posix" {
		return posixCounterLock(filepath.Join(path, segment.Name(0)))
	}
	dir, err := disk.OpenDir(path, nil)
	if err != nil {
		return nil, nil, err
	}
	s, err := segment.Open(dir, 0, true)
	if err != nil {
		return nil, nil, err
	}
	random := rand.New(rand.NewPCG(seed, 0))
	lock = func() error {
		for {
			timeout := time.Minute
			if random.IntN(4) == 0 {
				timeout = time.Duration(random.IntN(100)) * time.Microsecond
			}
			err := s.LockTail(context.Background(), random.Int64N(1<<40), timeout)
			if !errors.Is(err, segment.ErrLocked) || timeout == time.Minute {
				return err
			}
		}
	}
	return lock, s.UnlockTail, nil
}

func posixCounterLock(name string) (lock func() error, unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	set := func(cmd int, kind int16) error {
		for {
			err := unix.FcntlFlock(file.Fd(), cmd, &unix.Flock_t{Type: kind, Start: 30})
			if !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	}
	lock = func() error { return set(unix.F_SETLKW, unix.F_WRLCK) }
	unlock = func() {
		if err := set(unix.F_SETLK, unix.F_UNLCK); err != nil {
			panic(err)
		}
	}
	return lock, unlock, nil
}
