package format_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"purofs/engine/format"
)

// unhex turns "e0 08 01" into bytes.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGoldenBytes has each thing that stands on the disk in bytes that were not made by this code.
// If one of them changes, stores that exist can no longer be read: then the code is wrong.
func TestGoldenBytes(t *testing.T) {
	lowStart := format.AppendStart(nil, 25)
	deleted := format.TopicChange{Delete: true, Name: []byte("t"), Time: 1}
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"magic", format.Magic[:], "20 07 01 05 00 70 75 72 01"},
		{
			"magic as a record",
			format.AppendRecord(nil, []byte{format.TopicMagic}, nil, []byte("pur\x01")),
			"20 07 01 05 00 70 75 72 01",
		},
		{"start, low but for a raised signal", lowStart, "e0 08 01 02 00 00 00 00 00 19"},
		{"end", format.AppendEnd(nil, 25), "2a 07 01 03 00 00 00 00 19"},
		{"record", orders(), "c3 0d 06 6f 72 64 65 72 73 00 68 65 6c 6c 6f"},
		{
			"bare tombstone",
			format.AppendRecord(nil, []byte{format.TopicTombstone}, nil, nil),
			"ae 03 01 00 00",
		},
		{
			"worked example: a block of one record", appendBlock(nil, orders()),
			`e0 08 01 02 00 01 00 00 00 19
			 c3 0d 06 6f 72 64 65 72 73 00 68 65 6c 6c 6f
			 2a 07 01 03 00 00 00 00 19`,
		},
		{
			"topic record", format.AppendTopicChange(nil, nativeTopic()),
			`01 01 06 6f 72 64 65 72 73
			 00 00 01 ed 00 00 03 e8 00 00 03 e8 18 7a 46 c1 46 d5 80 00`,
		},
		{
			"topic record that deletes", format.AppendTopicChange(nil, &deleted),
			"01 02 01 74 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01",
		},
		{
			"segment header", format.AppendSegmentHeader(nil, nativeSegmentHeader()),
			`01 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
			 00 00 00 00 18 7a 46 c1 46 d5 80 00 00`,
		},
		{
			"segment header with topics", format.AppendSegmentHeader(nil, cutSegmentHeader()),
			cutSegmentHeaderHex,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if want := unhex(t, tt.want); !bytes.Equal(tt.got, want) {
				t.Errorf("got  % x\nwant % x", tt.got, want)
			}
		})
	}
}

// orders is the record of the worked example.
func orders() []byte {
	return format.AppendRecord(nil, []byte("orders"), nil, []byte("hello"))
}

// cutSegmentHeader has one topic that was never deleted, one that is deleted, and one that was made
// again after it.
func cutSegmentHeader() *format.SegmentHeader {
	return &format.SegmentHeader{
		StoreID: [16]byte{15: 0xff},
		Order:   3,
		Time:    2,
		Topics: []format.TopicState{
			{Name: "a", Mode: 0o700, UID: 1, GID: 2, Time: 3, Next: 4, Text: 5},
			{Name: "bc", Time: 1, Next: 200, Text: 300, First: 200, FirstText: 300, Deleted: true},
			{Name: "d", Time: 1, Next: 9, Text: 20, First: 8, FirstText: 10},
		},
	}
}

const cutSegmentHeaderHex = `
	01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ff 00 00 00 03 00 00 00 00 00 00 00 02
	03
	01 61     00 00 01 c0 00 00 00 01 00 00 00 02 00 00 00 00 00 00 00 03 04 05
	02 62 63  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 c8 01 ac 02
	01 64     00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 09 14
	02
	01 01 c8 01 ac 02
	02 00 08 0a`

func TestGoldenNumbers(t *testing.T) {
	tests := []struct {
		name      string
		got, want int
	}{
		{"tombstone", format.TopicTombstone, 0x00},
		{"start", format.TopicStart, 0x02},
		{"end", format.TopicEnd, 0x03},
		{"header", format.TopicHeader, 0x04},
		{"magic", format.TopicMagic, 0x05},
		{"segment header", format.TopicSegmentHeader, 0x06},
		{"topic", format.TopicTopic, 0x07},
		{"first topic of users", format.ControlTopicEnd, 0x20},
		{"bytes of a start", format.StartBytes, 10},
		{"bytes of an end", format.EndBytes, 9},
		{"place of the signal", format.SignalOffset, 5},
		{"bytes of the largest block", format.BlockBytesMax, 67_108_864},
		{"largest number of a framing", format.FrameMax, 268_435_455},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, tt.got, tt.want)
		}
	}
}
