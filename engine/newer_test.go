package engine_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"purofs/engine"
	"purofs/engine/format"
)

// newer makes a block one that only a newer version of purofs can read: of the flags of its header
// that say so, one is set.
func newer(t *testing.T, block []byte) {
	t.Helper()
	inside := block[format.StartBytes : len(block)-format.EndBytes]
	header, n, err := format.ParseRecord(inside)
	if err != nil {
		t.Fatal(err)
	}
	value := header.Value
	value[1] |= 1 << 4
	crc := format.CRC32C(format.CRC32C(0, value[:10]), value[14:])
	binary.BigEndian.PutUint32(value[10:], format.CRC32C(crc, inside[n:]))
	copy(inside, format.AppendRecord(nil, header.Topic, nil, value))
}

// What a newer version of purofs wrote is told of like damage, but nothing removes or replaces it:
// for that version it is sound. Nothing is appended behind it either, for only that version knows
// which offsets it has used.
func TestBlocksOfANewerVersion(t *testing.T) {
	for _, at := range []int{2, 4} {
		t.Run(fmt.Sprintf("block %d of five", at), func(t *testing.T) {
			dir, segment, starts := fiveBlocks(t)
			newer(t, segment[starts[at]:starts[at+1]])
			writeFile(t, segmentPath(dir, 0), segment)
			// As after a crash of the machine that nothing behind block 0 is known to have survived.
			crashed := func(c *format.Checkpoint) { c.BootID[0]++; c.SyncedPos = int64(starts[1]) }
			writeFile(t, filepath.Join(dir, "checkpoint"), checkpointOf(t, dir, crashed))
			l := open(t, dir, small)
			values, damage := drain(t, reader(t, l, "t", engine.Start()))
			if len(values) != 4 || len(damage) != 1 || !errors.Is(damage[0], engine.ErrVersion) {
				t.Errorf("got %q, %v, want 4 records and ErrVersion", values, damage)
			}
			var b engine.Batch
			b.Add("t", nil, []byte("x"))
			if err := l.Append(t.Context(), &b); !errors.Is(err, engine.ErrVersion) {
				t.Errorf("appending: got %v, want ErrVersion", err)
			}
			closeLog(t, l)
			report, err := engine.Repair(t.Context(), dir, engine.Options{}, nil)
			if err != nil || len(report.Steps) != 0 || len(report.Left) != 1 {
				t.Errorf("repairing: got %v, left %v, %v, want the block left", report.Steps, report.Left, err)
			}
			if !bytes.Equal(readFile(t, segmentPath(dir, 0)), segment) {
				t.Error("the segment was changed")
			}
		})
	}
}
