package engine_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purofs/engine"
	"purofs/engine/format"
)

// asideSpan is how much the chunks of the indexes of an asideStore cover.
const asideSpan = 20_000

func openAside(t testing.TB, dir string) *engine.Log {
	t.Helper()
	l := open(t, dir, engine.Options{SegmentBytes: engine.SegmentBytesMin, Sync: engine.SyncNone})
	engine.SetIndexSpan(l, asideSpan)
	return l
}

// asideStore makes a store of two segments with an index each, and with two cursors of topic t, c
// and other.
func asideStore(t testing.TB) (dir string) {
	t.Helper()
	dir = newStore(t)
	l := openAside(t, dir)
	defer closeLog(t, l)
	appendTo(t, l, "t", numbered(10)...)
	for l.Status().Bytes < engine.SegmentBytesMin+3*asideSpan {
		appendTo(t, l, "many", string(make([]byte, 1000)))
	}
	if err := seekToEach(l, "many"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"c", "other"} {
		newCursor(t, l, name)
		setCursor(t, l, name, 5)
		setCursor(t, l, name, 6)
	}
	if names := indexFiles(t, dir); len(names) != 2 {
		t.Fatalf("got the indexes %v, want two", names)
	}
	return dir
}

// newerCursor is a cursor's file as a newer version would write it.
func newerCursor() []byte {
	b := format.AppendCursorSlot(nil, &format.CursorSlot{})
	b[len("purofs cursor ")]++
	crc := len(b) - 4
	sum := format.CRC32C(0, b[:crc])
	return append(b[:crc], byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
}

// What stands below cursors and index: what Verify says of it, and what a repair does. Damage is
// that of a cursor alone, and all bytes but those of an index are kept.
func TestAsides(t *testing.T) {
	original := asideStore(t)
	const c, index0 = "cursors/t/c", "index/segment0"
	put := func(name string, b []byte) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), b, 0o600) }
	}
	instead := func(name string, how func(path string) error) func(string) error {
		return func(dir string) error {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return err
			}
			return how(filepath.Join(dir, name))
		}
	}
	directory := func(path string) error { return os.Mkdir(path, 0o700) }
	sound := readFile(t, filepath.Join(original, c))
	half := append(bytes.Repeat([]byte{7}, 84), sound[84:]...)
	index := readFile(t, filepath.Join(original, index0))
	other := readFile(t, filepath.Join(original, "index/segment1"))
	tests := []struct {
		name   string
		spoil  func(dir string) error
		damage string // of a cursor, the reason; empty: none
		note   string // empty: none
		action string // what a repair does about it; empty: nothing
		left   string // why it leaves a cursor as it is; empty: it does not
	}{
		{name: "all sound", spoil: func(string) error { return nil }},
		{name: "half a cursor", spoil: put(c, half), note: `"cursors/t/c": half of its file is damaged`},
		{name: "zeros for a cursor", spoil: put(c, make([]byte, len(sound))),
			damage: "neither half of it can be read", action: "make it again, and set its position"},
		{name: "an empty cursor", spoil: put(c, nil),
			damage: "neither half of it can be read", action: "make it again, and set its position"},
		{name: "a newer cursor", spoil: put(c, newerCursor()),
			damage: "newer version", left: "only a newer version"},
		{name: "a directory for a cursor", spoil: instead(c, directory),
			damage: "not a regular file", action: "make it again"},
		{name: "a link for a cursor", spoil: instead(c, func(path string) error {
			return os.Symlink("other", path)
		}), damage: "not a regular file", action: "make it again"},
		{name: "a half-made cursor", spoil: put("cursors/t/.new", sound[:100]),
			note: `"cursors/t/.new": it was never finished, or is being made`},
		{name: "no name of a cursor", spoil: put("cursors/t/.c", sound),
			note: `"cursors/t/.c": no cursor can have that name`},
		{name: "no name of a topic", spoil: instead("cursors/%41", directory),
			note: `"cursors/%41": it is not the directory of a topic's cursors`},
		{name: "a file for a topic", spoil: put("cursors/u", sound),
			note: `"cursors/u": it is not the directory of a topic's cursors`},
		{name: "a file for the cursors", spoil: instead("cursors", func(path string) error {
			return os.WriteFile(path, nil, 0o600)
		}), note: `"cursors": it is not a directory`, action: "moved to lost"},
		{name: "no cursors, and no index", spoil: instead("cursors", func(path string) error {
			return os.RemoveAll(filepath.Join(filepath.Dir(path), "index"))
		})},

		{name: "an empty index", spoil: put(index0, nil)},
		{name: "a damaged index", spoil: put(index0, spoil(len(index)-1, len(index))(bytes.Clone(index))),
			note: "of no use", action: "removed"},
		{name: "a damaged header of an index", spoil: put(index0, spoil(20, 21)(bytes.Clone(index))),
			note: "of no use", action: "removed"},
		{name: "an index that is cut off", spoil: put(index0, index[:len(index)-1]),
			note: "of no use", action: "removed"},
		{name: "half a header of an index", spoil: put(index0, index[:30]),
			note: "of no use", action: "removed"},
		{name: "an index that goes on", spoil: put(index0, append(bytes.Clone(index), 0)),
			note: "goes on behind its last chunk", action: "removed"},
		{name: "an index twice", spoil: put(index0, twice(index)), note: "of no use", action: "removed"},
		{name: "an index of another segment", spoil: put(index0, other),
			note: "of another place", action: "removed"},
		{name: "an index of a segment that is gone", spoil: put("index/segment9", index),
			note: "there is no stream9.puro", action: "removed"},
		{name: "an index of what was there before", spoil: func(dir string) error {
			from := filepath.Join(dir, "stream1.puro")
			b, err := os.ReadFile(from)
			if err != nil {
				return err
			}
			return os.WriteFile(from, b[:blocksOf(t, b)[1]], 0o600)
		}, note: "its chunk at byte 0", action: "removed"},
		{name: "a directory for an index", spoil: instead(index0, directory),
			note: "not a regular file", action: "moved to lost"},
		{name: "a file for the directory", spoil: instead("index", func(path string) error {
			return os.WriteFile(path, []byte("text"), 0o600)
		}), note: `"index": it is not a directory`, action: "moved to lost"},
		{name: "no name of an index", spoil: put("index/segment00", index),
			note: `"index/segment00": it is not an index`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := copyStore(t, original)
			if err := tt.spoil(dir); err != nil {
				t.Fatal(err)
			}
			before := treeOf(t, dir)
			report, plan := lookAt(t, dir)
			requireOne(t, "damage", tt.damage, reasons(report.CursorDamage))
			requireOne(t, "note", tt.note, report.Notes)
			requireOne(t, "planned step", tt.action, actions(plan))
			requireOne(t, "cursor left", tt.left, reasons(plan.LeftCursors))
			if report.Sound() != (tt.damage == "") {
				t.Errorf("sound: %v", report.Sound())
			}
			if after := treeOf(t, dir); !equalTrees(before, after) {
				t.Fatal("a look changed something")
			}

			done := repair(t, dir)
			requireOne(t, "step", tt.action, actions(done))
			requireOne(t, "cursor left", tt.left, reasons(done.LeftCursors))
			requireKept(t, before, treeOf(t, dir), done)
			if again, plan := lookAt(t, dir); len(plan.Steps) > 0 || again.Sound() != (tt.left == "") {
				t.Errorf("after the repair: %+v, %+v", again, plan)
			}
			l := openAside(t, dir)
			defer closeLog(t, l)
			if tt.action != "" && tt.damage != "" {
				newCursor(t, l, "c")
				setCursor(t, l, "c", 3)
			}
			requireValues(t, l, "t", numbered(10)[:len(read(t, l, "t"))]...)
		})
	}
}

// lookAt verifies a store and plans its repair.
func lookAt(t testing.TB, dir string) (engine.VerifyReport, engine.RepairReport) {
	t.Helper()
	report, err := engine.Verify(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := engine.PlanRepair(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report, plan
}

func reasons(damage []engine.CursorDamage) (texts []string) {
	for _, d := range damage {
		texts = append(texts, d.File+": "+d.Reason)
	}
	return texts
}

func actions(r engine.RepairReport) (texts []string) {
	for _, s := range r.Steps {
		texts = append(texts, s.File+": "+s.Action)
	}
	return texts
}

// requireOne checks that there is one text that has want in it, or none if want is empty.
func requireOne(t testing.TB, what, want string, got []string) {
	t.Helper()
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("got %s %q, want none", what, got)
	case want != "" && (len(got) != 1 || !strings.Contains(got[0], want)):
		t.Errorf("got %s %q, want one with %q", what, got, want)
	}
}

// treeOf is all that a store holds, by its name within the store.
func treeOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	tree := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case e.IsDir():
			tree[name] = "a directory"
		case e.Type() == os.ModeSymlink:
			tree[name] = "a link"
		default:
			tree[name] = string(readFile(t, path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func equalTrees(a, b map[string]string) bool {
	for name, content := range a {
		if b[name] != content {
			return false
		}
	}
	return len(a) == len(b)
}

// requireKept checks that a repair has moved what it says, byte for byte, and touched nothing else.
func requireKept(t testing.TB, before, after map[string]string, done engine.RepairReport) {
	t.Helper()
	for _, s := range done.Steps {
		switch {
		case strings.HasPrefix(s.File, "index/") && s.Kept == "": // made again when it is needed
		case after[s.Kept] != before[s.File]:
			t.Errorf("%s is not what %s was", s.Kept, s.File)
		}
		if _, there := after[s.File]; there {
			t.Errorf("%s is still there", s.File)
		}
		delete(before, s.File)
	}
	for name, content := range before {
		if after[name] != content {
			t.Errorf("%s was changed", name)
		}
	}
}
