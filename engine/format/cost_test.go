package format_test

import (
	"testing"

	"purofs/engine/format"
)

// Records are encoded and decoded by the million: none of it may allocate.
func TestNoAllocations(t *testing.T) {
	topic, key := []byte("orders"), []byte("key")
	parts := [][]byte{[]byte("first part, "), []byte("second part")}
	valueBytes := len(parts[0]) + len(parts[1])

	var e format.Encoder
	e.SetTopic(topic)
	e.Add(topic, nil, 1<<16, [][]byte{make([]byte, 1<<16)}) // makes the buffer large enough

	record := orders()
	block := appendBlock(nil, record)
	value := headerValue(t, 1, []format.Run{{Records: 1}, {Records: 2}})
	runs := []format.Run{{Records: 1}, {Offset: 7, Records: 2, ValueBytes: 9}}
	buf := make([]byte, 0, 256)

	tests := []struct {
		name string
		run  func()
	}{
		{"Encoder", func() {
			e.Reset(1 << 20)
			e.SetTopic(topic)
			for range 9 {
				e.Add(topic, key, valueBytes, parts)
			}
			e.Finish()
		}},
		{"AppendRecord", func() { buf = format.AppendRecord(buf[:0], topic, key, parts[0]) }},
		{"AppendHeader", func() { buf = format.AppendHeader(buf[:0], 1, runs, record) }},
		{"ParseRecord", func() {
			if _, _, err := format.ParseRecord(record); err != nil {
				t.Error(err)
			}
		}},
		{"PeekRecord", func() {
			if _, _, err := format.PeekRecord(record); err != nil {
				t.Error(err)
			}
		}},
		{"CheckRecord", func() {
			if err := format.CheckRecord(record); err != nil {
				t.Error(err)
			}
		}},
		{"ParseStart", func() {
			if _, err := format.ParseStart(block); err != nil {
				t.Error(err)
			}
		}},
		{"ParseHeader", func() {
			h, err := format.ParseHeader(value)
			for i := 0; err == nil && i < h.Topics; i++ {
				_, err = h.NextRun()
			}
			if err != nil {
				t.Error(err)
			}
		}},
		{"the error of a short record", func() { _, _, _ = format.ParseRecord(record[:4]) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(100, tt.run); got != 0 {
				t.Errorf("got %v allocations, want 0", got)
			}
		})
	}
}

// benchRecords is how many records a block of the benchmarks has.
const benchRecords = 1000

func BenchmarkEncoderAdd(b *testing.B) {
	topic, value := []byte("orders"), make([]byte, 100)
	parts := [][]byte{value}
	var e format.Encoder
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for n := 0; b.Loop(); n++ {
		if n%benchRecords == 0 {
			e.Finish()
			e.Reset(1 << 20)
			e.SetTopic(topic)
		}
		e.Add(topic, nil, len(value), parts)
	}
}

func BenchmarkAppendRecord(b *testing.B) {
	topic, value := []byte("orders"), make([]byte, 100)
	var buf []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		buf = format.AppendRecord(buf[:0], topic, nil, value)
	}
}

// benchBody is a body of benchRecords records with values of 100 bytes.
func benchBody() []byte {
	var e format.Encoder
	topic, value := []byte("orders"), make([]byte, 100)
	e.SetTopic(topic)
	for range benchRecords {
		e.Add(topic, nil, len(value), [][]byte{value})
	}
	return e.Finish()
}

func BenchmarkParseRecord(b *testing.B) {
	body := benchBody()
	rest := body
	b.ReportAllocs()
	b.SetBytes(int64(len(body) / benchRecords))
	for b.Loop() {
		_, n, err := format.ParseRecord(rest)
		if err != nil {
			b.Fatal(err)
		}
		if rest = rest[n:]; len(rest) == 0 {
			rest = body
		}
	}
}

func BenchmarkCheckRecord(b *testing.B) {
	body := benchBody()
	b.ReportAllocs()
	b.SetBytes(int64(len(body) / benchRecords))
	for b.Loop() {
		if err := format.CheckRecord(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHeaderOfBlock(b *testing.B) {
	body := benchBody()
	runs := []format.Run{{Records: benchRecords, ValueBytes: 100 * benchRecords}}
	var buf []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		buf = format.AppendHeader(buf[:0], 1, runs, body)
	}
}
