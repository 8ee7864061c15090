package engine_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/disk"
)

// An indexing is a hook that sees chunks of topic indexes written, and what is synced meanwhile.
// The first chunk is held up until the next sync is due.
type indexing struct {
	chunks atomic.Int64
	begun  chan struct{}
	goOn   chan struct{}
	synced chan int64 // after how many chunks the keeper synced
}

func (*indexing) Before(*disk.Op) error { return nil }

func (x *indexing) After(op *disk.Op, _ int, _ error) {
	switch {
	case op.Kind == disk.OpWrite && strings.Contains(op.Path, "/index/"):
		if x.chunks.Add(1) == 1 {
			close(x.begun)
			<-x.goOn
			<-time.After(2 * engine.SyncIntervalMin) // a tick, which nothing else tells of
		}
	case op.Kind == disk.OpDatasync:
		select {
		case <-x.goOn:
			select {
			case x.synced <- x.chunks.Load():
			default: // another time
			}
		default: // by an append
		}
	}
}

// The index of a large segment takes long to build. What is appended meanwhile is synced in time.
func TestSyncingWhileTheIndexIsBuilt(t *testing.T) {
	x := &indexing{begun: make(chan struct{}), goOn: make(chan struct{}), synced: make(chan int64, 1)}
	const segmentBytes, chunkBytes = 4 << 20, 32 << 10
	l := open(t, newStore(t), engine.Options{
		SegmentBytes: segmentBytes, SyncInterval: engine.SyncIntervalMin, FileHook: x})
	engine.SetIndexSpan(l, chunkBytes)
	// The keeper begins when a segment is started, and goes on with that when the next one is.
	for l.Status().Segments < 3 {
		appendTo(t, l, "t", strings.Repeat("x", chunkBytes/2))
	}
	<-x.begun
	appendTo(t, l, "t", "to be synced")
	close(x.goOn)
	if after := <-x.synced; after > segmentBytes/chunkBytes/2 {
		t.Errorf("it was synced after %d chunks, want it before half of the segment's are written", after)
	}
}
