package segment_test

import (
	"errors"
	"syscall"
	"testing"

	"purofs/engine/disk"
	"purofs/engine/segment"
)

// A refusing disk refuses the first sync, once it is told to. The kernel tells each open file once
// of a failed one, so the others succeed.
type refusing struct {
	begun, refuse chan struct{}
	syncs         int
}

func (r *refusing) Before(op *disk.Op) error {
	if op.Kind != disk.OpDatasync {
		return nil
	}
	if r.syncs++; r.syncs > 1 {
		return nil
	}
	close(r.begun)
	<-r.refuse
	return syscall.EIO
}

func (*refusing) After(*disk.Op, int, error) {}

// What a failed sync has lost may have been written by somebody who syncs at the same time, or
// afterwards: nobody's sync succeeds any more.
func TestRefusedSyncIsForAll(t *testing.T) {
	hook := &refusing{begun: make(chan struct{}), refuse: make(chan struct{})}
	root, err := disk.OpenDir(t.TempDir(), hook)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	seg, err := segment.Create(root, 0, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer seg.Close()
	results := make(chan error, 2)
	sync := func() { results <- seg.Sync() }
	go sync()
	<-hook.begun
	go sync()
	close(hook.refuse)
	for range 2 {
		if err := <-results; !errors.Is(err, segment.ErrSync) || !errors.Is(err, syscall.EIO) {
			t.Errorf("together: %v, want ErrSync, EIO", err)
		}
	}
	if err := seg.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("afterwards: %v, want EIO", err)
	}
}
