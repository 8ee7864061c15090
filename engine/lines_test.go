package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"purofs/engine"
)

// Lines and TryNext, in any mixture and into buffers of any size, give the same text, and agree
// about where they are.
func TestLinesIsTryNext(t *testing.T) {
	l := open(t, newStore(t), engine.Options{SegmentBytes: engine.SegmentBytesMin})
	random := rand.New(rand.NewPCG(1, 2))
	var want []byte
	for i := range 400 {
		var b engine.Batch
		for j := range 1 + random.IntN(30) {
			value := bytes.Repeat([]byte{'a' + byte(j%26)}, random.IntN(300))
			topic := "wanted"
			if i%3 == 0 && random.IntN(2) == 0 {
				topic = "other"
			} else {
				want = fmt.Appendf(want, "%s\n", value)
			}
			b.Add(topic, nil, value)
		}
		if err := l.Append(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		from := random.IntN(len(want))
		r := reader(t, l, "wanted", engine.AtText(uint64(from)))
		got := append([]byte(nil), want[:r.Text()]...)
		buf := make([]byte, 1+random.IntN(5000))
		for {
			if random.IntN(4) > 0 {
				got = append(got, buf[:r.Lines(buf)]...)
			}
			record, err := r.TryNext()
			if errors.Is(err, engine.ErrNoRecord) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = fmt.Appendf(got, "%s\n", record.Value)
			if r.Text() != uint64(len(got)) {
				t.Fatalf("the reader is at %d, after %d bytes", r.Text(), len(got))
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("from %d, %d bytes at a time: the text differs", from, len(buf))
		}
	}
}
