package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/disk"
)

// Gates hold operations up: the first one of a kind that comes to its gate says so, and waits until
// it is let through.
type gates map[disk.Kind]*gate

type gate struct {
	once           sync.Once
	reached, opens chan struct{}
}

func newGate() *gate { return &gate{reached: make(chan struct{}), opens: make(chan struct{})} }

func (g gates) Before(*disk.Op) error { return nil }

func (g gates) After(op *disk.Op, _ int, _ error) {
	if gate := g[op.Kind]; gate != nil {
		gate.once.Do(func() {
			close(gate.reached)
			<-gate.opens
		})
	}
}

// A sync that waits for another one while the log is closed finds no log any more.
func TestSyncBesideClose(t *testing.T) {
	dir := newStore(t)
	closeLog(t, open(t, dir, engine.Options{}))
	writing, syncing, looking := newGate(), newGate(), newGate()
	hook := gates{disk.OpRename: writing, disk.OpDatasync: syncing}
	l := open(t, dir, engine.Options{Sync: engine.SyncNone, FileHook: hook})
	other := open(t, dir, engine.Options{Sync: engine.SyncNone})
	appendTo(t, l, "t", "first")
	closed, first, second := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() { closed <- l.Close() }()
	<-writing.reached // of its last checkpoint: the files are closed after that
	go func() { first <- l.Sync(context.Background()) }()
	<-syncing.reached
	appendTo(t, other, "t", "second") // which is not in the first one
	hook[disk.OpStat] = looking
	go func() { second <- l.Sync(context.Background()) }()
	<-looking.reached
	close(looking.opens)
	close(writing.opens)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	close(syncing.opens)
	if err := <-first; err != nil {
		t.Errorf("got %v of the first sync, want no error", err)
	}
	if err := <-second; !errors.Is(err, engine.ErrClosed) {
		t.Errorf("got %v of the second sync, want ErrClosed", err)
	}
}

// With sync=interval somebody syncs what is acknowledged, also if who appended it died at once.
func TestOpeningSyncsWhatTheDeadLeft(t *testing.T) {
	dir := newStore(t)
	closeLog(t, open(t, dir, engine.Options{}))
	dead := open(t, dir, engine.Options{SyncInterval: engine.SyncIntervalMax})
	appendTo(t, dead, "t", "x")
	syncing := newGate()
	close(syncing.opens)
	open(t, dir, engine.Options{
		SyncInterval: engine.SyncIntervalMin, FileHook: gates{disk.OpDatasync: syncing}})
	select {
	case <-syncing.reached:
	case <-time.After(10 * time.Second):
		t.Error("nothing was synced in 10 seconds")
	}
}
