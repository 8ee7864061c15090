package segment_test

import (
	"bytes"
	"errors"
	"runtime/metrics"
	"testing"

	"purofs/engine/format"
	"purofs/engine/segment"
)

// FuzzScanSegment: whatever bytes a segment holds, a scan comes to an end, and each block that it
// returns, or damaged place that it tells of, is a part of the bytes behind the one before it. What
// the bytes say of their own length makes nobody take memory for it.
func FuzzScanSegment(f *testing.F) {
	whole := image(block(1, "t", "first", "one"), block(2, "u", "second"), tombstoneBlock(3))
	f.Add(whole)
	f.Add(whole[:len(whole)-5])
	f.Add(append(bytes.Clone(whole), whole...))
	f.Add(append(bytes.Clone(whole), make([]byte, 100)...))
	f.Add(join(bareBlock("t", "first", "one"), bareBlock("u", "second")))
	f.Add(join(whole[:20], bytes.Repeat([]byte{0xa5}, 100), whole[20:]))
	f.Add(image(block(1, "t", string(whole)), lowBlock(2, "t", "low")))
	// Starts of blocks of 64 MiB, which are not there: alone, and behind damage.
	endless := raise(format.AppendStart(nil, format.BlockBytesMax-format.EndBytes))
	f.Add(image(endless))
	f.Add(image(block(1, "t", "a"), []byte("damage"), endless, []byte("and more"), endless))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := allocated()
		for _, full := range []bool{false, true} {
			for _, limit := range []int64{int64(len(b)), segment.NoLimit} {
				scan := segment.NewScannerOf(bytes.NewReader(b), 0, 0, limit)
				scan.Full = full
				requireInside(t, scan, b)
				scan.Release()
			}
		}
		if got, most := allocated()-before, uint64(scanBytesMax+64*len(b)); got > most {
			t.Fatalf("scanning %d bytes took %d bytes of memory, at most %d are right", len(b), got, most)
		}
	})
}

// scanBytesMax is for the windows of the four scans, and what each of them searches with.
const scanBytesMax = 8 << 20

// allocated is how many bytes of memory this process has ever asked for.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// requireInside scans to the end. Each step moves the scanner on by a byte at least.
func requireInside(t *testing.T, scan *segment.Scanner, b []byte) {
	t.Helper()
	var damage *segment.DamageError
	for {
		before := scan.Pos()
		found, err := scan.Next()
		switch {
		case err == nil:
			requireBlockInside(t, scan, found, before, b)
		case errors.As(err, &damage) && damage.End >= 0:
			if damage.Pos < before || damage.End > int64(len(b)) {
				t.Fatalf("at byte %d of %d: %v", before, len(b), damage)
			}
		default:
			return
		}
		if scan.Pos() <= before {
			t.Fatalf("the scanner stays at byte %d: %v", before, err)
		}
	}
}

// requireBlockInside checks the place of a block that was found behind a place, and that its
// records are the bytes that stand there.
func requireBlockInside(
	t *testing.T, scan *segment.Scanner, found *segment.Block, behind int64, b []byte,
) {
	t.Helper()
	if found.Pos < behind || found.End < found.Pos || found.End > int64(len(b)) {
		t.Fatalf("a block from byte %d to %d, behind %d of %d", found.Pos, found.End, behind, len(b))
	}
	inside := b[found.Pos : found.End-format.EndBytes]
	for _, run := range found.Runs {
		if !bytes.Contains(inside, run.Topic) {
			t.Fatalf("topic %q is not in the block at byte %d", run.Topic, found.Pos)
		}
	}
	if records, err := scan.Body(); err == nil && !bytes.HasSuffix(inside, records) {
		t.Fatalf("the block at byte %d has not the records %q", found.Pos, records)
	}
}
