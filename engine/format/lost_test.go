package format_test

import (
	"fmt"
	"testing"

	"purofs/engine/format"
)

// A block in place of lost bytes has exactly their size, whatever that is, and is a block like
// others: every record's check is right, and readers that do not know its kind skip it.
func TestAppendLostFillsEverySize(t *testing.T) {
	const note = "lost/stream0.puro-9.0"
	sizes := []int{19, 1 << 16, 1<<20 - 1, format.LostBytesMax}
	for n := format.LostBytesMin; n < 400; n++ {
		sizes = append(sizes, n)
	}
	for n := 16_300; n < 16_450; n++ { // where lengths take a third byte
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			if !format.CanFill(int64(n)) {
				t.Fatal("it cannot be filled")
			}
			b := format.AppendLost(nil, n, note)
			if len(b) != n {
				t.Fatalf("it has %d bytes", len(b))
			}
			start, err := format.ParseStart(b)
			if err != nil || start.High || start.Length != n-format.EndBytes {
				t.Fatalf("got %+v, %v, want a low start of the whole block", start, err)
			}
			if err := format.ParseEnd(b[start.Length:], start.Length); err != nil {
				t.Fatal(err)
			}
			requireLost(t, b[format.StartBytes:start.Length], note)
		})
	}
}

// requireLost checks the records of a block of AppendLost.
func requireLost(t *testing.T, body []byte, note string) {
	t.Helper()
	room, noted := len(body) > 2*len(note), false
	for len(body) > 0 {
		r, size, err := format.ParseRecord(body)
		if err == nil {
			err = format.CheckRecord(body)
		}
		if err != nil {
			t.Fatal(err)
		}
		if kind, control := r.Control(); !control || kind != format.TopicLost {
			t.Fatalf("it has a record of topic %q", r.Topic)
		}
		noted = noted || format.LostNote(r.Value) == note
		body = body[size:]
	}
	if room && !noted {
		t.Error("the note is missing")
	}
}

// Between the frame of an empty block and the smallest record nothing fits.
func TestCanFill(t *testing.T) {
	for _, n := range []int64{0, 1, 18, 20, 23} {
		if format.CanFill(n) {
			t.Errorf("%d bytes can be filled", n)
		}
	}
}
