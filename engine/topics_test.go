package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"purofs/engine"
)

func TestTopicAttributes(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	other := open(t, dir, engine.Options{})
	ctx := context.Background()
	set := func(l *engine.Log, attr engine.TopicAttr) {
		t.Helper()
		if err := l.SetTopic(ctx, "t", attr); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, mode, uid, gid uint32) {
		t.Helper()
		for i, log := range []*engine.Log{l, other, open(t, dir, engine.Options{ReadOnly: true})} {
			got, err := log.Topic("t")
			if err != nil || got.Mode != mode || got.UID != uid || got.GID != gid {
				t.Errorf("%s, log %d: got %+v, %v, want mode %o, %d:%d", what, i, got, err, mode, uid, gid)
			}
		}
	}
	set(l, engine.TopicAttr{Mode: 0o640, UID: 1, GID: 2})
	check("made", 0o640, 1, 2)
	made, err := l.Topic("t")
	if err != nil || made.Next != 0 || made.Time.IsZero() {
		t.Errorf("got %+v, %v, want an empty topic with the time of its making", made, err)
	}
	appendTo(t, other, "t", "x")
	check("appended to", 0o640, 1, 2)
	set(other, engine.TopicAttr{Mode: 0o4755, UID: 3, GID: 4})
	check("changed", 0o755, 3, 4) // permission bits only
	requireValues(t, l, "t", "x")
}

func TestDeletedTopic(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes})
	other := open(t, dir, engine.Options{SegmentBytes: testSegmentBytes})
	ctx := context.Background()
	appendTo(t, l, "kept", "k")
	appendTo(t, l, "t", "old", "older")
	r := reader(t, other, "t", engine.End())
	if _, err := r.TryNext(); !errors.Is(err, engine.ErrNoRecord) {
		t.Fatalf("got %v, want ErrNoRecord", err)
	}
	appendTo(t, l, "t", "unseen") // the reader comes too late for it
	if err := l.DeleteTopic(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	for _, log := range []*engine.Log{l, other} {
		if _, err := log.Topic("t"); !errors.Is(err, engine.ErrNoTopic) {
			t.Errorf("got %v, want ErrNoTopic", err)
		}
		if got := log.Topics(); len(got) != 1 || got[0].Name != "kept" {
			t.Errorf("got %+v, want the other topic", got)
		}
		if got := log.Status(); got.Topics != 1 || got.Records != 1 {
			t.Errorf("got %d topics, %d records, want 1 and 1", got.Topics, got.Records)
		}
	}
	if err := l.DeleteTopic(ctx, "t"); !errors.Is(err, engine.ErrNoTopic) {
		t.Errorf("deleting it again: got %v, want ErrNoTopic", err)
	}

	if _, err := reader(t, l, "t", engine.Start()).TryNext(); !errors.Is(err, engine.ErrNoTopic) {
		t.Errorf("a reader: got %v, want ErrNoTopic", err)
	}

	appendTo(t, other, "t", "new")
	check := func(what string, log *engine.Log, next uint64, values ...string) {
		t.Helper()
		info, err := log.Topic("t")
		if err != nil || info.First != 3 || info.Next != next || info.FirstText != 17 {
			t.Errorf("%s: got %+v, %v, want offsets 3 to %d from byte 17", what, info, err, next)
		}
		requireValues(t, log, "t", values...)
		for _, from := range []engine.Position{engine.AtOffset(0), engine.AtText(3), engine.Last(100)} {
			if rec := wait(t, reader(t, log, "t", from)); rec.Offset != 3 || string(rec.Value) != "new" {
				t.Errorf("%s: got %d %q, want the first record after the deletion", what, rec.Offset, rec.Value)
			}
		}
	}
	check("made again", l, 4, "new")
	check("made again, elsewhere", other, 4, "new")
	if rec := wait(t, r); rec.Offset != 3 {
		t.Errorf("a reader from before: got offset %d, want 3", rec.Offset)
	}
	for i := 0; l.Status().Segments < 3; i++ {
		appendTo(t, l, "kept", string(paddedValue(fmt.Sprint(i))))
	}
	check("after rollovers", l, 4, "new")
	closeLog(t, l)
	check("reopened", open(t, dir, engine.Options{}), 4, "new")
}
