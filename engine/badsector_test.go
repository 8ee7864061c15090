package engine_test

import (
	"errors"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"purofs/engine"
	"purofs/engine/disk"
)

// A badSector is one of a disk that cannot be read, until it is mended.
type badSector struct {
	pos    int64
	mended atomic.Bool
}

func (b *badSector) Before(op *disk.Op) error {
	if op.Kind == disk.OpRead && !b.mended.Load() && op.At <= b.pos && b.pos < op.At+int64(op.Limit) {
		return syscall.EIO
	}
	return nil
}

func (b *badSector) After(*disk.Op, int, error) {}

// Who comes to a sector that cannot be read goes no further (N18 of docs/guarantees.md), and
// neither skips a record nor gets one twice when it can be read after all.
func TestUnreadableSector(t *testing.T) {
	const records = 2000
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	for i := range records {
		appendTo(t, l, "t", strconv.Itoa(i))
	}
	closeLog(t, l)
	sector := &badSector{pos: 100_000}
	r, err := open(t, dir, engine.Options{FileHook: sector}).OpenReader("t", engine.Start())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	next := uint64(0)
	for refused := 0; next < records; {
		record, err := r.TryNext()
		switch {
		case errors.Is(err, syscall.EIO) && !errors.Is(err, engine.ErrDamaged):
			refused++
			sector.mended.Store(refused == 3)
		case err != nil:
			t.Fatalf("record %d: %v", next, err)
		case record.Offset != next || string(record.Value) != strconv.FormatUint(next, 10):
			t.Fatalf("got record %d, %q, want %d", record.Offset, record.Value, next)
		case refused > 0 && refused < 3:
			t.Fatalf("got record %d from behind the sector", next)
		default:
			next++
		}
	}
	if !sector.mended.Load() {
		t.Error("nobody came to the sector")
	}
}
