package nodes_test

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"purofs/nodes"
)

// A panickingReader panics once it is armed, once.
type panickingReader struct {
	nodes.Reader
	armed *atomic.Bool
}

func (r *panickingReader) Lines(dst []byte) int {
	if r.armed.Swap(false) {
		panic("a bug\nof a reader")
	}
	return r.Reader.Lines(dst)
}

// A read that panics once it has waited, in the goroutine of somebody else's append, is an I/O
// error of its own. The append, and all other readers, go on, and the mount says what has happened.
func TestPanicOfAReadThatWaited(t *testing.T) {
	var armed atomic.Bool
	m := newMount(t, nil)
	m.log.wrapReaders(func(r nodes.Reader) nodes.Reader { return &panickingReader{r, &armed} })
	m.mkdir("orders")
	m.append("orders", "one\n")
	streams := []uint64{m.open("orders/stream", syscall.O_RDONLY), m.open("orders/stream", 0)}
	var reads []*request
	for _, fh := range streams {
		m.read(fh, 0, 100).want("one\n", 0)
		r := m.read(fh, 4, 100)
		r.waits()
		reads = append(reads, r)
	}
	if text := m.cat(".puro/status.json", 64<<10); !strings.Contains(text, `"healthy": true`) {
		t.Fatalf("before the panic the status is %s", text)
	}

	armed.Store(true)
	m.append("orders", "two\n")

	failed := 0
	for _, r := range reads {
		<-r.done
		switch {
		case r.errno == syscall.EIO:
			failed++
		case r.errno != 0 || r.data != "two\n":
			t.Errorf("a reader got %q, %v", r.data, r.errno)
		}
	}
	if failed != 1 {
		t.Errorf("%d readers failed, want the one that panicked", failed)
	}
	for _, fh := range streams {
		m.read(fh, 4, 100).want("two\n", 0) // the handle is sound
	}
	if text := m.cat(".puro/status.json", 64<<10); !strings.Contains(text, `"healthy": false`) {
		t.Errorf("after the panic the status is %s", text)
	}
	if text := m.cat(".puro/metrics", 64<<10); !strings.Contains(text, "purofs_healthy 0\n") {
		t.Errorf("after the panic the metrics are %s", text)
	}
	told := "READ: panic: a bug?of a reader\n"
	if text := m.cat(".puro/errors", 64<<10); !strings.Contains(text, told) {
		t.Errorf(".puro/errors is %q", text)
	}
}
