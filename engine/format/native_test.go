package format_test

import (
	"bytes"
	"reflect"
	"testing"

	"purofs/engine/format"
)

// nativeTime is the time of the first block of the vector native; the others follow by 1000 ns.
const nativeTime = 1763800000 * 1e9

// nativeRuns is what the headers of the vector native say of its topics.
var nativeRuns = [][]format.Run{
	nil,
	{{Offset: 0, Records: 2, ValueBytes: 6}},
	{{Offset: 0, Records: 1, ValueBytes: 0}, {Offset: 2, Records: 1, ValueBytes: 300}},
}

func nativeSegmentHeader() *format.SegmentHeader {
	h := &format.SegmentHeader{Time: nativeTime}
	for i := range h.StoreID {
		h.StoreID[i] = byte(i)
	}
	return h
}

func nativeTopic() *format.TopicChange {
	return &format.TopicChange{
		Name: []byte("orders"), Mode: 0o755, UID: 1000, GID: 1000, Time: nativeTime,
	}
}

// The golden segment of our own dialect was made from FORMAT.md alone, not by this code.
func TestNativeReencodes(t *testing.T) {
	v := readVector(t, "native")

	setup := format.AppendRecord(nil, []byte{format.TopicSegmentHeader}, nil,
		format.AppendSegmentHeader(nil, nativeSegmentHeader()))
	topic := format.AppendRecord(nil, []byte{format.TopicTopic}, nil,
		format.AppendTopicChange(nil, nativeTopic()))

	got := bytes.Clone(format.Magic[:])
	got = appendNativeBlock(got, 0, setup, topic)
	got = appendNativeBlock(got, 1, encodeTogether(v.records[:2]))
	got = appendNativeBlock(got, 2, encodeSingly(v.records[2:]))
	requireBytes(t, got, v.bytes)
}

func appendNativeBlock(b []byte, i int, pieces ...[]byte) []byte {
	body := format.AppendHeader(nil, nativeTime+int64(i)*1000, nativeRuns[i], pieces...)
	return appendBlock(b, append(body, bytes.Join(pieces, nil)...))
}

func TestNativeDecodes(t *testing.T) {
	s := walk(t, readVector(t, "native").bytes)

	if got := s.outside[0].raw; !bytes.Equal(got, format.Magic[:]) {
		t.Errorf("got the magic % x, want % x", got, format.Magic)
	}
	setup := s.blocks[0].records
	segmentHeader, err := format.ParseSegmentHeader(setup[1].Value)
	if err != nil {
		t.Fatal(err)
	}
	if want := nativeSegmentHeader(); !reflect.DeepEqual(segmentHeader, want) {
		t.Errorf("got the segment header %+v, want %+v", segmentHeader, want)
	}
	topic, err := format.ParseTopicChange(setup[2].Value)
	if err != nil {
		t.Fatal(err)
	}
	if want := *nativeTopic(); !reflect.DeepEqual(topic, want) {
		t.Errorf("got the topic record %+v, want %+v", topic, want)
	}

	for i, block := range s.blocks {
		header := block.records[0]
		h, err := format.ParseHeader(header.Value)
		if err != nil {
			t.Fatalf("block %d: %v", i, err)
		}
		if want := nativeTime + int64(i)*1000; h.Time != want {
			t.Errorf("block %d: got time %d, want %d", i, h.Time, want)
		}
		if err := h.CheckCRC(block.body[len(header.raw):]); err != nil {
			t.Errorf("block %d: %v", i, err)
		}
		if got := readRuns(t, &h); !reflect.DeepEqual(got, nativeRuns[i]) {
			t.Errorf("block %d: got runs %v, want %v", i, got, nativeRuns[i])
		}
	}
}

func readRuns(t testing.TB, h *format.Header) []format.Run {
	t.Helper()
	var runs []format.Run
	for range h.Topics {
		run, err := h.NextRun()
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	return runs
}

// The CRC-32C covers every bit of the header's value and of all behind it.
func TestHeaderCRCFindsEveryFlippedBit(t *testing.T) {
	block := walk(t, readVector(t, "native").bytes).blocks[1]
	value := bytes.Clone(block.records[0].Value)
	rest := bytes.Clone(block.body[len(block.records[0].raw):])

	for _, area := range [][]byte{value, rest} {
		for bit := range 8 * len(area) {
			area[bit/8] ^= 1 << (bit % 8)
			h, err := format.ParseHeader(value)
			if err == nil {
				err = h.CheckCRC(rest)
			}
			if err == nil {
				t.Errorf("bit %d of %d bytes was flipped and nothing noticed it", bit, len(area))
			}
			area[bit/8] ^= 1 << (bit % 8)
		}
	}
	h, err := format.ParseHeader(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.CheckCRC(rest); err != nil {
		t.Errorf("the bytes are as they were: %v", err)
	}
}
