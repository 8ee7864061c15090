package segment_test

import (
	"bytes"
	"slices"
	"testing"

	"purofs/engine/format"
	"purofs/engine/oracle"
	"purofs/engine/segment"
)

// Some bytes of the records of a block in a row are garbled, 2 to 64 of them, many times. The
// CRC-32C of our blocks notices each time. Puro's blocks have only a check of a byte for each
// record: how often that is not enough is counted, for docs/testing.md.
func TestGarbledRecords(t *testing.T) {
	run := oracle.Start(t, "T7")
	const value = "a record of a hundred bytes or so, neither very small nor large, as records are"
	for name, b := range map[string][]byte{
		"ours": image(block(1, "t", value, value)), "of Puro": bareBlock("t", value, value),
	} {
		t.Run(name, func(t *testing.T) {
			from := bytes.Index(b, []byte(value))
			to := len(b) - format.EndBytes
			missed, rounds := 0, oracle.Size(20_000, 1_000_000)
			for range rounds {
				garbled := bytes.Clone(b)
				n := 2 + run.Rand.IntN(63)
				at := from + run.Rand.IntN(to-from-n)
				for i := at; i < at+n; i++ {
					garbled[i] = byte(run.Rand.Uint32())
				}
				if !bytes.Equal(garbled, b) && !noticed(t, garbled, value) {
					missed++
				}
			}
			run.Count("garbled "+name, rounds)
			run.Count("missed "+name, missed)
			if name == "ours" && missed > 0 || missed > rounds/50 {
				t.Errorf("%d of %d were not noticed", missed, rounds)
			}
		})
	}
}

// noticed tells whether a scan returns nothing but records of that value.
func noticed(t *testing.T, b []byte, value string) bool {
	t.Helper()
	scan := segment.NewScannerOf(bytes.NewReader(b), 0, 0, int64(len(b)))
	scan.Full = true
	defer scan.Release()
	w := walkOn(t, scan)
	return !slices.ContainsFunc(w.values, func(v string) bool { return v != value })
}
