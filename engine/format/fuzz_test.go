package format_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"purofs/engine/format"
)

// Each decoder has a fuzz target: it must not panic, must not look beyond its bytes, and what it
// accepts must come out the same after encoding and decoding again. The seeds are what the vectors
// hold for that decoder.

// seedRecords calls add with each record of the vectors, and with all that follows it in the body.
func seedRecords(f *testing.F, add func(kind byte, rec walkedRecord)) {
	f.Helper()
	for _, name := range vectorNames(f) {
		s := walk(f, readVector(f, name).bytes)
		for _, rec := range s.outside {
			kind, _ := rec.Control()
			add(kind, rec)
		}
		for _, block := range s.blocks {
			for _, rec := range block.records {
				kind, control := rec.Control()
				if !control {
					kind = format.ControlTopicEnd
				}
				if len(rec.raw) <= 1<<10 {
					add(kind, rec)
				}
			}
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	seedRecords(f, func(_ byte, rec walkedRecord) { f.Add(rec.raw) })
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:len(b):len(b)]
		rec, n, err := format.ParseRecord(b)
		topic, peeked, peekErr := format.PeekRecord(b)
		if err != nil {
			// What PeekRecord rules out, more bytes cannot cure.
			if errors.Is(err, format.ErrShort) && peekErr != nil && !errors.Is(peekErr, format.ErrShort) {
				t.Errorf("ParseRecord: got %v, but PeekRecord %v", err, peekErr)
			}
			return
		}
		if peekErr != nil || peeked != n || !bytes.Equal(topic, rec.Topic) {
			t.Errorf("PeekRecord: got %q, %d, %v, want %q, %d", topic, peeked, peekErr, rec.Topic, n)
		}
		checkErr := format.CheckRecord(b)
		minimal := format.RecordBytes(len(rec.Topic), len(rec.Key), len(rec.Value))
		again := format.AppendRecord(nil, rec.Topic, rec.Key, rec.Value)
		if len(again) != minimal || n < minimal {
			t.Fatalf("got %d bytes of %d encoded again, RecordBytes says %d", len(again), n, minimal)
		}
		if n > minimal { // with varints that are longer than they must be
			return
		}
		if !bytes.Equal(again[1:], b[1:n]) {
			t.Errorf("got % x encoded again, want % x", again, b[:n])
		}
		if right := again[0] == b[0]; right != (checkErr == nil) {
			t.Errorf("CheckRecord: got %v, and the check is %#x, want %#x", checkErr, b[0], again[0])
		}
	})
}

func FuzzParseStart(f *testing.F) {
	for _, name := range vectorNames(f) {
		s := walk(f, readVector(f, name).bytes)
		for _, block := range s.blocks {
			f.Add(block.raw[:format.StartBytes])
			f.Add(block.raw[len(block.raw)-format.EndBytes:])
		}
		if len(s.tail) >= format.StartBytes {
			f.Add(s.tail[:format.StartBytes])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:len(b):len(b)]
		if start, err := format.ParseStart(b); err == nil {
			again := format.AppendStart(nil, start.Length)
			if start.High {
				again[format.SignalOffset] = 1
			}
			// The check of a low block may be either.
			if !bytes.Equal(again[1:], b[1:format.StartBytes]) || start.High && again[0] != b[0] {
				t.Errorf("got % x encoded again, want % x", again, b[:format.StartBytes])
			}
			if start.Length < format.StartBytes || start.Length > format.BlockBytesMax {
				t.Errorf("got a length of %d", start.Length)
			}
		}
		if rec, n, err := format.ParseRecord(b); err == nil && n == format.EndBytes &&
			len(rec.Value) == 4 {
			length := int(rec.Value[0])<<24 | int(rec.Value[1])<<16 |
				int(rec.Value[2])<<8 | int(rec.Value[3])
			again := format.AppendEnd(nil, length)
			same := bytes.Equal(again, b[:n])
			if err := format.ParseEnd(b, length); (err == nil) != same {
				t.Errorf("ParseEnd: got %v for % x, encoded again % x", err, b[:n], again)
			}
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	seedRecords(f, func(kind byte, rec walkedRecord) {
		if kind == format.TopicHeader {
			f.Add(rec.Value, []byte("what follows"))
		}
	})
	f.Fuzz(func(t *testing.T, value, rest []byte) {
		value = value[:len(value):len(value)]
		h, err := format.ParseHeader(value)
		if err != nil {
			return
		}
		if h.Topics > len(value)/3 {
			t.Fatalf("got %d topics in %d bytes", h.Topics, len(value))
		}
		_ = h.CheckCRC(rest)
		runs := make([]format.Run, h.Topics)
		for i := range runs {
			if runs[i], err = h.NextRun(); err != nil {
				return
			}
		}
		skips := 0
		for ; h.Sparse && err == nil; skips++ {
			_, err = h.NextSkip()
		}
		if skips > len(value) {
			t.Fatalf("got %d skips in %d bytes", skips, len(value))
		}

		again := headerValue(t, h.Time, runs, rest)
		got, err := format.ParseHeader(again)
		if err != nil {
			t.Fatalf("% x encoded again: %v", again, err)
		}
		if err := got.CheckCRC(rest); err != nil {
			t.Errorf("% x encoded again: %v", again, err)
		}
		gotRuns := make([]format.Run, got.Topics)
		for i := range gotRuns {
			if gotRuns[i], err = got.NextRun(); err != nil {
				t.Fatalf("% x encoded again: run %d: %v", again, i, err)
			}
		}
		if got.Time != h.Time || !reflect.DeepEqual(gotRuns, runs) {
			t.Errorf("got %d, %v encoded again, want %d, %v", got.Time, gotRuns, h.Time, runs)
		}
	})
}

func FuzzParseSegmentHeader(f *testing.F) {
	seedRecords(f, func(kind byte, rec walkedRecord) {
		if kind == format.TopicSegmentHeader {
			f.Add(rec.Value)
		}
	})
	f.Add(format.AppendSegmentHeader(nil, cutSegmentHeader()))
	f.Fuzz(func(t *testing.T, value []byte) {
		value = value[:len(value):len(value)]
		h, err := format.ParseSegmentHeader(value)
		if err != nil {
			return
		}
		requireSmall(t, h, value)
		again := format.AppendSegmentHeader(nil, h)
		got, err := format.ParseSegmentHeader(again)
		if err != nil || !reflect.DeepEqual(got, h) {
			t.Errorf("got %+v, %v encoded again, want %+v", got, err, h)
		}
	})
}

// requireSmall fails if there are more topics than the bytes can hold: each takes 23 or more.
func requireSmall(t *testing.T, h *format.SegmentHeader, b []byte) {
	t.Helper()
	if len(h.Topics) > len(b)/23 {
		t.Fatalf("got %d topics in %d bytes", len(h.Topics), len(b))
	}
}

func FuzzParseTopicChange(f *testing.F) {
	seedRecords(f, func(kind byte, rec walkedRecord) {
		if kind == format.TopicTopic {
			f.Add(rec.Value)
		}
	})
	f.Fuzz(func(t *testing.T, value []byte) {
		value = value[:len(value):len(value)]
		c, err := format.ParseTopicChange(value)
		if err != nil {
			return
		}
		again := format.AppendTopicChange(nil, &c)
		if len(again) == len(value) && !bytes.Equal(again, value) {
			t.Errorf("got % x encoded again, want % x", again, value)
		}
		got, err := format.ParseTopicChange(again)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("got %+v, %v encoded again, want %+v", got, err, c)
		}
	})
}

// FuzzParseCheckpoint tries each input as it is and with its CRC made right, since chance would not
// find a right one.
func FuzzParseCheckpoint(f *testing.F) {
	f.Add(format.AppendCheckpoint(nil, checkpoint()))
	f.Add(format.AppendCheckpoint(nil, &format.Checkpoint{Log: *nativeSegmentHeader()}))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		_, _ = format.ParseCheckpoint(b)
		if len(b) < checkpointCRC+4 {
			return
		}
		c, err := format.ParseCheckpoint(sealCheckpoint(b))
		if err != nil {
			return
		}
		requireSmall(t, &c.Log, b)
		got, err := format.ParseCheckpoint(format.AppendCheckpoint(nil, c))
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("got %+v, %v encoded again, want %+v", got, err, c)
		}
	})
}
