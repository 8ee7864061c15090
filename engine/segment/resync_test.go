package segment_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"purofs/engine/segment"
)

// embedded is a value that is itself a segment, of blocks as new as the block that they stand in,
// and of blocks of Puro.
func embedded() string {
	older := block(1, "t", "EMBEDDED older")
	same := block(20, "t", "EMBEDDED same")
	newer := block(30, "t", "EMBEDDED newer")
	return string(image(older, bareBlock("t", "EMBEDDED bare"), same, newer, tombstoneBlock(40)))
}

// A value that is a piece of a log is never taken for one, wherever the block around it is damaged
// or cut.
func TestSegmentInsideAValue(t *testing.T) {
	before, behind := block(10, "t", "before"), block(50, "t", "behind")
	whole := block(20, "t", strings.Repeat("x", 5000)+embedded())
	t.Run("damaged", func(t *testing.T) {
		for at := range whole {
			if at > 100 && at < 5000 {
				continue // in the x's
			}
			damaged := append([]byte(nil), whole...)
			damaged[at] ^= 0x10
			w := requireOnly(t, image(before, damaged, behind), "before", "behind")
			if len(w.damage) != 1 {
				t.Errorf("byte %d: got damage %v, want one place", at, w.damage)
			}
		}
	})
	t.Run("start zeroed", func(t *testing.T) {
		damaged := append(make([]byte, 4096), whole[4096:]...)
		requireOnly(t, image(before, damaged, behind), "before", "behind")
	})
	t.Run("low", func(t *testing.T) {
		low := append([]byte(nil), whole...)
		low[5] = 0
		for cut := 10; cut <= len(low); cut += 1 + cut/100 {
			requireOnly(t, image(before, low[:cut]), "before")
		}
	})
	t.Run("raised and cut", func(t *testing.T) {
		for cut := 1; cut < len(whole); cut += 1 + cut/100 {
			requireOnly(t, image(before, whole[:cut]), "before")
		}
	})
}

// Where neither end of the block around it can be found, a copy of blocks that came before is told
// by their times.
func TestCopyOfOlderBlocksInsideAValue(t *testing.T) {
	before := image(block(9, "t", "first"), block(10, "t", "before"))
	container := block(20, "t", string(before)+strings.Repeat("x", 100))
	container[2] ^= 0x10
	damaged := join(before, container[:len(container)-20])
	requireOnly(t, join(damaged, block(50, "t", "behind")), "first", "before", "behind")
	requireOnly(t, damaged, "first", "before")
}

// requireOnly checks that just those records are shown, with a limit and without.
func requireOnly(t *testing.T, bytes []byte, values ...string) walk {
	t.Helper()
	_, s := openImage(t, bytes)
	if w := walkAll(t, s, false, int64(len(bytes))); fmt.Sprint(w.values) != fmt.Sprint(values) {
		t.Fatalf("with a limit: got the records %.200q, want %q", w.values, values)
	}
	w := walkAll(t, s, true, segment.NoLimit)
	if fmt.Sprint(w.values) != fmt.Sprint(values) {
		t.Fatalf("got the records %.200q, want %q", w.values, values)
	}
	return w
}

// Every bit of a segment, one after the other: never a record that was not written, and only those
// of the block that it hit are missing.
func TestEveryBitFlipped(t *testing.T) {
	headers := image(block(1, "t", "first", "one"), block(2, "t", "second"), block(3, "t", "third"))
	bare := join(bareBlock("t", "first", "one"), bareBlock("t", "second"), bareBlock("t", "third"))
	for name, bytes := range map[string][]byte{"headers": headers, "of Puro": bare} {
		t.Run(name, func(t *testing.T) {
			dir, s := openImage(t, bytes)
			flipped := append([]byte(nil), bytes...)
			for bit := range 8 * len(bytes) {
				flipped[bit/8] ^= 1 << (bit % 8)
				writeFile(t, dir, segment.Name(0), flipped)
				checkFlip(t, s, bit, int64(len(bytes)))
				flipped[bit/8] ^= 1 << (bit % 8)
			}
		})
	}
}

func checkFlip(t *testing.T, s *segment.Segment, bit int, size int64) {
	t.Helper()
	written := []string{"first", "one", "second", "third"}
	for _, limit := range []int64{size, segment.NoLimit} {
		w := walkAll(t, s, true, limit)
		lost := 0
		for _, v := range written {
			if len(w.values) > 0 && w.values[0] == v {
				w.values = w.values[1:]
			} else {
				lost++
			}
		}
		if len(w.values) > 0 {
			t.Errorf("byte %d bit %d: records that were never written, or not in order: %q",
				bit/8, bit%8, w.values)
		}
		if lost > 2 {
			t.Errorf("byte %d bit %d: %d records lost, by one block: %v, %v",
				bit/8, bit%8, lost, w.damage, w.end)
		}
		if limit == size && lost > 0 && len(w.damage) == 0 || !errors.Is(w.end, io.EOF) && limit == size {
			t.Errorf("byte %d bit %d: %d lost, damage %v, end %v", bit/8, bit%8, lost, w.damage, w.end)
		}
	}
}
