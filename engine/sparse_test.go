package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/format"
	"purofs/engine/segment"
)

// sparseBlock is a block that compaction took records out of. Nothing here writes such blocks;
// FORMAT.md has them, so they have to be read.
func sparseBlock(at time.Time, runs []format.Run, skips []uint64, records []byte) []byte {
	value := []byte{1, 1} // version, flags
	value = binary.BigEndian.AppendUint64(value, uint64(at.UnixNano()))
	value = append(value, 0, 0, 0, 0) // CRC
	value = append(value, byte(len(runs)))
	for _, r := range runs {
		value = append(value, byte(r.Offset), byte(r.Records), byte(r.ValueBytes))
	}
	for _, skip := range skips {
		value = append(value, byte(skip))
	}
	crc := format.CRC32C(format.CRC32C(0, value[:10]), value[14:])
	binary.BigEndian.PutUint32(value[10:], format.CRC32C(crc, records))
	header := format.AppendRecord(nil, []byte{format.TopicHeader}, nil, value)
	return framed(append(header, records...))
}

// sparseStore has records 0 to 2 of topic t and 0 of topic u, then a sparse block with those skips
// before t 4, u 3, and t 7, then t 8 and u 4.
func sparseStore(t *testing.T, skips ...uint64) (dir string) {
	t.Helper()
	dir = newStore(t)
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "t", "t0", "t1", "t2")
	appendTo(t, l, "u", "u0")
	closeLog(t, l)
	var records []byte
	for _, r := range []string{"t4", "u3", "t7"} {
		records = format.AppendRecord(records, []byte(r[:1]), nil, []byte(r))
	}
	runs := []format.Run{
		{Offset: 3, Records: 2, ValueBytes: 4}, {Offset: 1, Records: 1, ValueBytes: 2},
	}
	appendRaw(t, segmentPath(dir, 0), sparseBlock(time.Now(), runs, skips, records))
	l = open(t, dir, engine.Options{})
	appendTo(t, l, "t", "t8")
	appendTo(t, l, "u", "u4")
	closeLog(t, l)
	return dir
}

// Records keep their offsets in a block that others were taken out of, however it is come by, and
// what is appended behind it goes on with the next one.
func TestSparseBlock(t *testing.T) {
	dir := sparseStore(t, 1, 2, 2)
	verify(t, dir, "clean")
	l := open(t, dir, engine.Options{})
	for topic, want := range map[string][]uint64{"t": {0, 1, 2, 4, 7, 8}, "u": {0, 3, 4}} {
		for from := range want[len(want)-1] + 1 {
			requireOffsets(t, l, topic, from, want)
		}
		info, err := l.Topic(topic)
		if next := want[len(want)-1] + 1; err != nil || info.Next != next {
			t.Errorf("topic %s: next offset %d, %v, want %d", topic, info.Next, err, next)
		}
	}
	err := l.ReadRecord("t", 5, func(*engine.Record) error { return nil })
	if !errors.Is(err, engine.ErrNoRecord) {
		t.Errorf("a record that is gone: %v, want ErrNoRecord", err)
	}
}

// requireOffsets reads a topic from an offset on, as records and as lines, and expects those wanted
// records that are not before it.
func requireOffsets(t *testing.T, l *engine.Log, topic string, from uint64, want []uint64) {
	t.Helper()
	for len(want) > 0 && want[0] < from {
		want = want[1:]
	}
	r := reader(t, l, topic, engine.AtOffset(from))
	for _, offset := range want {
		record, err := r.TryNext()
		value := fmt.Sprint(topic, offset)
		if err != nil || record.Offset != offset || string(record.Value) != value {
			t.Fatalf("from %d: got %v, %v, want %s", from, record, err, value)
		}
		err = l.ReadRecord(topic, offset, func(record *engine.Record) error {
			if string(record.Value) != value {
				t.Errorf("record %d is %q", offset, record.Value)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if _, err := r.TryNext(); !errors.Is(err, engine.ErrNoRecord) {
		t.Errorf("behind the last record: %v", err)
	}
	lines := reader(t, l, topic, engine.AtOffset(from))
	var text []byte
	for buf := make([]byte, 64); ; {
		if n := lines.Lines(buf); n > 0 {
			text = append(text, buf[:n]...)
			continue
		}
		record, err := lines.TryNext()
		if err != nil {
			break
		}
		text = append(append(text, record.Value...), '\n')
	}
	var all []byte
	for _, offset := range want {
		all = fmt.Appendf(all, "%s%d\n", topic, offset)
	}
	if !bytes.Equal(text, all) {
		t.Errorf("from %d: the lines are %q, want %q", from, text, all)
	}
}

// A cursor goes over the offsets that are gone, one record after the other.
func TestCursorOverASparseBlock(t *testing.T) {
	l := open(t, sparseStore(t, 1, 2, 2), engine.Options{})
	newCursor(t, l, "c")
	for from, next := range map[uint64]uint64{0: 1, 1: 2, 2: 3, 3: 5, 5: 8, 8: 9} {
		setCursor(t, l, "c", from)
		c := hold(t, l, "c")
		record, err := reader(t, l, "t", engine.AtOffset(c.Next())).TryNext()
		if err != nil || record.Offset+1 != next {
			t.Fatalf("got %v, %v, want record %d", record, err, next-1)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		setCursor(t, l, "c", next)
		requirePosition(t, l, "c", next)
	}
}

// Who looks into the segment is told the same offsets.
func TestInspectSparseBlock(t *testing.T) {
	var got []string
	for _, p := range inspect(t, segmentPath(sparseStore(t, 1, 2, 2), 0), 0) {
		if !p.Header.Sparse {
			continue
		}
		for r, err := range p.Records() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s %d", r.Value, r.Offset))
		}
	}
	if want := "[t4 4 u3 3 t7 7]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// A block that does not say of each record how many were skipped is damaged, even if its CRC is
// right, and the others are read.
func TestSparseBlockWithoutItsSkips(t *testing.T) {
	dir := sparseStore(t, 1, 2)
	l := open(t, dir, engine.Options{})
	values, damage := drain(t, reader(t, l, "t", engine.Start()))
	if want := "[t0 t1 t2 t8]"; fmt.Sprint(values) != want || len(damage) != 1 {
		t.Errorf("got %v, damage %v, want %s and one damage", values, damage, want)
	}
	closeLog(t, l)
	report, err := engine.Verify(context.Background(), dir, nil)
	if err != nil || len(report.Damage) == 0 {
		t.Errorf("verify: %+v, %v, want damage", report, err)
	}
	var d *segment.DamageError
	if len(damage) == 1 && !errors.As(damage[0], &d) {
		t.Errorf("got %v, want a place", damage[0])
	}
}
