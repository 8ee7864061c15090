package segment_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"purofs/engine/segment"
)

const sectorBytes = 512

// sixBlocks is a segment of 4 KiB: six blocks of a record each, none as small as a sector.
func sixBlocks() (b []byte, blocks [][2]int, values []string) {
	for i := range 6 {
		values = append(values, strings.Repeat(fmt.Sprintf("%d", i), 600+i))
	}
	var all [][]byte
	for i, v := range values {
		all = append(all, block(int64(i+1), "t", v))
	}
	values[5] += strings.Repeat("5", 4096-len(image(all...)))
	all[5] = block(6, "t", values[5])
	b = image(all...)
	at := len(b) - len(join(all...))
	for _, one := range all {
		blocks = append(blocks, [2]int{at, at + len(one)})
		at += len(one)
	}
	return b, blocks, values
}

// Each sector of a disk zeroed, garbled, exchanged with each other one, and overwritten by it:
// records are the ones that were written, or told to be damaged, and only those are missing of
// whose blocks some byte has changed.
func TestEverySectorDamaged(t *testing.T) {
	sound, blocks, values := sixBlocks()
	if len(sound) != 8*sectorBytes {
		t.Fatalf("got a segment of %d bytes, want 4 KiB", len(sound))
	}
	dir, s := openImage(t, sound)
	check := func(what string, b []byte) {
		t.Helper()
		writeFile(t, dir, segment.Name(0), b)
		w := walkAll(t, s, true, int64(len(b)))
		var want []string
		for i, place := range blocks {
			if bytes.Equal(b[place[0]:place[1]], sound[place[0]:place[1]]) {
				want = append(want, values[i])
			}
		}
		if !slices.Equal(w.values, want) {
			t.Errorf("%s: got %d records, want the %d of unchanged blocks", what, len(w.values), len(want))
		}
		if len(want) < len(values) && len(w.damage) == 0 || !errors.Is(w.end, io.EOF) {
			t.Errorf("%s: %d records, but damage %v, end %v", what, len(want), w.damage, w.end)
		}
		for _, err := range w.damage {
			var d *segment.DamageError
			if !errors.As(err, &d) || d.Pos < 0 || d.End > int64(len(b)) || d.Pos >= d.End {
				t.Errorf("%s: got %v, want a place", what, err)
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 2)) // what is garbled is the same each time
	for i := range 8 {
		sector := func(b []byte, i int) []byte { return b[i*sectorBytes:][:sectorBytes] }
		b := bytes.Clone(sound)
		clear(sector(b, i))
		check(fmt.Sprintf("sector %d zeroed", i), b)
		for round := range 20 {
			b = bytes.Clone(sound)
			for at := range sector(b, i) {
				sector(b, i)[at] = byte(rng.Uint32())
			}
			check(fmt.Sprintf("sector %d garbled, round %d", i, round), b)
		}
		for j := range 8 {
			b = bytes.Clone(sound)
			copy(sector(b, i), sector(sound, j))
			check(fmt.Sprintf("sector %d overwritten by %d", i, j), b)
			copy(sector(b, j), sector(sound, i))
			check(fmt.Sprintf("sectors %d and %d exchanged", i, j), b)
		}
	}
}
