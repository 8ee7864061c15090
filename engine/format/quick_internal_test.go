package format

import (
	"bytes"
	"errors"
	"testing"
)

// The quick ways of ParseRecord and of Header.Read give what the slow ones give, for sound records
// and for ones with a few bytes changed or cut off.
func TestQuickWays(t *testing.T) {
	rnd := NewRand(t)
	var quick, headers int
	for range 200_000 {
		var b []byte
		switch rnd.IntN(3) {
		case 0:
			topic := RandomBytes(rnd, 1+rnd.IntN(9))
			b = AppendRecord(nil, topic, RandomBytes(rnd, rnd.IntN(9)), RandomBytes(rnd, rnd.IntN(140)))
		case 1:
			runs := make([]Run, rnd.IntN(42))
			b = AppendHeader(nil, int64(rnd.Uint64()), runs)
		case 2:
			topic := []byte{byte(rnd.IntN(10))}
			b = AppendRecord(nil, topic, RandomBytes(rnd, rnd.IntN(2)), RandomBytes(rnd, rnd.IntN(40)))
		}
		b = append(b, RandomBytes(rnd, rnd.IntN(4))...)
		for range max(0, rnd.IntN(4)-1) {
			b[rnd.IntN(min(len(b), 8))] = byte(rnd.IntN(140))
		}
		if rnd.IntN(3) == 0 {
			b = b[:rnd.IntN(len(b)+1)]
		}
		b = b[:len(b):len(b)]

		rec, n, err := ParseRecord(b)
		slow, slowN, slowErr := parseRecord(b)
		if n != slowN || !errors.Is(err, slowErr) || !sameRecord(rec, slow) {
			t.Fatalf("ParseRecord of % x: got %q, %d, %v, the slow way %q, %d, %v",
				b, rec, n, err, slow, slowN, slowErr)
		}
		if err == nil {
			quick++
		}
		if value := plainHeader(b); value != nil {
			headers++
			slow, n, err := headerValue(b)
			if !bytes.Equal(value, slow) || n != headerFramingBytes+len(value) || err != nil {
				t.Fatalf("a header in % x: got % x, the slow way % x, %d, %v", b, value, slow, n, err)
			}
		}
	}
	if quick < 10_000 || headers < 10_000 {
		t.Errorf("got %d records and %d headers, which is too few to tell", quick, headers)
	}
}

func sameRecord(a, b Record) bool {
	same := func(a, b []byte) bool { return bytes.Equal(a, b) && cap(a) == cap(b) }
	return same(a.Topic, b.Topic) && same(a.Key, b.Key) && same(a.Value, b.Value)
}

// The CRC-32C of a block is the same whether its header and its records stand together or apart,
// and what stands behind either changes nothing.
func TestCheckCRCTogetherAndApart(t *testing.T) {
	rest := []byte("what stands behind the header")
	runs := []Run{{Offset: 300, Records: 1, ValueBytes: 12}}
	b := append(AppendHeader(nil, 7, runs, rest), rest...)
	for name, end := range map[string]int{
		"whole": len(b), "cut": len(b) - 1, "header only": len(b) - len(rest),
	} {
		var h Header
		n, err := h.Read(append(b, "and more"...))
		if err != nil || n != len(b)-len(rest) {
			t.Fatalf("got %d, %v, want a header of %d bytes", n, err, len(b)-len(rest))
		}
		together := h.CheckCRC(h.value[:cap(h.value)][len(h.value):][:end-n])
		apart := h.CheckCRC(bytes.Clone(b[n:end]))
		if sound := end == len(b); (together == nil) != sound || (apart == nil) != sound {
			t.Errorf("%s: got %v together and %v apart, want sound: %v", name, together, apart, sound)
		}
	}
}
