package engine_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"purofs/engine"
	"purofs/engine/disk"
)

// A reads is a hook that counts the bytes that are read from files, those of the index too.
type reads struct{ bytes atomic.Int64 }

func (*reads) Before(*disk.Op) error { return nil }

func (r *reads) After(op *disk.Op, n int, _ error) {
	if op.Kind == disk.OpRead {
		r.bytes.Add(int64(n))
	}
}

// To read a topic costs in proportion to that topic, however large its blocks are. That is told by
// the bytes that are read, once the index is there.
func TestRareTopicCostsLittle(t *testing.T) {
	const blocks, share = 20_000, 100
	for _, records := range []int{1, 3, 30} {
		t.Run(fmt.Sprint(records), func(t *testing.T) {
			t.Parallel()
			count := new(reads)
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
				before := count.bytes.Load()
				if n := len(read(t, l, "few")); n != blocks/share*records {
					t.Fatalf("%d records", n)
				}
				return count.bytes.Load() - before
			}
			readAll() // builds the index
			if all, n := l.Status().Bytes, readAll(); n > all/3 {
				t.Errorf("reading 1 %% of %d bytes reads %d", all, n)
			}
		})
	}
}
