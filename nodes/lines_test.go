package nodes_test

import (
	"strings"
	"syscall"
	"testing"

	"purofs/engine"
	"purofs/nodes"
	"purofs/nodes/codec"
)

// A seekingReader counts the searches.
type seekingReader struct {
	nodes.Reader
	seeks *int
}

func (r *seekingReader) Seek(to engine.Position) error {
	*r.seeks++
	return r.Reader.Seek(to)
}

// A shell that reads lines reads 4 KiB and seeks back to the end of each line. That must not become
// a search in the log, whose cost is that of the block: `while read` over a large block would take
// minutes.
func TestReadingByLinesDoesNotSearch(t *testing.T) {
	const readBytes = 4096
	for _, file := range []string{
		"orders/log", "orders/stream", "orders/from/start",
		"orders/log.jsonl", "orders/stream.tsv", "orders/from/start.jsonl",
	} {
		for _, line := range []string{"a", strings.Repeat("b", 100), strings.Repeat("c", 5000)} {
			m := newMount(t, nil)
			m.mkdir("orders")
			m.append("orders", strings.Repeat(line+"\n", 2000))
			text := m.text("orders", formatOf(file))
			seeks := 0
			m.log.wrapReaders(func(r nodes.Reader) nodes.Reader { return &seekingReader{r, &seeks} })
			fh := m.open(file, syscall.O_RDONLY)
			for at := 0; at < len(text); {
				r := m.read(fh, uint64(at), readBytes)
				got, errno := r.now()
				if errno != 0 || got == "" || !strings.HasPrefix(text[at:], got) {
					t.Fatalf("%s at %d: got %.20q, %v", file, at, got, errno)
				}
				if end := strings.IndexByte(got, '\n'); end >= 0 {
					at += end + 1
				} else {
					at += len(got)
				}
			}
			if seeks > 2 {
				t.Errorf("%s, lines of %d bytes: searched %d times", file, len(line), seeks)
			}
		}
	}
}

func formatOf(file string) codec.Format {
	_, format := codec.CutSuffix(file)
	return format
}
