package format

import (
	"encoding/binary"
	"math"
	"testing"
)

func TestVarint(t *testing.T) {
	ff := func(n int, last byte) []byte {
		b := make([]byte, n, n+1)
		for i := range b {
			b[i] = 0xff
		}
		return append(b, last)
	}
	tests := []struct {
		name     string
		in       []byte
		bytesMax int
		v        uint64
		n        int
	}{
		{"nothing", nil, 4, 0, 0},
		{"zero", []byte{0}, 4, 0, 1},
		{"one byte", []byte{0x7f, 0xff}, 4, 127, 1},
		{"two bytes", []byte{0x80, 0x01}, 4, 128, 2},
		{"not minimal", []byte{0x85, 0x80, 0x00}, 4, 5, 3},
		{"unfinished", []byte{0x80, 0x80, 0x80}, 4, 0, 0},
		{"largest of a framing", ff(3, 0x7f), 4, FrameMax, 4},
		{"four bytes, all with more to come", ff(3, 0x80), 4, 0, -1},
		{"five bytes in a framing", ff(4, 0x01), 4, 0, -1},
		{"five bytes in a value", ff(4, 0x01), 10, 1<<29 - 1, 5},
		{"largest uint64", ff(9, 0x01), 10, math.MaxUint64, 10},
		{"a bit beyond a uint64", ff(9, 0x02), 10, 0, -1},
		{"eleven bytes", ff(10, 0x01), 10, 0, -1},
		{"ten bytes, all with more to come", ff(9, 0xff), 10, 0, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if v, n := varint(tt.in, tt.bytesMax); v != tt.v || n != tt.n {
				t.Errorf("varint(% x, %d): got %d, %d, want %d, %d",
					tt.in, tt.bytesMax, v, n, tt.v, tt.n)
			}
			if tt.bytesMax != frameVarintBytesMax {
				return
			}
			if v, n := frameVarint(tt.in); uint64(v) != tt.v || n != tt.n {
				t.Errorf("frameVarint(% x): got %d, %d, want %d, %d", tt.in, v, n, tt.v, tt.n)
			}
		})
	}
}

// Around each power of 128 the number of bytes changes.
func TestVarintRoundTrip(t *testing.T) {
	for shift := 0; shift < 64; shift += 7 {
		for _, v := range []uint64{1<<shift - 1, 1 << shift, 1<<shift + 1, math.MaxUint64 >> shift} {
			b := appendVarint(nil, v)
			if want := binary.AppendUvarint(nil, v); string(b) != string(want) {
				t.Errorf("appendVarint(%d): got % x, want % x", v, b, want)
			}
			if got := varintBytes(v); got != len(b) {
				t.Errorf("varintBytes(%d): got %d, want %d", v, got, len(b))
			}
			if got, n := varint(b, valueVarintBytesMax); got != v || n != len(b) {
				t.Errorf("varint(% x): got %d, %d, want %d, %d", b, got, n, v, len(b))
			}
		}
	}
}

// FuzzVarint compares with encoding/binary, which differs only in calling ten bytes that all have
// more to come too short, where we know already that they are too long.
func FuzzVarint(f *testing.F) {
	for _, seed := range []string{"", "\x00", "\x80\x01", "\xff\xff\xff\x7f", "\xff\xff\xff\xff\x01",
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, n := varint(b, valueVarintBytesMax)
		wantV, wantN := binary.Uvarint(b)
		if wantN < 0 || wantN == 0 && len(b) >= valueVarintBytesMax {
			wantV, wantN = 0, -1
		}
		if v != wantV || n != wantN {
			t.Errorf("varint(% x): got %d, %d, want %d, %d", b, v, n, wantV, wantN)
		}

		frame, w := frameVarint(b)
		switch {
		case n >= 1 && n <= frameVarintBytesMax:
			if w != n || uint64(frame) != v {
				t.Errorf("frameVarint(% x): got %d, %d, want %d, %d", b, frame, w, v, n)
			}
		case n == 0 && len(b) < frameVarintBytesMax:
			if w != 0 {
				t.Errorf("frameVarint(% x): got %d bytes, want 0", b, w)
			}
		case w != -1:
			t.Errorf("frameVarint(% x): got %d bytes, want -1", b, w)
		}
	})
}
