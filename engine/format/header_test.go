package format_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"purofs/engine/format"
)

// headerValue is the value of a header record of those runs.
func headerValue(t testing.TB, time int64, runs []format.Run, pieces ...[]byte) []byte {
	t.Helper()
	return walkRecord(t, format.AppendHeader(nil, time, runs, pieces...)).Value
}

func TestHeaderRoundTrip(t *testing.T) {
	many := make([]format.Run, 300)
	for i := range many {
		many[i] = format.Run{Offset: uint64(i) << 30, Records: uint64(i), ValueBytes: uint64(i * i)}
	}
	tests := []struct {
		name string
		time int64
		runs []format.Run
	}{
		{"no topics", 0, nil},
		{"one topic", nativeTime, []format.Run{{Offset: 1, Records: 2, ValueBytes: 3}}},
		{"before 1970", -1, []format.Run{{Offset: 1, Records: 2, ValueBytes: 3}}},
		{"largest numbers", math.MaxInt64, []format.Run{
			{Offset: 1 << 62, Records: format.BlockBytesMax, ValueBytes: format.BlockBytesMax},
		}},
		{"many topics", 1, many},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pieces := [][]byte{[]byte("what "), nil, []byte("follows")}
			h, err := format.ParseHeader(headerValue(t, tt.time, tt.runs, pieces...))
			if err != nil {
				t.Fatal(err)
			}
			if h.Time != tt.time || h.Sparse {
				t.Errorf("got time %d, sparse %t, want %d, false", h.Time, h.Sparse, tt.time)
			}
			if err := h.CheckCRC([]byte("what follows")); err != nil {
				t.Error(err)
			}
			if err := h.CheckCRC([]byte("what follow")); !errors.Is(err, format.ErrCheck) {
				t.Errorf("with a byte less: got %v, want %v", err, format.ErrCheck)
			}
			if got := readRuns(t, &h); !reflect.DeepEqual(got, tt.runs) {
				t.Errorf("got runs %v, want %v", got, tt.runs)
			}
		})
	}
}

// headerFields is a header's value up to the number of topics: version, flags, time, CRC.
const headerFields = "01 00  00 00 00 00 00 00 00 00  00 00 00 00 "

func TestParseHeaderRefuses(t *testing.T) {
	tests := []struct {
		name, in string
		want     error
	}{
		{"nothing", "", format.ErrKind},
		{"version 0", "00 00 01 02 03 04 05 06 07", format.ErrKind},
		{"version 2, whatever follows", "02 ff", format.ErrKind},
		{"only a version", "01", format.ErrLength},
		{"no number of topics", headerFields, format.ErrLength},
		{"unfinished number of topics", headerFields + "80", format.ErrLength},
		{"a topic that is not there", headerFields + "01", format.ErrLength},
		{"more topics than there is room for", headerFields + "02 00 01 00 00 01", format.ErrLength},
		{
			"topics as many as a uint64 can say",
			headerFields + "ff ff ff ff ff ff ff ff ff 01 00 01 00", format.ErrLength,
		},
		{
			"topics in more bytes than a uint64 takes",
			headerFields + "ff ff ff ff ff ff ff ff ff 02 00 01 00", format.ErrLength,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := format.ParseHeader(unhex(t, tt.in)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// Bits 4 to 7 change what a block means; the others may be ignored by who does not know them.
func TestHeaderFlags(t *testing.T) {
	for bit := range 8 {
		value := headerValue(t, 1, []format.Run{{Records: 1}})
		value[1] = 1 << bit
		h, err := format.ParseHeader(value)
		if bit >= 4 {
			if !errors.Is(err, format.ErrVersion) {
				t.Errorf("flag %#x: got %v, want %v", value[1], err, format.ErrVersion)
			}
			continue
		}
		if err != nil {
			t.Errorf("flag %#x: %v", value[1], err)
		}
		if want := bit == 0; h.Sparse != want {
			t.Errorf("flag %#x: got sparse %t, want %t", value[1], h.Sparse, want)
		}
	}
}

func TestNextRunRefuses(t *testing.T) {
	tests := []struct{ name, run string }{
		{"cut in the offset", "80 80 80"},
		{"cut in the records", "05 80 80"},
		{"cut in the bytes", "05 05 80"},
		{"offset beyond the limit", "81 80 80 80 80 80 80 80 40 01 00"},
		{"more records than a block has bytes", "00 81 80 80 20 00"},
		{"more value bytes than a block has", "00 01 81 80 80 20"},
		{"number of eleven bytes", "ff ff ff ff ff ff ff ff ff ff 00 01 00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := format.ParseHeader(unhex(t, headerFields+"01"+tt.run))
			if err != nil {
				t.Fatal(err)
			}
			if run, err := h.NextRun(); !errors.Is(err, format.ErrLength) {
				t.Errorf("got %+v, %v, want %v", run, err, format.ErrLength)
			}
		})
	}
}

// Asking for more runs than Topics is a mistake of the caller, but not a dangerous one.
func TestNextRunBeyondTheLast(t *testing.T) {
	h, err := format.ParseHeader(headerValue(t, 1, []format.Run{{Records: 1}}))
	if err != nil {
		t.Fatal(err)
	}
	readRuns(t, &h)
	for range 2 {
		if run, err := h.NextRun(); !errors.Is(err, format.ErrLength) {
			t.Errorf("got %+v, %v, want %v", run, err, format.ErrLength)
		}
	}
}

// A sparse block says, behind the runs, how many offsets were left out before each record.
func TestNextSkip(t *testing.T) {
	value := append(headerValue(t, 1, []format.Run{{Offset: 7, Records: 2}}), unhex(t, "00 ac 02")...)
	value[1] = 1
	h, err := format.ParseHeader(value)
	if err != nil {
		t.Fatal(err)
	}
	readRuns(t, &h)
	for _, want := range []uint64{0, 300} {
		if got, err := h.NextSkip(); got != want || err != nil {
			t.Errorf("got %d, %v, want %d", got, err, want)
		}
	}
	if got, err := h.NextSkip(); !errors.Is(err, format.ErrLength) {
		t.Errorf("behind the last: got %d, %v, want %v", got, err, format.ErrLength)
	}

	h, err = format.ParseHeader(unhex(t, headerFields+"00"+uint64Max))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.NextSkip(); !errors.Is(err, format.ErrLength) {
		t.Errorf("beyond the limit: got %d, %v, want %v", got, err, format.ErrLength)
	}
}

func TestHeaderCutAnywhere(t *testing.T) {
	value := headerValue(t, 1, []format.Run{{Offset: 300, Records: 2, ValueBytes: 3}, {Records: 1}})
	for n := range value {
		h, err := format.ParseHeader(value[:n:n])
		for i := 0; err == nil && i < h.Topics; i++ {
			_, err = h.NextRun()
		}
		want := format.ErrLength
		if n == 0 {
			want = format.ErrKind
		}
		if !errors.Is(err, want) {
			t.Errorf("%d bytes: got %v, want %v", n, err, want)
		}
	}
}

// One wrong bit in what frames a header, or in its version, is told by the CRC-32C where the check
// of a byte misses it, whatever bit it is, and however long the header. What is not a header is
// none.
func TestHeaderSpoiled(t *testing.T) {
	for _, topics := range []int{0, 1, 40, 2000} {
		body := format.AppendRecord(nil, []byte("t"), []byte("key"), []byte("value"))
		b := append(format.AppendHeader(nil, 1<<60, make([]format.Run, topics), body), body...)
		record, n, err := format.ParseRecord(b)
		if err != nil {
			t.Fatal(err)
		}
		version := n - len(record.Value)
		for bit := 8; bit < 8*(version+1); bit++ {
			b[bit/8] ^= 1 << (bit % 8)
			before := bytes.Clone(b)
			if !format.HeaderSpoiled(b) {
				t.Errorf("%d topics: byte %d bit %d is not told", topics, bit/8, bit%8)
			}
			if !bytes.Equal(b, before) {
				t.Fatalf("byte %d bit %d: the bytes were changed", bit/8, bit%8)
			}
			b[bit/8] ^= 1 << (bit % 8)
		}
		b[len(b)-1] ^= 1 // then it is not that bit alone
		b[version] ^= 1
		if format.HeaderSpoiled(b) {
			t.Errorf("%d topics: a header that has more wrong with it is told of", topics)
		}
	}
	if b := format.AppendRecord(nil, []byte{'$'}, nil, []byte("\x01")); format.HeaderSpoiled(b) {
		t.Errorf("a record is told of")
	}
}
