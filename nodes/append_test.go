package nodes_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes"
)

func TestAppend(t *testing.T) {
	const me, child = 1, 2
	type step struct {
		do    string // write, flush, fsync, release
		owner uint64
		data  string
		log   string // what log reads then
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"lines are there when write returns", []step{
			{"write", me, "a\nb\n", "a\nb\n"},
		}},
		{"an unfinished line is carried", []step{
			{"write", me, "a\nhel", "a\n"},
			{"write", me, "lo\n", "a\nhello\n"},
		}},
		{"close ends it", []step{
			{"write", me, "a", ""},
			{"flush", me, "", "a\n"},
			{"release", 0, "", "a\n"},
		}},
		{"the exit of a child does not", []step{
			{"write", me, "a", ""},
			{"flush", child, "", ""},
			{"write", me, "b\n", "ab\n"},
		}},
		{"the last writer's close does", []step{
			{"write", me, "a", ""},
			{"write", child, "b", ""},
			{"flush", me, "", ""},
			{"flush", child, "", "ab\n"},
		}},
		{"close before a write does nothing", []step{
			{"flush", 0, "", ""},
			{"release", 0, "", ""},
		}},
		{"fsync ends it", []step{
			{"write", me, "a", ""},
			{"fsync", me, "", "a\n"},
			{"write", me, "b\n", "a\nb\n"},
		}},
		{"release stores what nobody closed", []step{
			{"write", me, "a", ""},
			{"flush", child, "", ""},
			{"release", 0, "", "a\n"},
		}},
		{"an empty write does nothing", []step{
			{"write", me, "", ""},
			{"flush", me, "", ""},
		}},
		{"an empty line is a record", []step{
			{"write", me, "\n", "\n"},
			{"flush", me, "", "\n"},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMount(t, nil)
			m.mkdir("orders")
			fh := m.open("orders/append", syscall.O_WRONLY)
			for i, s := range test.steps {
				var errno syscall.Errno
				switch s.do {
				case "write":
					errno = m.writeAs(s.owner, fh, s.data)
				case "flush":
					errno = m.flush(s.owner, fh)
				case "fsync":
					errno = syscall.Errno(m.tree.Fsync(nil, &fuse.FsyncIn{Fh: fh}))
				case "release":
					m.release(fh)
				}
				if got := m.cat("orders/log", 100); errno != 0 || got != s.log {
					t.Fatalf("step %d, %s: %v, then log is %q, want %q", i, s.do, errno, got, s.log)
				}
			}
		})
	}
}

func TestAppendTooLong(t *testing.T) {
	m := newMount(t, func(c *nodes.Config) { c.ValueBytes = 8 })
	m.mkdir("orders")
	fh := m.open("orders/append", syscall.O_WRONLY)
	for _, step := range []struct {
		data string
		want syscall.Errno
	}{
		{"12345678\n", 0},
		{"ok\n123456789\nnot this\n", syscall.EMSGSIZE},
		{"12345", 0},
		{"6789", syscall.EMSGSIZE},
		{"still the long line", syscall.EMSGSIZE},
		{"its end\n", syscall.EMSGSIZE},
		{"short\n", 0},
	} {
		if got := m.writeAs(1, fh, step.data); got != step.want {
			t.Errorf("write %q: got %v, want %v", step.data, got, step.want)
		}
	}
	if got, want := m.cat("orders/log", 100), "12345678\nshort\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
	if got := m.cat(".puro/errors", 4096); !strings.Contains(got, "max_record") {
		t.Errorf(".puro/errors does not say why: %q", got)
	}
}

func TestAppendThatFailsLeavesNoTrace(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/append", syscall.O_WRONLY)
	if errno := m.writeAs(1, fh, "begun "); errno != 0 {
		t.Fatal(errno)
	}
	full := fmt.Errorf("append: %w", syscall.ENOSPC)
	m.log.onAppend(func(context.Context, *engine.Batch) error { return full })
	if errno := m.writeAs(1, fh, "lost\nlost too"); errno != syscall.ENOSPC {
		t.Errorf("write: got %v, want ENOSPC", errno)
	}
	m.log.onAppend(nil)
	if errno := m.writeAs(1, fh, "and ended\n"); errno != 0 {
		t.Fatal(errno)
	}
	if got, want := m.cat("orders/log", 100), "begun and ended\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
}

// What close(2) reported as an error must not be stored afterwards.
func TestAppendCloseReportsItsError(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/append", syscall.O_WRONLY)
	if errno := m.writeAs(1, fh, "tail"); errno != 0 {
		t.Fatal(errno)
	}
	m.log.onAppend(func(context.Context, *engine.Batch) error { return syscall.EDQUOT })
	if errno := m.flush(1, fh); errno != syscall.EDQUOT {
		t.Errorf("close: got %v, want EDQUOT", errno)
	}
	m.log.onAppend(nil)
	m.release(fh)
	if got := m.cat("orders/log", 100); got != "" {
		t.Errorf("log is %q after a close that failed", got)
	}
	if carried := m.tree.Carried(); carried != 0 {
		t.Errorf("%d bytes are counted as carried", carried)
	}
}

// Nobody waits for the last call on a handle, so what it could not store is told elsewhere.
func TestAppendReleaseTellsOfItsError(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/append", syscall.O_WRONLY)
	if errno := m.writeAs(1, fh, "tail"); errno != 0 {
		t.Fatal(errno)
	}
	m.log.onAppend(func(context.Context, *engine.Batch) error { return syscall.ENOSPC })
	m.release(fh)
	if got := m.cat(".puro/errors", 4096); !strings.Contains(got, syscall.ENOSPC.Error()) {
		t.Errorf(".puro/errors is %q", got)
	}
	if _, _, handles, _ := m.tree.Sizes(); handles != 0 {
		t.Errorf("%d handles are open", handles)
	}
}

func TestAppendErrors(t *testing.T) {
	tests := []struct {
		name  string
		flags uint32
		err   error
		want  syscall.Errno
	}{
		{"locked", 0, engine.ErrLocked, syscall.EBUSY},
		{"locked, nonblocking", syscall.O_NONBLOCK, engine.ErrLocked, syscall.EAGAIN},
		{"poisoned", 0, engine.ErrPoisoned, syscall.EIO},
		{"interrupted", 0, context.Canceled, syscall.EINTR},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMount(t, nil)
			m.mkdir("orders")
			fh := m.open("orders/append", syscall.O_WRONLY|test.flags)
			m.log.onAppend(func(context.Context, *engine.Batch) error { return test.err })
			if got := m.writeAs(1, fh, "a\n"); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// What was asked for at open(2) is asked of the log, for whole lines and for the last one.
func TestAppendFlags(t *testing.T) {
	tests := []struct {
		name         string
		flags        uint32
		sync, noWait bool
	}{
		{"none", 0, false, false},
		{"O_SYNC", syscall.O_SYNC, true, false},
		{"O_DSYNC", syscall.O_DSYNC, true, false},
		{"O_NONBLOCK", syscall.O_NONBLOCK, false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMount(t, nil)
			m.mkdir("orders")
			appends := 0
			m.log.onAppend(func(_ context.Context, b *engine.Batch) error {
				appends++
				if b.Sync != test.sync || b.NoWait != test.noWait {
					t.Errorf("append %d: sync %v, no wait %v", appends, b.Sync, b.NoWait)
				}
				return nil
			})
			fh := m.open("orders/append", syscall.O_WRONLY|test.flags)
			m.writeAs(1, fh, "line\ntail")
			m.flush(1, fh)
			if appends != 2 {
				t.Errorf("%d appends, want 2", appends)
			}
		})
	}
}

func TestAppendInterruptIsHandedOn(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/append", syscall.O_WRONLY)
	waits := make(chan struct{})
	m.log.onAppend(func(ctx context.Context, _ *engine.Batch) error {
		close(waits)
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-waits
		cancel()
	}()
	if got := m.writeCtx(ctx, 1, fh, "a\n"); got != syscall.EINTR {
		t.Errorf("got %v, want EINTR", got)
	}
}

func TestAppendCarryLimit(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/append", syscall.O_WRONLY)
	m.tree.SetCarried(nodes.CarryBytesMax - 10) // half of what is left is for one user
	if got := m.writeAs(1, fh, "too much"); got != syscall.ENOBUFS {
		t.Errorf("got %v, want ENOBUFS", got)
	}
	if got := m.writeAs(1, fh, "whole lines carry nothing\n12345"); got != 0 {
		t.Errorf("whole lines: %v", got)
	}
	if got := m.writeAs(1, fh, "6\n"); got != 0 {
		t.Errorf("the end of a line: %v", got)
	}
	if got, want := m.tree.Carried(), int64(nodes.CarryBytesMax-10); got != want {
		t.Errorf("%d bytes are counted in the end, want %d", got, want)
	}
}

func TestAppendReadsNothing(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "a\n")
	m.read(m.open("orders/append", syscall.O_RDWR), 0, 100).want("", 0)
}

// Writers of one file and of many, and each line whole.
func TestAppendConcurrently(t *testing.T) {
	const writers, writes = 8, 50
	m := newMount(t, nil)
	m.mkdir("orders")
	shared := m.open("orders/append", syscall.O_WRONLY)
	var group sync.WaitGroup
	for w := range writers {
		fh := shared
		if w%2 == 0 {
			fh = m.open("orders/append", syscall.O_WRONLY|syscall.O_APPEND)
		}
		group.Go(func() {
			for i := range writes {
				line := fmt.Sprintf("%d:%d\n", w, i)
				if errno := m.writeAs(uint64(w), fh, line); errno != 0 {
					t.Errorf("writer %d: %v", w, errno)
				}
			}
		})
	}
	group.Wait()
	next := map[int]int{}
	lines := strings.Split(strings.TrimSuffix(m.cat("orders/log", 1000), "\n"), "\n")
	for _, line := range lines {
		var w, i int
		if _, err := fmt.Sscanf(line, "%d:%d", &w, &i); err != nil || i != next[w] {
			t.Fatalf("line %q, want %d:%d (%v)", line, w, next[w], err)
		}
		next[w]++
	}
	if len(lines) != writers*writes {
		t.Errorf("%d lines, want %d", len(lines), writers*writes)
	}
}

func TestAppendAllocatesLittle(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/append", syscall.O_WRONLY)
	data := []byte(strings.Repeat("a line of some length\n", 1000))
	in := fuse.WriteIn{Fh: fh, Size: uint32(len(data))}
	got := testing.AllocsPerRun(20, func() {
		if _, errno := m.tree.ServeWrite(t.Context(), &in, data); errno != 0 {
			t.Fatal(errno)
		}
	})
	if got > 100 {
		t.Errorf("%v allocations in a write of 1000 lines", got)
	}
}
