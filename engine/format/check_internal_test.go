package format

import (
	"bytes"
	"fmt"
	"testing"
)

// irregular are the entries of Puro's table that are not those of polynomial 0x31.
var irregular = map[byte]byte{
	74: 226, 89: 242, 109: 243, 126: 227, 137: 240, 154: 222, 174: 223, 189: 241,
}

// naiveStep is one step of the CRC-8, bit by bit, as FORMAT.md says it.
func naiveStep(x byte) byte {
	if y, ok := irregular[x]; ok {
		return y
	}
	for range 8 {
		carry := x & 0x80
		x <<= 1
		if carry != 0 {
			x ^= 0x31
		}
	}
	return x
}

func naiveCRC8(c byte, b []byte) byte {
	for _, x := range b {
		c = naiveStep(c ^ x)
	}
	return c
}

func TestTable(t *testing.T) {
	for i := range 256 {
		if got, want := table[i], naiveStep(byte(i)); got != want {
			t.Errorf("table[%d]: got %d, want %d", i, got, want)
		}
	}
	for i, want := range irregular {
		if got := table[i]; got != want {
			t.Errorf("the irregular table[%d]: got %d, want %d", i, got, want)
		}
	}
}

func TestTable2IsTwoSteps(t *testing.T) {
	for first := range 256 {
		for second := range 256 {
			got := table2[first<<8|second]
			want := naiveStep(naiveStep(byte(first)) ^ byte(second))
			if got != want {
				t.Fatalf("table2[%d<<8|%d]: got %d, want %d", first, second, got, want)
			}
		}
	}
}

func TestCRC8(t *testing.T) {
	rnd := NewRand(t)
	for n := range 300 {
		c, b := byte(rnd.Uint32()), RandomBytes(rnd, n)
		if got, want := crc8(c, b), naiveCRC8(c, b); got != want {
			t.Fatalf("crc8(%d, % x): got %d, want %d", c, b, got, want)
		}
	}
}

// Four chains at once must not mix, whatever the four lengths.
func TestCRC8x4(t *testing.T) {
	rnd := NewRand(t)
	for range 2000 {
		var f [4][]byte
		for i := range f {
			f[i] = RandomBytes(rnd, rnd.IntN(40))
		}
		c0, c1, c2, c3 := crc8x4(f[0], f[1], f[2], f[3])
		for i, got := range [4]byte{c0, c1, c2, c3} {
			if want := naiveCRC8(0, f[i]); got != want {
				t.Fatalf("field %d of % x: got %d, want %d", i, f, got, want)
			}
		}
	}
}

// The check of a record is a fold of its six fields' CRCs, not the CRC of them joined.
func TestRecordCheckIsAFold(t *testing.T) {
	topic, key, value := []byte("topic"), []byte("k"), []byte("a value")
	b := AppendRecord(nil, topic, key, value)
	fields := [][]byte{b[1:2], b[2:3], topic, b[8:9], key, value}

	want := naiveCRC8(0, fields[0])
	for _, field := range fields[1:] {
		want = naiveStep(want ^ naiveCRC8(0, field))
	}
	if b[0] != want {
		t.Errorf("got the check %d, want %d", b[0], want)
	}
	if joined := naiveCRC8(0, bytes.Join(fields, nil)); joined == want {
		t.Error("this record cannot tell a fold from a CRC of the fields joined: choose another")
	}
}

// The value is the one that RFC 3720, B.4, gives for 32 bytes of zero.
func TestCRC32C(t *testing.T) {
	zeros := make([]byte, 32)
	if got, want := CRC32C(0, zeros), uint32(0x8a9136aa); got != want {
		t.Errorf("got %#x, want %#x", got, want)
	}
	if got, want := CRC32C(CRC32C(0, zeros[:5]), zeros[5:]), CRC32C(0, zeros); got != want {
		t.Errorf("in two parts: got %#x, want %#x", got, want)
	}
}

// The bytes are random, because equal ones would have all of table2 that they need in the cache.
func BenchmarkCRC8(b *testing.B) {
	rnd := NewRand(b)
	for _, n := range []int{16, 100, 1000} {
		var fields [4][]byte
		for i := range fields {
			fields[i] = RandomBytes(rnd, n)
		}
		var sink byte
		b.Run(fmt.Sprintf("single/%dx4", n), func(b *testing.B) {
			b.SetBytes(int64(4 * n))
			for b.Loop() {
				for _, field := range fields {
					sink ^= crc8(0, field)
				}
			}
		})
		b.Run(fmt.Sprintf("x4/%dx4", n), func(b *testing.B) {
			b.SetBytes(int64(4 * n))
			for b.Loop() {
				c0, c1, c2, c3 := crc8x4(fields[0], fields[1], fields[2], fields[3])
				sink ^= c0 ^ c1 ^ c2 ^ c3
			}
		})
		_ = sink
	}
}
