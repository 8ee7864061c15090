package nodes_test

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// However many files are read at a time, what they hold of the log together is bounded, and none of
// them misses anything when it has to give back what it held.
func TestReadersHoldLittle(t *testing.T) {
	const limit, records = 1 << 20, 5000
	value := fmt.Sprintf("%099d", 7)
	m := newCursor(t, strings.Repeat(value+"\n", records), nil)
	m.tree.LimitHeld(limit)
	var readers sync.WaitGroup
	for _, file := range []string{
		"log", "log.jsonl", "stream", "stream.tsv", "stream.raw", "from/0.jsonl",
	} {
		for range 10 {
			readers.Go(func() {
				fh := m.open("orders/"+file, syscall.O_RDONLY|syscall.O_NONBLOCK)
				defer m.release(fh)
				if got := strings.Count(m.readInPieces(fh), value); got != records {
					t.Errorf("%s: got %d records, want %d", file, got, records)
				}
			})
		}
	}
	readers.Wait()
	if held := m.tree.Held(); held != 0 {
		t.Errorf("%d bytes are held, and all files are closed", held)
	}
	for range 100 {
		fh := m.open("orders/log", syscall.O_RDONLY)
		defer m.release(fh)
		m.read(fh, 0, 100).now()
		if held := m.tree.Held(); held > limit {
			t.Fatalf("%d bytes are held, want at most %d", held, limit)
		}
	}
	if held := m.tree.Held(); held < limit/2 {
		t.Errorf("%d bytes are held: the files did not have to give any back", held)
	}
}

// readInPieces reads a file to its end, or until it would have to wait.
func (m *mount) readInPieces(fh uint64) string {
	m.Helper()
	var text strings.Builder
	for {
		data, errno := m.read(fh, uint64(text.Len()), 4000).now()
		if errno != 0 && errno != syscall.EAGAIN {
			m.Errorf("read at %d: %v", text.Len(), errno)
		}
		if data == "" {
			return text.String()
		}
		text.WriteString(data)
	}
}
