package engine_test

import (
	"context"
	"testing"

	"purofs/engine"
)

// Appending, reading and committing allocate nothing, so that their cost stays what it is under
// load.
func TestNothingIsAllocated(t *testing.T) {
	const runs = 1000
	l := open(t, newStore(t), engine.Options{Sync: engine.SyncNone})
	ctx := context.Background()
	var b engine.Batch
	value := make([]byte, 100)
	appendOne := func() {
		b.Reset()
		b.Add("orders", nil, value)
		if err := l.Append(ctx, &b); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // until every buffer is as large as it gets
		appendOne()
	}
	if got := testing.AllocsPerRun(runs, appendOne); got != 0 {
		t.Errorf("Append of one record: got %v allocations, want none", got)
	}
	r := reader(t, l, "orders", engine.Start())
	next := func() {
		if _, err := r.TryNext(); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		next()
	}
	if got := testing.AllocsPerRun(runs-100, next); got != 0 {
		t.Errorf("TryNext: got %v allocations, want none", got)
	}

	if err := l.CreateCursor(ctx, "orders", "billing"); err != nil {
		t.Fatal(err)
	}
	c, err := l.OpenCursor("orders", "billing")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	done := func() {
		if err := c.Commit(c.Next() + 1); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		done()
	}
	if got := testing.AllocsPerRun(runs-100, done); got != 0 {
		t.Errorf("Commit: got %v allocations, want none", got)
	}
}
