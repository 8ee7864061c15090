package engine

import (
	"context"
	"errors"
	"syscall"
	"testing"
)

// After a sync that the disk refused nothing is accepted any more, by any way: the kernel forgets
// such an error, and a second sync would only seem to succeed. Here the refusal is put where Sync
// would report it; mount_test.TestDiskRefusesAWrite has disks that refuse.
func TestRefusedSyncPoisonsTheLog(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	l, err := Open(ctx, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	appendOne := func() error {
		var b Batch
		b.Add("t", nil, []byte("x"))
		return l.Append(ctx, &b)
	}
	if err := appendOne(); err != nil {
		t.Fatal(err)
	}
	first := l.poison(syscall.EIO)
	if again := l.poison(syscall.ENOSPC); again.Error() != first.Error() {
		t.Errorf("a second failure: got %v, want the first one, %v", again, first)
	}
	if !l.unsynced() {
		t.Error("no note of the failed sync is left")
	}
	for name, err := range map[string]error{
		"Append": appendOne(), "Sync": l.Sync(ctx), "SetTopic": l.SetTopic(ctx, "t", TopicAttr{}),
		"Close": l.Close(),
	} {
		if !errors.Is(err, ErrPoisoned) || !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: got %v, want ErrPoisoned and EIO", name, err)
		}
	}
	if s := l.Status(); s.Healthy || s.Troubles != 1 {
		t.Errorf("got %+v, want a log that is not healthy and tells of one trouble", s)
	}
	if again, err := Open(ctx, dir, Options{}); err != nil || again.unsynced() {
		t.Errorf("opened again: %v, and the note of the failed sync is still there", err)
	} else if err := again.Close(); err != nil {
		t.Error(err)
	}
}
