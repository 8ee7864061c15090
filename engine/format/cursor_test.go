package format_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"purofs/engine/format"
)

// goldenCursor is cursorSlot's bytes.
const goldenCursor = `
	70 75 72 6f 66 73 20 63 75 72 73 6f 72 20 31 0a
	00 00 00 00 00 00 00 05
	00 00 00 00 00 00 00 2a 18 7a 46 c1 46 d5 80 00
	00 00 00 00 00 00 00 28 18 7a 46 c1 46 d5 7f ff
	18 7a 46 c1 46 d5 80 01
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 aa
	ca 64 de 83`

func cursorSlot() *format.CursorSlot {
	return &format.CursorSlot{
		Sequence: 5,
		Done:     format.CursorMark{Next: 42, Last: 0x187a46c146d58000},
		Safe:     format.CursorMark{Next: 40, Last: 0x187a46c146d57fff},
		SafeAt:   0x187a46c146d58001,
		BootID:   [16]byte{15: 0xaa},
	}
}

// sealCursor makes the CRC right again, as somebody would who wants to reach the code behind it.
func sealCursor(b []byte) []byte {
	binary.BigEndian.PutUint32(b[len(b)-4:], format.CRC32C(0, b[:len(b)-4]))
	return b
}

func TestCursorGoldenBytes(t *testing.T) {
	requireBytes(t, format.AppendCursorSlot(nil, cursorSlot()), unhex(t, goldenCursor))
	for sequence, want := range []int64{0, 4096, 0, 4096} {
		if got := format.CursorSlotPos(uint64(sequence)); got != want {
			t.Errorf("place of slot %d: got %d, want %d", sequence, got, want)
		}
	}
	if format.CursorSlotBytes != 84 || format.CursorFileBytes != 4180 {
		t.Errorf("got a slot of %d bytes and a file of %d, want 84 and 4180",
			format.CursorSlotBytes, format.CursorFileBytes)
	}
}

func TestCursorRoundTrip(t *testing.T) {
	for _, want := range []*format.CursorSlot{cursorSlot(), {}} {
		// Appending to something must not change what the CRC covers.
		b := format.AppendCursorSlot([]byte("before"), want)[len("before"):]
		got, err := format.ParseCursorSlot(b)
		if err != nil || got != *want {
			t.Errorf("got %+v, %v, want %+v", got, err, *want)
		}
	}
}

func TestParseCursorSlotRefuses(t *testing.T) {
	tests := []struct {
		name    string
		corrupt func(b []byte) []byte
		want    error
	}{
		{"another magic", func(b []byte) []byte { b[0] = 'P'; return sealCursor(b) }, format.ErrKind},
		{"a newer version", func(b []byte) []byte { b[14] = '2'; return sealCursor(b) },
			format.ErrVersion},
		{"a byte less", func(b []byte) []byte { return b[:len(b)-1] }, format.ErrShort},
		{"safe ahead of done", func(b []byte) []byte { b[47] = 43; return sealCursor(b) },
			format.ErrLength},
		{"an offset that no topic has", func(b []byte) []byte { b[24] = 0x80; return sealCursor(b) },
			format.ErrLength},
		{"all zeros", func(b []byte) []byte { clear(b); return b }, format.ErrCheck},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.corrupt(format.AppendCursorSlot(nil, cursorSlot()))
			if s, err := format.ParseCursorSlot(b); !errors.Is(err, tt.want) {
				t.Errorf("got %+v, %v, want %v", s, err, tt.want)
			}
		})
	}
}

// A slot that a power cut tore, or a disk changed, is never believed.
func TestCursorSlotDamage(t *testing.T) {
	b := format.AppendCursorSlot(nil, cursorSlot())
	for n := range b {
		if s, err := format.ParseCursorSlot(b[:n:n]); err == nil {
			t.Errorf("%d bytes of %d: got %+v, want an error", n, len(b), s)
		}
	}
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		if s, err := format.ParseCursorSlot(b); err == nil {
			t.Errorf("bit %d flipped: got %+v, want an error", bit, s)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

func FuzzParseCursorSlot(f *testing.F) {
	f.Add(format.AppendCursorSlot(nil, cursorSlot()))
	f.Add(format.AppendCursorSlot(nil, &format.CursorSlot{}))
	f.Add([]byte("purofs cursor 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:len(b):len(b)]
		if len(b) >= format.CursorSlotBytes {
			b = sealCursor(b[:format.CursorSlotBytes]) // few inputs would get behind the CRC
		}
		s, err := format.ParseCursorSlot(b)
		if err != nil {
			return
		}
		if again := format.AppendCursorSlot(nil, &s); !bytes.Equal(again, b) {
			t.Errorf("got % x encoded again, want % x", again, b)
		}
	})
}
