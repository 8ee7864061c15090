package engine_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/format"
)

// When the clock is set back the log's is not: its blocks go on behind the last one by a nanosecond
// each, whoever appends them. So times still find records, and behind damage what came later is
// told from a copy of what was before.
func TestClockSetBack(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "t", "0")
	closeLog(t, l)
	before := time.Now().AddDate(10, 0, 0) // as the clock was
	one := format.AppendRecord(nil, []byte("t"), nil, []byte("1"))
	runs := []format.Run{{Offset: 1, Records: 1, ValueBytes: 1}}
	appendRaw(t, segmentPath(dir, 0), sparseBlock(before, runs, []uint64{0}, one))

	l = open(t, dir, engine.Options{})
	other := open(t, dir, engine.Options{})
	appendTo(t, l, "t", "2")
	appendTo(t, other, "t", "three")
	appendTo(t, l, "t", "4")
	closeLog(t, other)
	closeLog(t, l)
	verify(t, dir, "clean")
	segment := readFile(t, segmentPath(dir, 0))
	writeFile(t, segmentPath(dir, 0), bytes.Replace(segment, []byte("three"), []byte("THREE"), 1))

	l = open(t, dir, engine.Options{})
	appendTo(t, l, "t", "5")
	values, damage := drain(t, reader(t, l, "t", engine.Start()))
	if fmt.Sprint(values) != "[0 1 2 4 5]" || len(damage) != 1 {
		t.Errorf("got %v, and %v", values, damage)
	}
	for age, want := range map[time.Duration]string{
		-time.Hour: "1", 0: "1", 1: "2", 3: "4", 4: "5",
	} {
		got, _ := drain(t, reader(t, l, "t", engine.Since(before.Add(age))))
		if len(got) == 0 || got[0] != want {
			t.Errorf("since %v after what the clock said: got %v, want those from %s on", age, got, want)
		}
	}
}
