package format_test

import (
	"bytes"
	"testing"

	"purofs/engine/format"
)

// byPuro are the vectors that Puro's own producer wrote, whose bytes we must be able to write too.
var byPuro = []string{
	"crc_irregular_single",
	"empty_key",
	"empty_value",
	"interleaved_topics",
	"several_batches",
	"several_sends",
	"single_byte_user_topics",
	"unicode_topic",
	"vlq_values",
}

func TestVectorsDecodeToTheirJSON(t *testing.T) {
	for _, name := range vectorNames(t) {
		t.Run(name, func(t *testing.T) {
			v := readVector(t, name)
			got := walk(t, v.bytes).users()
			if len(got) != len(v.records) {
				t.Fatalf("got %d records, want %d", len(got), len(v.records))
			}
			for i, want := range v.records {
				if !equalRecords(got[i], want) {
					t.Errorf("record %d: got %q, want %q", i, got[i], want)
				}
			}
		})
	}
}

func equalRecords(a, b vectorRecord) bool {
	return bytes.Equal(a.Topic, b.Topic) && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value)
}

// Which blocks a vector has, and what else, is part of what the walk must find.
func TestVectorsHaveTheirParts(t *testing.T) {
	tests := []struct {
		name                  string
		outside, blocks, tail int
	}{
		{"several_sends", 0, 5, 0},
		{"control_after_start", 0, 3, 0},
		{"low_tail", 0, 2, 47},
		{"partial_tail", 0, 1, 35},
		{"tombstone9_tail", 1, 3, 0},
		{"header9_3blocks", 1, 3, 0},
		{"native", 1, 3, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := walk(t, readVector(t, tt.name).bytes)
			if got := len(s.outside); got != tt.outside {
				t.Errorf("got %d records outside any block, want %d", got, tt.outside)
			}
			if got := len(s.blocks); got != tt.blocks {
				t.Errorf("got %d blocks, want %d", got, tt.blocks)
			}
			if got := len(s.tail); got != tt.tail {
				t.Errorf("got a tail of %d bytes, want %d", got, tt.tail)
			}
		})
	}
}

// What Puro wrote is written again from nothing but the records of the JSON and how many of them
// each block has.
func TestVectorsOfPuroReencode(t *testing.T) {
	encoders := []struct {
		name   string
		encode func([]vectorRecord) []byte
	}{
		{"AppendRecord", encodeSingly},
		{"Encoder", encodeTogether},
	}
	for _, name := range byPuro {
		v := readVector(t, name)
		for _, enc := range encoders {
			t.Run(name+"/"+enc.name, func(t *testing.T) {
				var got []byte
				left := v.records
				for _, block := range walk(t, v.bytes).blocks {
					n := len(block.records)
					got = appendBlock(got, enc.encode(left[:n]))
					left = left[n:]
				}
				requireBytes(t, got, v.bytes)
			})
		}
	}
}

func encodeSingly(records []vectorRecord) []byte {
	var b []byte
	for _, r := range records {
		b = format.AppendRecord(b, r.Topic, r.Key, r.Value)
	}
	return b
}

func encodeTogether(records []vectorRecord) []byte {
	var e format.Encoder
	for i, r := range records {
		if i == 0 || !bytes.Equal(r.Topic, records[i-1].Topic) {
			e.SetTopic(r.Topic)
		}
		e.Add(r.Topic, r.Key, len(r.Value), [][]byte{r.Value})
	}
	return e.Finish()
}

// appendBlock appends a block of that body with the signal raised.
func appendBlock(b, body []byte) []byte {
	start := len(b)
	length := format.StartBytes + len(body)
	b = format.AppendStart(b, length)
	b = append(b, body...)
	b = format.AppendEnd(b, length)
	b[start+format.SignalOffset] = 1
	return b
}

// requireBytes fails with the first difference, since a whole segment would be too much to read.
func requireBytes(t *testing.T, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	t.Fatalf("got %d bytes, want %d, different from byte %d: got % x, want % x", len(got), len(want),
		at, got[at:min(at+16, len(got))], want[at:min(at+16, len(want))])
}
