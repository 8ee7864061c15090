package format_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"purofs/engine/format"
)

// A vector is a segment from testdata/vectors with the user records that are in it.
type vector struct {
	bytes   []byte
	records []vectorRecord
}

// A vectorRecord has its fields in base64 in the JSON, which is what []byte means there.
type vectorRecord struct {
	Topic, Key, Value []byte
}

func readVector(t testing.TB, name string) vector {
	t.Helper()
	var v vector
	var err error
	if v.bytes, err = os.ReadFile(filepath.Join("testdata", "vectors", name+".puro")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "vectors", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v.records); err != nil {
		t.Fatalf("%s.json: %v", name, err)
	}
	return v
}

func vectorNames(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "vectors", "*.puro"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatal("testdata/vectors is empty")
	}
	names := make([]string, len(paths))
	for i, path := range paths {
		base := filepath.Base(path)
		names[i] = base[:len(base)-len(".puro")]
	}
	return names
}

// A walkedRecord is a record and the bytes that it was decoded from.
type walkedRecord struct {
	format.Record
	raw []byte
}

// A walkedBlock is a raised block; body is what lies between its start and its end record.
type walkedBlock struct {
	raw, body []byte
	records   []walkedRecord
}

// A walkedSegment is a segment as a reader sees it.
type walkedSegment struct {
	outside []walkedRecord // records that belong to no block: a magic, a bare tombstone
	blocks  []walkedBlock
	tail    []byte // a low or cut block, which no reader shows
}

// users returns the records that are not control records, in order.
func (s *walkedSegment) users() []vectorRecord {
	var users []vectorRecord
	for i := range s.blocks {
		users = append(users, s.blocks[i].users()...)
	}
	return users
}

func (b *walkedBlock) users() []vectorRecord {
	var users []vectorRecord
	for _, rec := range b.records {
		if _, control := rec.Control(); !control {
			users = append(users, vectorRecord{rec.Topic, rec.Key, rec.Value})
		}
	}
	return users
}

// walk is the smallest correct reader: it shows how the decoders are meant to be combined. It stops
// at a tombstone, and at a block that is low or cut; all else must be in order.
func walk(t testing.TB, b []byte) *walkedSegment {
	t.Helper()
	s := new(walkedSegment)
	for pos := 0; pos < len(b); {
		rest := b[pos:]
		start, err := format.ParseStart(rest)
		if errors.Is(err, format.ErrKind) || errors.Is(err, format.ErrShort) {
			rec := walkRecord(t, rest)
			kind, control := rec.Control()
			if !control {
				t.Fatalf("position %d: a record of topic %q outside any block", pos, rec.Topic)
			}
			s.outside = append(s.outside, rec)
			pos += len(rec.raw)
			if kind == format.TopicTombstone {
				return s
			}
			continue
		}
		if err != nil {
			t.Fatalf("position %d: %v", pos, err)
		}
		if !start.High || start.Length+format.EndBytes > len(rest) {
			s.tail = rest
			return s
		}
		if err := format.ParseEnd(rest[start.Length:], start.Length); err != nil {
			t.Fatalf("position %d: end record: %v", pos, err)
		}
		block := walkedBlock{
			raw:  rest[:start.Length+format.EndBytes],
			body: rest[format.StartBytes:start.Length],
		}
		for body := block.body; len(body) > 0; {
			rec := walkRecord(t, body)
			block.records = append(block.records, rec)
			body = body[len(rec.raw):]
		}
		s.blocks = append(s.blocks, block)
		pos += len(block.raw)
	}
	return s
}

// walkRecord decodes the record at the beginning of b, whose check must be right.
func walkRecord(t testing.TB, b []byte) walkedRecord {
	t.Helper()
	rec, n, err := format.ParseRecord(b)
	if err != nil {
		t.Fatalf("record % x: %v", b[:min(len(b), 32)], err)
	}
	if err := format.CheckRecord(b); err != nil {
		t.Fatalf("record % x: %v", b[:min(n, 32)], err)
	}
	return walkedRecord{rec, b[:n]}
}
