package segment_test

import (
	"fmt"
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
