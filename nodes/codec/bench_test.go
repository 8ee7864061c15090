package codec_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"purofs/nodes/codec"
)

// The records of the benchmarks: a thousand, of 100 bytes each or a little more.
var benchRecords = []struct {
	name   string
	format codec.Format
	line   string // of one record
}{
	{"tsv", codec.TSV, "key-17\t" + strings.Repeat("v", 100)},
	{"tsv escaped", codec.TSV, "key-17\t" + strings.Repeat(`vvvvvvvv\n`, 10)},
	{"jsonl", codec.JSONL, `{"key":"key-17","value":"` + strings.Repeat("v", 100) + `"}`},
	{"jsonl as log.jsonl has it", codec.JSONL, `{"offset":42,"time":` +
		`"2026-11-22T10:00:00.123456789Z","key":"key-17","value":"` + strings.Repeat("v", 100) + `"}`},
	{"jsonl escaped", codec.JSONL,
		`{"key":"key-17","value":"` + strings.Repeat(`vvvvvvvv\n`, 10) + `"}`},
	{"jsonl object", codec.JSONL, `{"key":"key-17","value":{"id":12345,"name":"somebody",` +
		`"tags":["a","b"],"price":12.50,"text":"some more text that fills it"}}`},
	{"jsonl base64", codec.JSONL,
		`{"key":"key-17","value_base64":"` + strings.Repeat("AAAA", 33) + `"}`},
	{"jsonl of 64 KiB", codec.JSONL, `{"key":"k","value":"` + strings.Repeat("v", 64<<10) + `"}`},
}

func BenchmarkSplit(b *testing.B) {
	for _, bench := range benchRecords {
		data := bytes.Repeat([]byte(bench.line+"\n"), 1+100_000/len(bench.line))
		b.Run(bench.name, func(b *testing.B) {
			l := codec.NewSplitter(bench.format, 1<<20)
			var sink discard
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Split(data, &sink); err != nil {
					b.Fatal(err)
				}
				l.Keep()
			}
		})
	}
}

func BenchmarkText(b *testing.B) {
	values := []struct{ name, value string }{
		{"100 bytes", strings.Repeat("v", 100)},
		{"100 bytes, 10 escaped", strings.Repeat("vvvvvvvv\n", 10)},
		{"100 bytes, no text", strings.Repeat("\xff", 100)},
		{"64 KiB", strings.Repeat("v", 64<<10)},
	}
	for _, format := range formats {
		for _, v := range values {
			b.Run(fmt.Sprintf("log%s %s", format.Suffix(), v.name), func(b *testing.B) {
				text, dst := codec.NewText(format), make([]byte, 128<<10)
				key, value, bytes, offset := []byte("key-17"), []byte(v.value), 0, uint64(0)
				b.ReportAllocs()
				for b.Loop() {
					offset++
					text.Set(offset, someTime, key, value)
					bytes += text.Copy(dst, 0)
				}
				b.SetBytes(int64(bytes / b.N))
			})
		}
	}
}

// The pieces of a record of 8 MiB come as a kernel reads ahead of who is slow to use them.
func BenchmarkTextOutOfOrder(b *testing.B) {
	const size = 128 << 10
	value, dst := []byte(strings.Repeat("vvvvvvvv\n", 1<<20)), make([]byte, size)
	for _, order := range [][]int{{0, 1, 2, 3}, {1, 0, 3, 2}, {3, 2, 1, 0}} {
		b.Run(fmt.Sprint(order), func(b *testing.B) {
			text := codec.NewText(codec.JSONL)
			text.Set(1, someTime, nil, value)
			whole := int(text.Len())
			b.SetBytes(int64(whole))
			for b.Loop() {
				text.Set(1, someTime, nil, value)
				for at := 0; at < whole; at += len(order) * size {
					for _, i := range order {
						text.Copy(dst, uint64(min(at+i*size, whole)))
					}
				}
			}
		})
	}
}

func TestSplittersAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop what they are given when the race detector is on")
	}
	for _, bench := range benchRecords {
		l := codec.NewSplitter(bench.format, 1<<20)
		data := bytes.Repeat([]byte(bench.line+"\n"), 100)
		var sink discard
		got := testing.AllocsPerRun(20, func() {
			if err := l.Split(data, &sink); err != nil {
				t.Fatal(err)
			}
			l.Keep()
		})
		if got > 10 { // the pools may be emptied
			t.Errorf("%s: %v allocations in 100 lines", bench.name, got)
		}
	}
}

// Nor do lines that come in two pieces: the room for a whole one is kept for the next.
func TestCarriedLinesAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop what they are given when the race detector is on")
	}
	for _, bench := range benchRecords {
		if len(bench.line) > 4000 {
			continue // the room for a long one is given back
		}
		l := codec.NewSplitter(bench.format, 1<<20)
		begun, rest := []byte(bench.line[:1]), []byte(bench.line[1:]+"\n")
		var sink discard
		got := testing.AllocsPerRun(20, func() {
			for _, data := range [][]byte{begun, rest} {
				if err := l.Split(data, &sink); err != nil {
					t.Fatal(err)
				}
				l.Keep()
			}
		})
		if got > 0 {
			t.Errorf("%s: %v allocations a line", bench.name, got)
		}
	}
}
