package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"purofs/engine"
	"purofs/engine/disk"
	"purofs/engine/index"
	"purofs/engine/oracle"
	"purofs/engine/segment"
)

const rareSpan = 300_000

// openRare opens a log with small chunks.
func openRare(t testing.TB, dir string, readOnly bool) *engine.Log {
	t.Helper()
	l := open(t, dir, engine.Options{
		SegmentBytes: 4 << 20, Sync: engine.SyncNone, ReadOnly: readOnly})
	engine.SetIndexSpan(l, rareSpan)
	return l
}

// rareStore makes a store of two segments, in which every 300th block is one of topic rare and the
// others are of topic many. Of the first segment the index is complete, of the second one it is
// not.
func rareStore(t testing.TB) (dir string, rare []string) {
	t.Helper()
	dir = newStore(t)
	l := openRare(t, dir, false)
	for i := 0; l.Status().Segments < 2 || len(rare) < 20; i++ {
		if i%300 == 100 {
			rare = append(rare, fmt.Sprintf("rare.%d", len(rare)))
			appendTo(t, l, "rare", rare[len(rare)-1])
		}
		appendTo(t, l, "many", string(make([]byte, 1000)))
	}
	requireValues(t, l, "rare", rare...)
	closeLog(t, l)
	return dir, rare
}

// requireSeeks reads topic rare from each of its offsets, and from its start.
func requireSeeks(t testing.TB, l *engine.Log, rare []string) {
	t.Helper()
	requireValues(t, l, "rare", rare...)
	for i, want := range rare {
		r, err := l.OpenReader("rare", engine.AtOffset(uint64(i)))
		if err != nil {
			t.Fatal(err)
		}
		rec, err := r.TryNext()
		if err != nil || rec.Offset != uint64(i) || string(rec.Value) != want {
			t.Errorf("record %d: got %+v, %v", i, rec, err)
		}
		r.Close()
	}
}

// Index files of any content lead nowhere wrong, and are written anew.
func TestSpoiledIndexFiles(t *testing.T) {
	dir, rare := rareStore(t)
	names := indexFiles(t, dir)
	if len(names) != 2 {
		t.Fatalf("got %v, want an index of each segment", names)
	}
	sound := [][]byte{readFile(t, names[0]), readFile(t, names[1])}
	otherDir, _ := rareStore(t)
	other := readFile(t, indexFiles(t, otherDir)[0])
	spoilings := map[string]func() error{
		"the directory is removed": func() error { return os.RemoveAll(filepath.Dir(names[0])) },
		"a file is removed":        func() error { return os.Remove(names[0]) },
		"a file is empty":          func() error { return os.Truncate(names[0], 0) },
		"files are exchanged": func() error {
			return errors.Join(os.WriteFile(names[0], sound[1], 0o600),
				os.WriteFile(names[1], sound[0], 0o600))
		},
		"of another store":    func() error { return os.WriteFile(names[0], other, 0o600) },
		"a chunk comes twice": func() error { return os.WriteFile(names[0], twice(sound[0]), 0o600) },
		"text": func() error {
			return os.WriteFile(names[0], []byte("#!/bin/sh\nexit 1\n"), 0o600)
		},
		"a directory": func() error {
			return errors.Join(os.Remove(names[0]), os.Mkdir(names[0], 0o700))
		},
		"a link to a segment": func() error {
			return errors.Join(os.Remove(names[1]), os.Symlink("../stream1.puro", names[1]))
		},
	}
	for name, spoil := range spoilings {
		t.Run(name, func(t *testing.T) {
			log := string(readFile(t, segmentPath(dir, 0))) + string(readFile(t, segmentPath(dir, 1)))
			restore(t, names, sound)
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			l := openRare(t, dir, true)
			requireSeeks(t, l, rare)
			closeLog(t, l)
			l = openRare(t, dir, false)
			requireSeeks(t, l, rare)
			closeLog(t, l)
			if string(readFile(t, segmentPath(dir, 0)))+string(readFile(t, segmentPath(dir, 1))) != log {
				t.Error("the log was changed")
			}
			if info, err := os.Lstat(names[0]); err == nil && !info.Mode().IsRegular() {
				return // what somebody else put there is left to him
			}
			if string(readFile(t, names[0])) != string(sound[0]) {
				t.Error("the index was not written anew as it was")
			}
		})
	}
}

// restore makes the index as it was.
func restore(t *testing.T, names []string, sound [][]byte) {
	t.Helper()
	if err := os.RemoveAll(filepath.Dir(names[0])); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Dir(names[0]), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		writeFile(t, name, sound[i])
	}
}

func twice(file []byte) []byte {
	h, err := index.ParseHeader(file)
	if err != nil {
		panic(err)
	}
	return append([]byte(string(file[:h.Size()])), file...)
}

// Bytes of an index file flipped, and the file cut off at them: each one, with PUROFS_TORTURE.
func TestEveryByteOfAnIndexFlipped(t *testing.T) {
	dir, rare := rareStore(t)
	name := indexFiles(t, dir)[0]
	sound := readFile(t, name)
	stride := oracle.Size(31, 1)
	for i := 0; i < len(sound); i += stride {
		flipped := []byte(string(sound))
		flipped[i] ^= 0x10
		for _, b := range [][]byte{flipped, sound[:i]} {
			writeFile(t, name, b)
			l := openRare(t, dir, false)
			requireValues(t, l, "rare", rare...)
			closeLog(t, l)
			if string(readFile(t, name)) != string(sound) {
				t.Fatalf("byte %d: the index was not written anew as it was", i)
			}
		}
	}
}

// writeIndex writes an index of segment 0 that fits to it, but for what change makes of it.
func writeIndex(t *testing.T, dir string, change func(topic []byte, n int, pos, end *int64, at,
	after *index.Point) bool,
) {
	t.Helper()
	root, err := disk.OpenDir(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	seg, err := segment.Open(root, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	defer seg.Close()
	scan := segment.NewScanner(seg, 0, segment.NoLimit)
	b := index.NewBuilder(0)
	points := make(map[string]index.Point)
	numbers := make(map[string]int)
	for {
		block, err := scan.Next()
		if err != nil {
			break
		}
		for _, run := range block.Runs {
			name := string(run.Topic)
			at := points[name]
			after := index.Point{
				Offset: at.Offset + run.Records, Text: at.Text + run.ValueBytes + run.Records}
			points[name] = after
			pos, end := block.Pos, block.End
			if change(run.Topic, numbers[name], &pos, &end, &at, &after) {
				b.Add(run.Topic, pos, end, at, after)
			}
			numbers[name]++
		}
	}
	bytes := readFile(t, segmentPath(dir, 0))
	c := b.Seal(index.Header{
		To: scan.Pos(), Last: true, LastTime: scan.Time(), Head: index.Proof(bytes[:index.ProofBytes]),
		Tail: index.Proof(bytes[scan.Pos()-index.ProofBytes : scan.Pos()]),
	})
	writeFile(t, filepath.Join(dir, "index", "segment0"), c.Bytes())
}

// An index that is sound in itself, and of this very segment, but wrong: nothing is lost by it, and
// it is built anew.
func TestWrongIndex(t *testing.T) {
	dir, rare := rareStore(t)
	name := indexFiles(t, dir)[0]
	sound := readFile(t, name)
	type change = func(topic []byte, n int, pos, end *int64, at, after *index.Point) bool
	is := func(topic []byte) bool { return string(topic) == "rare" }
	for what, change := range map[string]change{
		"the topic is missing": func(topic []byte, _ int, _, _ *int64, _, _ *index.Point) bool {
			return !is(topic)
		},
		"every other block is missing": func(topic []byte, n int, _, _ *int64, _, _ *index.Point) bool {
			return !is(topic) || n%2 == 0
		},
		"the first blocks are missing": func(topic []byte, n int, _, _ *int64, _, _ *index.Point) bool {
			return !is(topic) || n > 3
		},
		"the last blocks are missing": func(topic []byte, n int, _, _ *int64, _, _ *index.Point) bool {
			return !is(topic) || n < 4
		},
		"places are wrong": func(topic []byte, n int, pos, end *int64, _, _ *index.Point) bool {
			if is(topic) && n > 2 {
				*pos, *end = *pos+5000, *end+5000
			}
			return true
		},
		"places are those of others": func(topic []byte, n int, pos, end *int64, _, _ *index.Point) bool {
			if is(topic) && n > 2 {
				*pos = *end // the block behind it
				*end += 1000
			}
			return true
		},
		"offsets are wrong": func(topic []byte, n int, _, _ *int64, at, after *index.Point) bool {
			if is(topic) && n > 2 {
				at.Offset++
				after.Offset++
			}
			return true
		},
	} {
		t.Run(what, func(t *testing.T) {
			writeIndex(t, dir, change)
			wrong := readFile(t, name)
			l := openRare(t, dir, true)
			requireValues(t, l, "rare", rare...)
			closeLog(t, l)
			writeFile(t, name, wrong)
			l = openRare(t, dir, true)
			requireSeeks(t, l, rare)
			closeLog(t, l)
			l = openRare(t, dir, false)
			requireSeeks(t, l, rare)
			requireSeeks(t, l, rare)
			closeLog(t, l)
		})
	}
	// If it is right it stays: so the ones above were in use.
	writeIndex(t, dir, func([]byte, int, *int64, *int64, *index.Point, *index.Point) bool {
		return true
	})
	right := readFile(t, name)
	l := openRare(t, dir, false)
	requireSeeks(t, l, rare)
	closeLog(t, l)
	if string(readFile(t, name)) != string(right) || string(right) == string(sound) {
		t.Error("an index in one chunk was not used as it is")
	}
}

// Damage in the log is told to whoever passes it, with and without an index that was there before.
func TestIndexDoesNotHideDamage(t *testing.T) {
	for _, what := range []string{"built before", "built after", "removed"} {
		t.Run(what, func(t *testing.T) {
			dir, rare := rareStore(t)
			l := openRare(t, dir, true)
			log := readFile(t, segmentPath(dir, 0))
			lost := 3
			r := reader(t, l, "rare", engine.AtOffset(uint64(lost)))
			if _, err := r.TryNext(); err != nil {
				t.Fatal(err)
			}
			closeLog(t, l)
			at := findRare(t, log, rare[lost])
			log[at] ^= 0x40 // in the start record of its block
			if what != "built before" {
				if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
					t.Fatal(err)
				}
			}
			writeFile(t, segmentPath(dir, 0), log)
			for range 3 {
				l := openRare(t, dir, what == "removed")
				for range 2 {
					r := reader(t, l, "rare", engine.Start())
					values, damage := drain(t, r)
					if len(damage) != 1 || len(values) != len(rare)-1 {
						t.Errorf("got %d records, damage %v, want %d and one place",
							len(values), damage, len(rare)-1)
					}
				}
				closeLog(t, l)
			}
		})
	}
}

// Damage of others' blocks hits no record of the topic, but its readers are told of it too if it
// was there when the index was built: the damaged block may have been one of theirs.
func TestIndexRemembersDamage(t *testing.T) {
	dir, rare := rareStore(t)
	log := readFile(t, segmentPath(dir, 0))
	log[blocksOf(t, log)[1000]] ^= 0x40
	writeFile(t, segmentPath(dir, 0), log)
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		l := openRare(t, dir, false)
		for range 2 {
			values, damage := drain(t, reader(t, l, "rare", engine.Start()))
			if len(damage) != 1 || len(values) != len(rare) {
				t.Errorf("got %d records, damage %v, want %d and one place", len(values), damage, len(rare))
			}
		}
		closeLog(t, l)
	}
}

// findRare returns where the block with that value starts.
func findRare(t *testing.T, log []byte, value string) int {
	t.Helper()
	starts := blocksOf(t, log)
	for i, at := range starts[:len(starts)-1] {
		block := log[at:starts[i+1]]
		if len(block) < 200 && string(block[len(block)-9-len(value):len(block)-9]) == value {
			return at
		}
	}
	t.Fatalf("no block has %s", value)
	return 0
}

// Several logs build, read and remove the same index at once.
func TestIndexIsBuiltByMany(t *testing.T) {
	dir, rare := rareStore(t)
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for round := range 5 {
				l := openRare(t, dir, i == 3)
				requireValues(t, l, "rare", rare...)
				if i == 0 {
					_ = os.RemoveAll(filepath.Join(dir, "index"))
				}
				if round%2 == 0 {
					requireSeeks(t, l, rare)
				}
				closeLog(t, l)
			}
		})
	}
	group.Wait()
	l := openRare(t, dir, false)
	requireSeeks(t, l, rare)
	closeLog(t, l)
	verify(t, dir, "clean")
}
