package nodes_test

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes"
)

// Who was refused the rest of a line, or of a raw record, and does not come again with it has not
// written one: a program that prints through a buffer meets a full disk in the middle of a line,
// says so, and exits.
func TestAppendWhoseRestWasRefused(t *testing.T) {
	full := func(m *mount) {
		m.log.onAppend(func(context.Context, *engine.Batch) error { return syscall.ENOSPC })
	}
	room := func(m *mount) { m.log.onAppend(nil) }
	crowded := func(m *mount) { m.tree.SetCarried(nodes.CarryBytesMax) }
	alone := func(m *mount) { m.tree.SetCarried(-nodes.CarryBytesMax) }
	tests := []struct {
		name, file, begun, rest string
		refuse, allow           func(*mount)
		want                    syscall.Errno
	}{
		{"a full disk", "append", "begun ", "rest\n", full, room, syscall.ENOSPC},
		{"in two lines", "append", "begun ", "rest\nmore", full, room, syscall.ENOSPC},
		{"tsv", "append.tsv", "\tbegun ", "rest\n", full, room, syscall.ENOSPC},
		{"jsonl", "append.jsonl", `{"value":"begun `, "rest\"}\n", full, room, syscall.ENOSPC},
		{"too much unfinished", "append", "begun ", "rest", crowded, alone, syscall.ENOBUFS},
		{"raw", "append.raw", "begun ", "rest", crowded, alone, syscall.ENOBUFS},
	}
	for _, test := range tests {
		begin := func(t *testing.T) (*mount, uint64) {
			m := newMount(t, nil)
			m.mkdir("orders")
			fh := m.open("orders/"+test.file, syscall.O_WRONLY|syscall.O_APPEND)
			if errno := m.writeAs(1, fh, test.begun); errno != 0 {
				t.Fatal(errno)
			}
			test.refuse(m)
			if errno := m.writeAs(1, fh, test.rest); errno != test.want {
				t.Fatalf("write: got %v, want %v", errno, test.want)
			}
			test.allow(m)
			return m, fh
		}
		nothing := func(t *testing.T, m *mount) {
			if got := m.cat("orders/log", 100); got != "" {
				t.Errorf("log is %q", got)
			}
			if carried := m.tree.Carried(); carried != 0 {
				t.Errorf("%d bytes are counted as carried", carried)
			}
		}
		t.Run(test.name+"/closed", func(t *testing.T) {
			m, fh := begin(t)
			if errno := m.flush(1, fh); errno != test.want {
				t.Errorf("close: got %v, want %v", errno, test.want)
			}
			m.release(fh)
			nothing(t, m)
		})
		t.Run(test.name+"/killed", func(t *testing.T) {
			m, fh := begin(t)
			m.release(fh)
			nothing(t, m)
		})
		t.Run(test.name+"/synced, written again", func(t *testing.T) {
			m, fh := begin(t)
			errno := syscall.Errno(m.tree.Fsync(nil, &fuse.FsyncIn{Fh: fh}))
			if test.file != "append.raw" && errno != test.want {
				t.Errorf("fsync: got %v, want %v", errno, test.want)
			}
			if errno := m.writeAs(1, fh, test.rest); errno != 0 {
				t.Fatal(errno)
			}
			if errno := m.flush(1, fh); errno != 0 {
				t.Errorf("close: %v", errno)
			}
			if got := m.cat("orders/log", 100); !strings.HasPrefix(got, "begun rest\n") {
				t.Errorf("log is %q", got)
			}
		})
	}
}
