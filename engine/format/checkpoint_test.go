package format_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"purofs/engine/format"
)

// Places in a checkpoint file, behind its magic of 20 bytes. On disk, never change.
const (
	checkpointCRC = 20
	checkpointPos = 52
	checkpointLog = 60
)

// goldenCheckpoint is checkpoint's bytes.
const goldenCheckpoint = `
	70 75 72 6f 66 73 20 63 68 65 63 6b 70 6f 69 6e 74 20 31 0a
	63 8c 47 1d
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 aa
	00 00 00 02 00 00 00 00 00 00 03 e8
	00 00 00 00 00 00 04 d2` + cutSegmentHeaderHex

func checkpoint() *format.Checkpoint {
	return &format.Checkpoint{
		BootID:      [16]byte{15: 0xaa},
		SyncedOrder: 2,
		SyncedPos:   1000,
		Pos:         1234,
		Log:         *cutSegmentHeader(),
	}
}

// resealCheckpoint puts another log into a checkpoint and makes its CRC right again, as somebody
// would who wants to reach the code behind the CRC.
func resealCheckpoint(b, log []byte) []byte {
	b = append(bytes.Clone(b[:checkpointLog]), log...)
	return sealCheckpoint(b)
}

func sealCheckpoint(b []byte) []byte {
	binary.BigEndian.PutUint32(b[checkpointCRC:], format.CRC32C(0, b[checkpointCRC+4:]))
	return b
}

func TestCheckpointGoldenBytes(t *testing.T) {
	requireBytes(t, format.AppendCheckpoint(nil, checkpoint()), unhex(t, goldenCheckpoint))
}

func TestCheckpointRoundTrip(t *testing.T) {
	empty := &format.Checkpoint{}
	for _, want := range []*format.Checkpoint{checkpoint(), empty} {
		// Appending to something must not change where the CRC goes.
		b := format.AppendCheckpoint([]byte("before"), want)[len("before"):]
		got, err := format.ParseCheckpoint(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestParseCheckpointRefuses(t *testing.T) {
	tests := []struct {
		name    string
		corrupt func(b []byte) []byte
		want    error
	}{
		{"another magic", func(b []byte) []byte { b[18] = '2'; return b }, format.ErrKind},
		{"a byte more", func(b []byte) []byte { return append(b, 0) }, format.ErrCheck},
		{"position below 0", func(b []byte) []byte {
			b[checkpointPos] = 0xff
			return sealCheckpoint(b)
		}, format.ErrLength},
		{"no log", func(b []byte) []byte { return resealCheckpoint(b, nil) }, format.ErrLength},
		{"log of a newer version", func(b []byte) []byte {
			b[checkpointLog] = 2
			return sealCheckpoint(b)
		}, format.ErrVersion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.corrupt(format.AppendCheckpoint(nil, checkpoint()))
			if c, err := format.ParseCheckpoint(b); !errors.Is(err, tt.want) {
				t.Errorf("got %+v, %v, want %v", c, err, tt.want)
			}
		})
	}
}

// A checkpoint that a crash cut, or a disk changed, is never believed.
func TestCheckpointDamage(t *testing.T) {
	b := format.AppendCheckpoint(nil, checkpoint())
	for n := range b {
		if c, err := format.ParseCheckpoint(b[:n:n]); err == nil {
			t.Errorf("%d bytes of %d: got %+v, want an error", n, len(b), c)
		}
	}
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		if c, err := format.ParseCheckpoint(b); err == nil {
			t.Errorf("bit %d flipped: got %+v, want an error", bit, c)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}
