package mount_test

import (
	"os"
	"path/filepath"

	"purofs/engine"
	"purofs/engine/oracle"
)

// What stands beside the log after a power cut: cursors, and topic indexes.

// open opens the store that a power cut left. Nothing is synced any more, which would take time:
// that the log goes on has been looked at by now.
func (p *powerTest) open() *engine.Log {
	p.Helper()
	log, err := engine.Open(p.Context(), p.store(), powerOptions(engine.SyncNone))
	if err != nil {
		p.Fatal(err)
	}
	return log
}

func (p *powerTest) close(log *engine.Log) {
	p.Helper()
	if err := log.Close(); err != nil {
		p.Error(err)
	}
}

// requireBesides checks that the cursor stands where its book says, and, if the log is sound, that
// readers which go by the topic indexes find what is in it. found are the indexes that the power
// cut left.
func (p *powerTest) requireBesides(book oracle.CursorBook, sound bool, found map[string]string) {
	p.Helper()
	log := p.open()
	if err := oracle.CheckCursor(p.Context(), log, book); err != nil {
		p.Error(err)
	}
	if book.Made {
		p.run.Count("cursors checked", 1)
	}
	if sound {
		p.requireSeeks(log)
	}
	p.close(log)
	if sound && len(found) > 0 {
		p.requireIndexes(found)
	}
}

// requireIndexes checks that no index was believed that is not, byte for byte, the one that is
// built if there is none.
func (p *powerTest) requireIndexes(found map[string]string) {
	p.Helper()
	used := p.indexes()
	if err := os.RemoveAll(filepath.Join(p.store(), "index")); err != nil {
		p.Fatal(err)
	}
	log := p.open()
	p.requireSeeks(log)
	p.close(log)
	for name, built := range p.indexes() {
		switch got := used[name]; {
		case got != built:
			p.Errorf("the log was read by an index %s of %d bytes that is not the one of %d bytes "+
				"which is built if there is none", name, len(got), len(built))
		case found[name] == built:
			p.run.Count("topic indexes found and used", 1)
		case found[name] != "":
			p.run.Count("topic indexes found and built anew", 1)
		}
	}
}

func (p *powerTest) requireSeeks(log *engine.Log) {
	p.Helper()
	if err := oracle.CheckSeeks(log); err != nil {
		p.Errorf("reading by the topic index: %v", err)
	}
}

// indexes returns the content of the index files there are, by name.
func (p *powerTest) indexes() map[string]string {
	p.Helper()
	paths, err := filepath.Glob(filepath.Join(p.store(), "index", "*"))
	if err != nil {
		p.Fatal(err)
	}
	files := make(map[string]string)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			p.Fatal(err)
		}
		files[filepath.Base(path)] = string(text)
	}
	return files
}
