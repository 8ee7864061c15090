package nodes_test

import (
	"strings"
	"syscall"
	"testing"

	"purofs/engine"
	"purofs/nodes"
)

// A losingReader meets damage at some records, which are lost by it.
type losingReader struct {
	nodes.Reader
	lost   map[uint64]bool
	passed uint64 // 1 more than the record that was lost last
}

func (r *losingReader) TryNext() (*engine.Record, error) {
	if next := r.Reader.Next(); r.lost[next] && r.passed != next+1 {
		r.passed = next + 1
		if _, err := r.Reader.TryNext(); err != nil {
			return nil, err
		}
		return nil, &engine.DamageError{Segment: 3, Pos: 77, End: 99, Reason: "test"}
	}
	return r.Reader.TryNext()
}

func (r *losingReader) Seek(to engine.Position) error {
	r.passed = 0
	return r.Reader.Seek(to)
}

// Each loss is told once, though damage and missing offsets both show it, and none again to a
// reader that goes back over several.
func TestFormattedLossesAreToldOnce(t *testing.T) {
	for _, file := range []string{"orders/log.tsv", "orders/stream.tsv"} {
		m := newMount(t, nil)
		m.mkdir("orders")
		m.append("orders", "0\n1\n2\n3\n4\n5\n")
		m.log.wrapReaders(func(r nodes.Reader) nodes.Reader {
			return &losingReader{Reader: r, lost: map[uint64]bool{1: true, 3: true}}
		})
		fh := m.open(file, syscall.O_RDONLY)
		m.read(fh, 0, 100).want("\t0\n", 0)
		m.read(fh, 3, 100).want("", syscall.EIO)
		m.read(fh, 3, 100).want("\t2\n", 0)
		m.read(fh, 6, 100).want("", syscall.EIO)
		m.read(fh, 6, 100).want("\t4\n\t5\n", 0)
		for _, back := range []uint64{0, 9, 3, 6, 0} {
			m.read(fh, back, 100).want("\t0\n\t2\n\t4\n\t5\n"[back:], 0)
		}
		if got := m.size(file); got != 12 {
			t.Errorf("%s: size is %d, want 12", file, got)
		}
		m.append("orders", "6\n")
		m.read(fh, 12, 100).want("\t6\n", 0)
	}
}

// A countingReader counts the records that are read.
type countingReader struct {
	nodes.Reader
	records *int
}

func (r *countingReader) TryNext() (*engine.Record, error) {
	*r.records++
	return r.Reader.TryNext()
}

// Who goes back a little pays for a little, however much was read before.
func TestFormattedGoingBack(t *testing.T) {
	const lineBytes, lines, back = 1000, 4000, 100 << 10
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", strings.Repeat(strings.Repeat("x", lineBytes-2)+"\n", lines))
	records := 0
	m.log.wrapReaders(func(r nodes.Reader) nodes.Reader { return &countingReader{r, &records} })
	fh := m.open("orders/log.tsv", syscall.O_RDONLY)
	for at := 0; at < lines*lineBytes; {
		got, errno := m.read(fh, uint64(at), 128<<10).now()
		if errno != 0 || got == "" {
			t.Fatalf("read at %d: %d bytes, %v", at, len(got), errno)
		}
		at += len(got)
	}
	for distance := back; distance < 1<<20; distance += back {
		records = 0
		m.read(fh, uint64(lines*lineBytes-distance), 10).now()
		if records > 100 {
			t.Errorf("%d records were read to go back by %d bytes", records, distance)
		}
	}
}

// Any place of a file that was counted once is found by all who open it for the price of a part of
// it, the end too.
func TestFormattedFarPlaces(t *testing.T) {
	const lineBytes, lines = 1000, 40_000
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", strings.Repeat(strings.Repeat("x", lineBytes-2)+"\n", lines))
	records := 0
	m.log.wrapReaders(func(r nodes.Reader) nodes.Reader { return &countingReader{r, &records} })
	const end = lines * lineBytes
	places := []uint64{1 << 60, end, end - 8192, 1 << 60, end / 2, end / 3, end - 500_000}
	for i, place := range places {
		fh := m.open("orders/log.tsv", syscall.O_RDONLY)
		records = 0
		got, errno := m.read(fh, place, 500).now()
		want := 0
		if place < end {
			want = 500
		}
		if errno != 0 || len(got) != want {
			t.Errorf("at %d: %d bytes, %v, want %d", place, len(got), errno, want)
		}
		if i == 0 {
			continue // it is counted now
		}
		if records > 200 {
			t.Errorf("%d records were read to find %d", records, place)
		}
		m.release(fh)
	}
	fh := m.open("orders/stream.tsv", syscall.O_RDONLY)
	records = 0
	m.read(fh, end+1, 500).want("", syscall.ESPIPE)
	r := m.read(fh, end, 500)
	r.waits()
	if records > 10 {
		t.Errorf("%d records were read to wait at the end", records)
	}
	m.append("orders", "new\n")
	r.want("\tnew\n", 0)
	m.read(fh, end-5, 500).want("xxxx\n\tnew\n", 0)
}

// Who goes over a loss to get to a far place is told, whether or not the places were counted.
func TestFormattedFarPlaceBehindALoss(t *testing.T) {
	for _, counted := range []bool{false, true} {
		m := newMount(t, nil)
		m.mkdir("orders")
		m.append("orders", strings.Repeat(strings.Repeat("x", 998)+"\n", 1000))
		m.log.wrapReaders(func(r nodes.Reader) nodes.Reader {
			return &losingReader{Reader: r, lost: map[uint64]bool{500: true}}
		})
		if counted {
			m.size("orders/log.tsv")
		}
		fh := m.open("orders/log.tsv", syscall.O_RDONLY)
		m.read(fh, 900_995, 10).want("", syscall.EIO)
		m.read(fh, 900_995, 10).want("xxxx\n\txxxx"[:10], 0)
		m.read(fh, 1<<60, 10).want("", 0)
	}
}

// The size of a text that was counted is not that of the topic's next one.
func TestFormattedSizeOfWhatIsLeft(t *testing.T) {
	m := newMount(t, nil)
	other := mountStore(t, m.dir, func(c *nodes.Config) { c.AllowDelete = true })
	m.mkdir("orders")
	m.append("orders", "old\nold too\n")
	if got := m.size("orders/log.tsv"); got != 14 {
		t.Errorf("size is %d, want 14", got)
	}
	other.rmdir("orders")
	other.mkdir("orders")
	other.append("orders", "new\n")
	for _, file := range []string{"orders/log.tsv", "orders/stream.tsv"} {
		if got := m.size(file); got != 5 {
			t.Errorf("size of %s is %d, want 5", file, got)
		}
		m.read(m.open(file, syscall.O_RDONLY), 1, 100).want("new\n", 0)
	}
	m.append("orders", "more\n")
	if got := m.size("orders/log.tsv"); got != 11 {
		t.Errorf("size is %d, want 11", got)
	}
}
