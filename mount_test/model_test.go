package mount_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"purofs/engine/oracle"
)

// T24: random operations on the tree of two mounts of one store, and on a model of it in memory.
// Whatever one mount has acknowledged is at once what the other one shows, byte by byte. In between
// the daemons end, or are killed, and start again.
func TestModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range oracle.Size(300, 30_000) {
		w.step()
		if t.Failed() {
			return
		}
	}
	for len(w.open) > 0 {
		w.closeAppend(w.open[0])
	}
	w.closeCursors(nil, func(*modelCursor) bool { return true })
	for _, name := range w.existing() {
		w.checkAll(w.topics[name])
	}
	w.run.Count("operations", len(w.history))
	for _, m := range w.mounts {
		m.unmount()
	}
	verify(t, w.mounts[0].store)
}

// A world is the model, the two mounts that it is compared with, and what happened so far.
type world struct {
	*testing.T
	run     *oracle.Run
	rand    *rand.Rand
	mounts  []*mount
	topics  map[string]*modelTopic // all that ever were
	open    []*appender
	cursors []*modelCursor // all that ever were
	history []string
}

// A modelTopic is what a topic holds. One that was removed keeps its next offset.
type modelTopic struct {
	name    string
	there   bool
	mode    uint32
	first   int // offset of records[0]
	records []modelRecord
}

// A modelRecord is one record, and its line in log.jsonl once that was read for the first time: the
// time in it is not known before.
type modelRecord struct {
	key, value []byte
	jsonl      []byte
}

// modelOptions have the log go on in new segments while the test runs.
var modelOptions = []string{"allow_delete", "segment_size=64k"}

func newWorld(t *testing.T) *world {
	w := &world{T: t, run: oracle.Start(t, "T24"), topics: map[string]*modelTopic{}}
	w.rand = w.run.Rand
	one := mountStore(t, modelOptions...)
	w.mounts = []*mount{one, mountOn(t, one.store, modelOptions...)}
	for _, name := range []string{"a", "orders", "caf\u00e9 100%", strings.Repeat("n", 255)} {
		w.topics[name] = &modelTopic{name: name}
	}
	t.Cleanup(func() {
		for _, a := range w.open {
			unix.Close(a.fd)
		}
		for _, c := range w.cursors {
			if c.reader != nil {
				unix.Close(c.reader.fd)
			}
		}
		if t.Failed() {
			t.Logf("the last operations:\n%s", strings.Join(w.history[max(0, len(w.history)-40):], "\n"))
		}
	})
	return w
}

// note keeps an operation for the report of a failure.
func (w *world) note(format string, args ...any) {
	w.history = append(w.history, fmt.Sprintf(format, args...))
}

// must fails the test at an operation that goes another way than the model says.
func (w *world) must(err, want error, what string) {
	w.Helper()
	if err != want {
		w.Fatalf("%s: %v, want %v", what, err, want)
	}
}

// existing are the names of the topics that are there, sorted.
func (w *world) existing() []string {
	var names []string
	for name, tp := range w.topics {
		if tp.there {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// pick draws a topic; one that is not there only now and then.
func (w *world) pick() *modelTopic {
	names := slices.Sorted(maps.Keys(w.topics))
	tp := w.topics[names[w.rand.IntN(len(names))]]
	if there := w.existing(); !tp.there && len(there) > 0 && w.rand.IntN(4) > 0 {
		tp = w.topics[there[w.rand.IntN(len(there))]]
	}
	return tp
}

// at draws a mount, and returns its number and the path of a name in it.
func (w *world) at(elem ...string) (int, string) {
	i := w.rand.IntN(len(w.mounts))
	return i, filepath.Join(append([]string{w.mounts[i].dir}, elem...)...)
}

// step is one random operation.
func (w *world) step() {
	tp := w.pick()
	switch n := w.rand.IntN(1000); {
	case !tp.there:
		w.makeTopic(tp)
	case n < 5 || tp.size() > 1<<20:
		w.removeTopic(tp)
	case n < 20:
		w.changeMode(tp)
	case n < 25:
		w.remount(n%2 == 0)
	case n < 450:
		w.write(tp)
	case n < 600:
		w.useCursor(tp)
	default:
		check := modelChecks[w.rand.IntN(len(modelChecks))]
		check(w, tp)
	}
}

func (tp *modelTopic) size() int {
	n := 0
	for _, r := range tp.records {
		n += len(r.value) + 1
	}
	return n
}

func (tp *modelTopic) next() int { return tp.first + len(tp.records) }

// remount ends a daemon, or kills it, and mounts the store again in the same place. Unfinished
// lines of a daemon that is killed are gone; all that was acknowledged is there.
func (w *world) remount(kill bool) {
	i := w.rand.IntN(len(w.mounts))
	m := w.mounts[i]
	w.note("remount %d, kill %v", i, kill)
	for _, a := range slices.Clone(w.open) {
		switch {
		case a.mount != i:
		case kill && len(a.begun) > 0:
			defer unix.Close(a.fd)
			w.drop(a)
		default:
			w.closeAppend(a)
		}
	}
	onThis := func(c *modelCursor) bool { return c.reader.mount == i }
	if kill {
		m.daemon.signal(syscall.SIGKILL)
		m.daemon.wait()
		w.closeCursors(unix.ENOTCONN, onThis)
		w.run.Count("kills", 1)
	} else {
		w.closeCursors(nil, onThis)
		m.unmount()
		w.run.Count("remounts", 1)
	}
	w.mounts[i] = mountAt(w.T, m.store, m.dir, modelOptions...)
}

// makeTopic makes a topic, or makes it again: offsets go on, and nothing of before is seen.
func (w *world) makeTopic(tp *modelTopic) {
	i, path := w.at(tp.name)
	w.note("mkdir %d %.20q", i, tp.name)
	w.must(unix.Access(path, unix.F_OK), unix.ENOENT, "a topic that is not there")
	const mode = 0o700 // which no umask changes
	w.must(unix.Mkdir(path, mode), nil, "mkdir")
	w.must(unix.Mkdir(path, mode), unix.EEXIST, "mkdir of what is there")
	tp.there, tp.mode, tp.first, tp.records = true, mode, tp.next(), nil
	for _, c := range w.cursors {
		if c.topic == tp {
			c.position = tp.first
		}
	}
	w.checkInfo(tp)
}

// removeTopic removes a topic. The other mount may show its name for a moment longer, as a cache of
// the kernel has it.
func (w *world) removeTopic(tp *modelTopic) {
	for _, a := range slices.Clone(w.open) {
		if a.topic == tp {
			w.closeAppend(a)
		}
	}
	w.closeCursors(nil, func(c *modelCursor) bool { return c.topic == tp })
	i, path := w.at(tp.name)
	w.note("rmdir %d %.20q", i, tp.name)
	w.must(unix.Rmdir(path), nil, "rmdir")
	tp.there = false
	for _, m := range w.mounts {
		until(w.T, "the topic is gone", func() bool {
			return unix.Access(m.path(tp.name), unix.F_OK) == unix.ENOENT
		})
	}
	w.run.Count("removals", 1)
}

func (w *world) changeMode(tp *modelTopic) {
	i, path := w.at(tp.name)
	modes := []uint32{0o755, 0o700, 0o750, 0o644, 0o622, 0o777, 0}
	mode := modes[w.rand.IntN(len(modes))]
	w.note("chmod %d %.20q %o", i, tp.name, mode)
	// Equal to the rights that are shown it would change nothing.
	if shown := tp.shownMode(); mode != shown {
		tp.mode = mode
	}
	w.must(unix.Chmod(path, mode), nil, "chmod")
	for j, m := range w.mounts {
		fits := func() bool {
			var st unix.Stat_t
			err := unix.Stat(m.path(tp.name), &st)
			return err == nil && st.Mode&0o7777 == tp.shownMode()
		}
		if j == i && !fits() {
			w.Fatalf("chmod to %o is not shown", mode)
		}
		until(w.T, "the new mode is shown", fits)
	}
	w.checkInfo(tp)
}

// shownMode is the mode of the topic's directory: x where r or w is.
func (tp *modelTopic) shownMode() uint32 {
	return tp.mode | tp.mode&0o444>>2 | tp.mode&0o222>>1
}

// text is the topic in a format. Lines of JSONL that were not read yet are nil.
func (tp *modelTopic) text(format string) []byte {
	var text []byte
	for _, r := range tp.records {
		text = append(text, r.line(format)...)
	}
	return text
}

var tsvEscapes = strings.NewReplacer("\t", `\t`, "\n", `\n`, "\r", `\r`, `\`, `\\`)

// line is a record in a format.
func (r *modelRecord) line(format string) []byte {
	switch format {
	case ".tsv":
		return []byte(tsvEscapes.Replace(string(r.key)) + "\t" +
			tsvEscapes.Replace(string(r.value)) + "\n")
	case ".jsonl":
		return r.jsonl
	case ".raw":
		return r.value
	}
	return append(bytes.Clone(r.value), '\n')
}
