package engine_test

import (
	"errors"
	"fmt"
	"testing"

	"purofs/engine"
)

func TestReadRecord(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes})
	want := fill(t, l, 3)
	for i := 0; i < len(want); i += 7 {
		err := l.ReadRecord("t", uint64(i), func(r *engine.Record) error {
			if r.Offset != uint64(i) || string(r.Value) != want[i] {
				t.Errorf("got %d %.20q, want %d %.20q", r.Offset, r.Value, i, want[i])
			}
			return nil
		})
		if err != nil {
			t.Errorf("record %d: %v", i, err)
		}
	}
	refusal := errors.New("no")
	tests := []struct {
		topic  string
		offset uint64
		want   error
	}{
		{"t", uint64(len(want)), engine.ErrNoRecord},
		{"t", 1 << 63, engine.ErrNoRecord},
		{"other", 0, engine.ErrNoTopic},
		{"t", 0, refusal},
	}
	for _, test := range tests {
		err := l.ReadRecord(test.topic, test.offset, func(*engine.Record) error { return refusal })
		if !errors.Is(err, test.want) {
			t.Errorf("record %d of %s: got %v, want %v", test.offset, test.topic, err, test.want)
		}
	}
}

// Only the records of a damaged block are lost, not those before it or behind it.
func TestReadRecordAndDamage(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	for i := range 3 {
		appendTo(t, l, "t", fmt.Sprint(i))
	}
	closeLog(t, l)
	b := readFile(t, segmentPath(dir, 0))
	starts := blocksOf(t, b)
	b[starts[len(starts)-2]-20] ^= 1 // in the block before the last one
	writeFile(t, segmentPath(dir, 0), b)

	l = open(t, dir, engine.Options{})
	for i, want := range []error{nil, engine.ErrDamaged, nil} {
		err := l.ReadRecord("t", uint64(i), func(*engine.Record) error { return nil })
		if !errors.Is(err, want) {
			t.Errorf("record %d: got %v, want %v", i, err, want)
		}
	}
}
