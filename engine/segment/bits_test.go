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

	"purofs/engine/format"
	"purofs/engine/oracle"
	"purofs/engine/segment"
)

// A specimen is a segment that is going to be damaged, and what is in each of its blocks.
type specimen struct {
	bytes  []byte
	bare   bool     // of blocks of Puro
	places [][2]int // of the blocks
	values [][]string
}

// fourKiB are two segments of 4 KiB of six blocks, one of ours and one of Puro's.
func fourKiB() []*specimen {
	ours := new(specimen)
	var values []string
	ours.bytes, ours.places, values = sixBlocks()
	for _, v := range values {
		ours.values = append(ours.values, []string{v})
	}
	puro := &specimen{bare: true}
	for i := range 6 {
		puro.add(bareBlock("t", values[i][:300], values[i][300:]), values[i][:300], values[i][300:])
	}
	return []*specimen{ours, puro}
}

func (s *specimen) add(block []byte, values ...string) {
	s.places = append(s.places, [2]int{len(s.bytes), len(s.bytes) + len(block)})
	s.bytes = append(s.bytes, block...)
	s.values = append(s.values, values)
}

// randomSpecimen has any number of blocks, and of records and topics in each.
func randomSpecimen(rng *rand.Rand, bare bool) *specimen {
	s := &specimen{bare: bare}
	if !bare {
		s.bytes = slices.Clone(format.Magic[:])
	}
	for time := range 1 + rng.IntN(12) {
		var body []byte
		var runs []format.Run
		var topics, values []string
		for range 1 + rng.IntN(6) {
			topic := []string{"t", "orders", strings.Repeat("n", 255)}[rng.IntN(3)]
			key := make([]byte, rng.IntN(20))
			value := make([]byte, rng.IntN(1+rng.IntN(400)))
			for i := range value {
				value[i] = byte(rng.Uint32())
			}
			body = format.AppendRecord(body, []byte(topic), key, value)
			values = append(values, string(value))
			i := slices.Index(topics, topic)
			if i < 0 {
				i = len(runs)
				topics = append(topics, topic)
				runs = append(runs, format.Run{Offset: rng.Uint64N(1 << 40)})
			}
			runs[i].Records++
			runs[i].ValueBytes += uint64(len(value))
		}
		var header []byte
		if !bare {
			header = format.AppendHeader(nil, int64(time+1), runs, body)
		}
		s.add(raise(frame(header, body)), values...)
	}
	return s
}

// T7: every bit of a segment flipped, and every length cut off. No record is ever shown that was
// not written, the damage is told of, and costs the block that it hits and no other one. The checks
// of Puro's blocks are a byte for each record, and forget the more the longer it is: how often that
// is not enough is counted, and changes no other record.
func TestEveryBitFlipped(t *testing.T) {
	run := oracle.Start(t, "T7")
	specimens := fourKiB()
	for i := range oracle.Size(0, 100) {
		specimens = append(specimens, randomSpecimen(run.Rand, i%2 == 1))
	}
	for i, s := range specimens {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			bits, missed := 0, 0
			b := bytes.Clone(s.bytes)
			for bit := run.Rand.IntN(raceStride); bit < 8*len(b); bit += raceStride {
				b[bit/8] ^= 1 << (bit % 8)
				if !s.checkFlip(t, b, bit) {
					missed++
				}
				b[bit/8] ^= 1 << (bit % 8)
				bits++
			}
			for n := range s.bytes {
				s.checkCut(t, n)
			}
			run.Count("cuts", len(s.bytes))
			kind := map[bool]string{false: "ours", true: "of Puro"}[s.bare]
			run.Count("flips "+kind, bits)
			run.Count("missed "+kind, missed)
			if missed > 0 && !s.bare || missed > bits/4 {
				t.Errorf("%d of %d bits were not noticed", missed, bits)
			}
		})
		if t.Failed() {
			t.Fatalf("run it again with: %s", run.Again())
		}
	}
}

// checkFlip scans the segment, of which a bit is wrong, and tells whether that was noticed.
func (s *specimen) checkFlip(t *testing.T, b []byte, bit int) bool {
	t.Helper()
	hit := slices.IndexFunc(s.places, func(p [2]int) bool { return p[0] <= bit/8 && bit/8 < p[1] })
	var all, others []string
	for i, values := range s.values {
		all = append(all, values...)
		if i != hit {
			others = append(others, values...)
		}
	}
	noticed := true
	for _, limit := range []int64{int64(len(b)), segment.NoLimit} {
		w := scanBytes(t, b, limit)
		switch {
		case slices.Equal(w.values, others):
			// A segment whose end nobody knows may end in the block that is hit.
			told := len(w.damage) > 0 || limit == segment.NoLimit && !errors.Is(w.end, io.EOF)
			if !told && hit >= 0 && len(s.values[hit]) > 0 {
				t.Errorf("byte %d bit %d: lost a block, and nothing told of it", bit/8, bit%8)
			}
		case slices.Equal(w.values, all):
			// In the magic, or what stands in a record besides its value.
			noticed = noticed && len(w.damage) > 0
		case s.bare && len(w.values) == len(all) && differences(w.values, all) == 1:
			noticed = false
		default:
			t.Errorf("byte %d bit %d of %d: got %d records of %d: %v, %v", bit/8, bit%8, len(b),
				len(w.values), len(all), w.damage, w.end)
		}
	}
	return noticed
}

// differences is how many values are not the same.
func differences(got, want []string) (n int) {
	for i := range got {
		if got[i] != want[i] {
			n++
		}
	}
	return n
}

// checkCut scans the first n bytes of the segment.
func (s *specimen) checkCut(t *testing.T, n int) {
	t.Helper()
	var want []string
	whole := n == 0 || !s.bare && n == len(format.Magic)
	for i, p := range s.places {
		if p[1] <= n {
			want = append(want, s.values[i]...)
		}
		whole = whole || p[1] == n
	}
	for _, limit := range []int64{int64(n), segment.NoLimit} {
		w := scanBytes(t, s.bytes[:n], limit)
		end := io.EOF
		if !whole && limit == segment.NoLimit {
			end = segment.ErrTorn
		}
		told := !whole && limit == int64(n)
		if !slices.Equal(w.values, want) || !errors.Is(w.end, end) || len(w.damage) > 0 != told {
			t.Errorf("cut to %d bytes, limit %d: got %d records, want %d; %v, %v", n, limit,
				len(w.values), len(want), w.damage, w.end)
		}
	}
}

// scanBytes walks over bytes as a segment, with all checks.
func scanBytes(t *testing.T, b []byte, limit int64) walk {
	t.Helper()
	scan := segment.NewScannerOf(bytes.NewReader(b), 0, 0, limit)
	scan.Full = true
	defer scan.Release()
	return walkOn(t, scan)
}
