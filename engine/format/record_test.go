package format_test

import (
	"bytes"
	"errors"
	"testing"

	"purofs/engine/format"
)

func TestRecordRoundTrip(t *testing.T) {
	long := bytes.Repeat([]byte{0xaa}, 20000)
	tests := []struct {
		name              string
		topic, key, value []byte
	}{
		{"smallest", []byte("t"), nil, nil},
		{"only a key", []byte("t"), []byte("k"), nil},
		{"binary value", []byte("t"), nil, []byte("\x00\xff\n\x00")},
		{"longest topic", long[:format.TopicBytesMax], nil, []byte("v")},
		{"longest key", []byte("t"), long[:format.KeyBytesMax], []byte("v")},
		{"length of 127", []byte("t"), nil, long[:124]},
		{"length of 128", []byte("t"), nil, long[:125]},
		{"length of 16384", []byte("t"), nil, long[:16381]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := format.AppendRecord(nil, tt.topic, tt.key, tt.value)
			if got := format.RecordBytes(len(tt.topic), len(tt.key), len(tt.value)); got != len(b) {
				t.Errorf("got RecordBytes %d, want %d", got, len(b))
			}
			rec := walkRecord(t, append(b, "more"...))
			if len(rec.raw) != len(b) {
				t.Errorf("got a record of %d bytes, want %d", len(rec.raw), len(b))
			}
			got := vectorRecord{rec.Topic, rec.Key, rec.Value}
			if want := (vectorRecord{tt.topic, tt.key, tt.value}); !equalRecords(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestControl(t *testing.T) {
	tests := []struct {
		topic   string
		kind    byte
		control bool
	}{
		{"\x00", format.TopicTombstone, true},
		{"\x07", format.TopicTopic, true},
		{"\x1f", 0x1f, true},
		{" ", 0, false},
		{"J", 0, false},
		{"\xff", 0, false},
		{"\x01\x02", 0, false},
	}
	for _, tt := range tests {
		kind, control := format.Record{Topic: []byte(tt.topic)}.Control()
		if kind != tt.kind || control != tt.control {
			t.Errorf("topic %q: got %d, %t, want %d, %t", tt.topic, kind, control, tt.kind, tt.control)
		}
	}
}

// Hostile records have no check to speak of: ParseRecord does not look at it.
func TestParseRecordRefuses(t *testing.T) {
	tests := []struct {
		name, in  string
		want      error
		peekTopic string // what PeekRecord gives, which looks at less; otherwise it gives want as well
	}{
		{"nothing", "", format.ErrShort, ""},
		{"only a check", "00", format.ErrShort, ""},
		{"zeros", "00 00 00 00 00 00 00 00", format.ErrLength, ""},
		{"length of 2", "00 02 01 74", format.ErrLength, ""},
		{"length of 2, cut", "00 02", format.ErrLength, ""},
		{"length unfinished", "00 80 80 80", format.ErrShort, ""},
		{"length of five bytes", "00 80 80 80 80 01", format.ErrVarint, ""},
		{"length of four bytes with more to come", "00 ff ff ff ff", format.ErrVarint, ""},
		{"largest length", "00 ff ff ff 7f 01 74 00 61", format.ErrShort, "t"},
		{"no topic", "00 03 00 00 00", format.ErrLength, ""},
		{"topic as long as the record", "00 04 04 74 74 74 74 74", format.ErrLength, ""},
		{"topic that leaves no room for a key", "00 04 03 74 74 74", format.ErrLength, ""},
		{"topic that leaves no room for a key, cut", "00 04 03 74", format.ErrLength, ""},
		{"topic beyond the record, cut", "00 10 7f 74", format.ErrLength, ""},
		{"topic length of five bytes", "00 10 80 80 80 80 01 74", format.ErrVarint, ""},
		{"key beyond the record", "00 05 01 74 03 6b 00", format.ErrLength, "t"},
		{"key beyond the record, cut", "00 05 01 74 7f", format.ErrLength, "t"},
		{"key of the largest length", "00 08 01 74 ff ff ff 7f 00 00", format.ErrLength, "t"},
		{"key length of five bytes", "00 09 01 74 80 80 80 80 01 00 00", format.ErrVarint, "t"},
		{"key length runs out of the record", "00 03 01 74 80 01 00", format.ErrLength, "t"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.in)
			if rec, n, err := format.ParseRecord(b); !errors.Is(err, tt.want) {
				t.Errorf("ParseRecord: got %q, %d, %v, want %v", rec, n, err, tt.want)
			}
			topic, _, err := format.PeekRecord(b)
			if tt.peekTopic != "" {
				if err != nil || string(topic) != tt.peekTopic {
					t.Errorf("PeekRecord: got %q, %v, want %q", topic, err, tt.peekTopic)
				}
			} else if !errors.Is(err, tt.want) {
				t.Errorf("PeekRecord: got %q, %v, want %v", topic, err, tt.want)
			}
		})
	}
}

// Each beginning of a sound record is merely short: a reader that waits for more must not give up.
func TestRecordCutAnywhereIsShort(t *testing.T) {
	value := bytes.Repeat([]byte("v"), 200)
	b := format.AppendRecord(nil, []byte("topic"), []byte("key"), value)
	topicEnd := 1 + 2 + 1 + len("topic")
	for n := range b {
		// A capacity of n makes a look beyond the end panic.
		if _, _, err := format.ParseRecord(b[:n:n]); !errors.Is(err, format.ErrShort) {
			t.Errorf("ParseRecord of %d bytes: got %v, want %v", n, err, format.ErrShort)
		}
		topic, whole, err := format.PeekRecord(b[:n:n])
		if n < topicEnd {
			if !errors.Is(err, format.ErrShort) {
				t.Errorf("PeekRecord of %d bytes: got %v, want %v", n, err, format.ErrShort)
			}
		} else if err != nil || string(topic) != "topic" || whole != len(b) {
			t.Errorf("PeekRecord of %d bytes: got %q, %d, %v, want \"topic\", %d",
				n, topic, whole, err, len(b))
		}
	}
}

// The fields must not let an append through one of them run into the next.
func TestRecordFieldsHaveNoRoom(t *testing.T) {
	b := format.AppendRecord(nil, []byte("topic"), []byte("key"), []byte("value"))
	before := bytes.Clone(b)
	rec, _, err := format.ParseRecord(b)
	if err != nil {
		t.Fatal(err)
	}
	peeked, _, err := format.PeekRecord(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range [][]byte{rec.Topic, rec.Key, peeked} {
		_ = append(field, "overwritten"...)
	}
	if !bytes.Equal(b, before) {
		t.Errorf("an append to a field changed the record to % x", b)
	}
}

// A true CRC-8 finds every flipped bit. Puro's table has values twice, so it promises less; but of
// an ordinary record such as this it misses none.
func TestCheckRecordFindsFlippedBits(t *testing.T) {
	b := format.AppendRecord(nil, []byte("topic"), []byte("key"), []byte("a value of some length"))
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		if _, _, err := format.ParseRecord(b); err == nil && format.CheckRecord(b) == nil {
			t.Errorf("bit %d was flipped and nothing noticed it", bit)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	if err := format.CheckRecord(b); err != nil {
		t.Errorf("the record is as it was: %v", err)
	}
}
