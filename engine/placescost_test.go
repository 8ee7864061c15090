package engine_test

import (
	"context"
	"fmt"
	"testing"

	"purofs/engine"
)

// To read a topic costs in proportion to that topic, however large its blocks are. That is told by
// the bytes that are read, once the index is there.
func TestRareTopicCostsLittle(t *testing.T) {
	const blocks, share = 20_000, 100
	for _, records := range []int{1, 3, 30} {
		t.Run(fmt.Sprint(records), func(t *testing.T) {
			t.Parallel()
			count := new(readMap)
			l := open(t, newStore(t), engine.Options{FileHook: count, Sync: engine.SyncNone})
			var batch engine.Batch
			for i := range blocks {
				topic := "many"
				if i%share == 0 {
					topic = "few"
				}
				batch.Reset()
				for range records {
					batch.Add(topic, nil, make([]byte, 100))
				}
				if err := l.Append(context.Background(), &batch); err != nil {
					t.Fatal(err)
				}
			}
			readAll := func() int64 {
				before := count.all()
				if n := len(read(t, l, "few")); n != blocks/share*records {
					t.Fatalf("%d records", n)
				}
				return count.all() - before
			}
			readAll() // builds the index
			if all, n := l.Status().Bytes, readAll(); n > all/3 {
				t.Errorf("reading 1 %% of %d bytes reads %d", all, n)
			}
		})
	}
}
