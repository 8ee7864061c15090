package engine_test

import (
	"testing"

	"purofs/engine"
)

// Between the look at a store and the lock of its newest segment others append, and write a
// checkpoint, and append again: the offsets that they gave out are not given out twice.
func TestRepairBesideAppends(t *testing.T) {
	dir, values := repairStore(t)
	newest := blocksOf(t, readFile(t, segmentPath(dir, 2)))
	last := len(newest) - 2
	change(t, segmentPath(dir, 2), spoil(newest[last-1]+50, newest[last-1]+51))
	want := expected(values, [2]int{len(values) - 4, len(values) - 2})
	var after *engine.Log
	add := func(l *engine.Log, value string) {
		appendTo(t, l, "t", value)
		want[uint64(len(values))] = value
		values = append(values, value)
	}
	done := false
	hook := &beforeLock{file: "stream2.puro", do: func() {
		if done {
			return
		}
		done = true
		before := open(t, dir, engine.Options{})
		add(before, "known to the checkpoint")
		closeLog(t, before)
		after = open(t, dir, engine.Options{})
		add(after, "not known to it")
	}}
	report, err := engine.Repair(t.Context(), dir, engine.Options{FileHook: hook}, nil)
	if err != nil || len(report.Steps) != 1 {
		t.Fatalf("did %+v, %v, want one step", report.Steps, err)
	}
	add(after, "behind the repair")
	closeLog(t, after)
	requireRepaired(t, dir, want)
}
