package index_test

import (
	"fmt"
	"testing"

	"purofs/engine/index"
)

const gap = 32 << 10 // of two marks of a topic, at least

func TestEmptyIndexHasNoMark(t *testing.T) {
	var x index.Index
	if m, ok := x.ByOffset("t", 0); ok {
		t.Errorf("got %+v", m)
	}
	x.Add("t", index.Mark{Pos: 9})
	if m, ok := x.ByOffset("other", 0); ok {
		t.Errorf("another topic: got %+v", m)
	}
}

// Blocks of ten records and a hundred bytes of text each, as far apart as two marks.
func fill(n int) *index.Index {
	x := new(index.Index)
	for i := range n {
		x.Add("t", index.Mark{
			Pos: int64(i) * gap, Offset: uint64(10 * i), Text: uint64(100 * i), Time: int64(1000 * i),
		})
	}
	return x
}

func TestLookups(t *testing.T) {
	x := fill(5)
	tests := []struct {
		name string
		find func() (index.Mark, bool)
		want int // which block
	}{
		{"first offset", func() (index.Mark, bool) { return x.ByOffset("t", 0) }, 0},
		{"offset inside", func() (index.Mark, bool) { return x.ByOffset("t", 19) }, 1},
		{"offset at a block", func() (index.Mark, bool) { return x.ByOffset("t", 20) }, 2},
		{"offset beyond", func() (index.Mark, bool) { return x.ByOffset("t", 1<<60) }, 4},
		{"first byte", func() (index.Mark, bool) { return x.ByText("t", 0) }, 0},
		{"byte inside", func() (index.Mark, bool) { return x.ByText("t", 399) }, 3},
		{"byte at a block", func() (index.Mark, bool) { return x.ByText("t", 400) }, 4},
		{"time before all", func() (index.Mark, bool) { return x.ByTime("t", -5) }, 0},
		// Several blocks may have one time, so the one at that time is too late.
		{"time at a block", func() (index.Mark, bool) { return x.ByTime("t", 2000) }, 1},
		{"time after a block", func() (index.Mark, bool) { return x.ByTime("t", 2001) }, 2},
		{"time after all", func() (index.Mark, bool) { return x.ByTime("t", 1<<60) }, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, ok := tt.find()
			if !ok || m.Pos != int64(tt.want)*gap {
				t.Errorf("got %+v, %t, want block %d", m, ok, tt.want)
			}
		})
	}
}

// However dense the blocks are, a lookup gives one that is not behind what is looked for, and
// little before it.
func TestLookupsAreNear(t *testing.T) {
	for _, blockBytes := range []int64{50, 1000, gap - 1, gap, 3 * gap} {
		t.Run(fmt.Sprint(blockBytes), func(t *testing.T) {
			x := new(index.Index)
			const blocks = 2000
			for i := range int64(blocks) {
				x.Add("t", index.Mark{Pos: i * blockBytes, Offset: uint64(i)})
			}
			for i := range int64(blocks) {
				m, ok := x.ByOffset("t", uint64(i))
				if far := i*blockBytes - m.Pos; !ok || far < 0 || far >= gap {
					t.Fatalf("record %d: got a mark %d bytes before it", i, far)
				}
			}
		})
	}
}

func ExampleIndex() {
	var x index.Index
	x.Add("orders", index.Mark{Pos: 9, Offset: 0})
	x.Add("orders", index.Mark{Pos: 50_000, Offset: 700})
	m, found := x.ByOffset("orders", 712)
	fmt.Println(m.Pos, m.Offset, found)
	// Output: 50000 700 true
}
