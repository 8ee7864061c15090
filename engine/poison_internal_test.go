package engine

import (
	"context"
	"errors"
	"syscall"
	"testing"
)

// After a sync that the disk refused nothing is accepted any more, by any way: the kernel forgets
// such an error, and a second sync would only seem to succeed. No file system here can be made to
// refuse one, so the refusal is put where Sync would report it.
func TestRefusedSyncPoisonsTheLog(t *testing.T) {
	ctx := context.Background()
	l, err := Open(ctx, t.TempDir(), Options{})
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
	first := l.sync.poison(syscall.EIO)
	if again := l.sync.poison(syscall.ENOSPC); again.Error() != first.Error() {
		t.Errorf("a second failure: got %v, want the first one, %v", again, first)
	}
	for name, err := range map[string]error{
		"Append": appendOne(), "Sync": l.Sync(ctx), "SetTopic": l.SetTopic(ctx, "t", TopicAttr{}),
		"Close": l.Close(),
	} {
		if !errors.Is(err, ErrPoisoned) || !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: got %v, want ErrPoisoned and EIO", name, err)
		}
	}
	if l.Status().Healthy {
		t.Error("the log says that it is healthy")
	}
}
