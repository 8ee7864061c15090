package mount_test

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"purofs/engine"
	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/oracle"
	"purofs/engine/segment"
)

// The power is cut at random moments of a run, on real file systems: what their journals make of
// the disk is mounted, and the store that is found there is opened by a machine that has started
// anew.
// All that was promised by then is there, and what is there is a prefix of what was appended.
//
// A run is recorded once, and cut at many places afterwards. See testDisk and recording.
func TestPowerCut(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	run := oracle.Start(t, "T5")
	m := newMachine(t)
	for _, kind := range fileSystems {
		for _, load := range powerLoads {
			cuts := load.cuts(kind)
			if cuts == 0 {
				continue
			}
			t.Run(kind.name+"/"+load.name, func(t *testing.T) {
				newPowerTest(t, run, m, kind, load.mode).record(load.run).cutOften(cuts)
			})
		}
	}
}

// A powerLoadKind is a way to append.
type powerLoadKind struct {
	name   string
	mode   engine.SyncMode
	run    func(*powerLoad)
	always bool // on all file systems, and not on ext4 only, in the runs of continuous integration
}

// powerLoads are the ways to append that are tested on each file system.
var powerLoads = []powerLoadKind{
	{"none", engine.SyncNone, viaLibrary, true},
	{"interval", engine.SyncInterval, viaLibrary, false},
	{"always", engine.SyncAlways, viaLibrary, true},
	{"flip", engine.SyncFlip, viaLibrary, false},
	{"mount, none", engine.SyncNone, viaMount, false},
	{"mount, always", engine.SyncAlways, viaMount, false},
}

func viaLibrary(l *powerLoad) { l.run(150) }
func viaMount(l *powerLoad)   { l.runMounted(80) }

// cuts is how often the power is cut in a run of a load.
func (l *powerLoadKind) cuts(kind *fileSystem) int {
	if oracle.Torture() {
		return 2000 / len(powerLoads)
	}
	if kind.kind == "ext4" {
		return 150 / len(powerLoads)
	}
	if l.always {
		return 5
	}
	return 0
}

// A powerTest is a recorded run on a file system.
type powerTest struct {
	*testing.T
	run     *oracle.Run
	rand    *rand.Rand
	machine *machine
	kind    *fileSystem
	mode    engine.SyncMode
	dir     string // outside of the disk
	mnt     string // where the disk is mounted
	load    *powerLoad
	rec     *recording
	truth   truth
}

func newPowerTest(
	t *testing.T, run *oracle.Run, m *machine, kind *fileSystem, mode engine.SyncMode,
) *powerTest {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("run it again with: %s", run.AgainOf(t.Name()))
		}
	})
	return &powerTest{
		T: t, run: run, rand: run.RandOf(t.Name()), machine: m, kind: kind, mode: mode,
		dir: newMemoryDir(t), mnt: newDir(t, "mnt"),
	}
}

// path is that of a file outside of the disk.
func (p *powerTest) path(name string) string { return filepath.Join(p.dir, name) }

// store is that of the store on the disk.
func (p *powerTest) store() string { return filepath.Join(p.mnt, "store") }

// record has a load run on a disk that is empty, until all is over and unmounted.
func (p *powerTest) record(run func(*powerLoad)) *powerTest {
	p.Helper()
	image := p.path("image")
	p.kind.format(p.T, image)
	base := readImage(p.T, image)
	p.machine.boot(0)
	d := newDisk(p.T, image)
	mountImage(p.T, d.image, p.kind, p.mnt)
	p.load = &powerLoad{
		T: p.T, dir: p.dir, store: p.store(), disk: d, mode: p.mode, rand: p.rand,
	}
	run(p.load)
	p.truth = readTruth(p.T, p.store())
	unmountImage(p.T, p.mnt)
	p.rec = newRecording(d, p.kind, base)
	p.run.Count("disk writes and flushes recorded", len(p.rec.entries))
	return p
}

// cutOften cuts the power at random moments, and checks what is left.
func (p *powerTest) cutOften(cuts int) {
	for range cuts {
		p.check(p.rec.randomCut(p.rand, 0))
		p.run.Count("power cuts", 1)
		if p.Failed() {
			return
		}
	}
}

// check opens what a power cut leaves.
func (p *powerTest) check(cut powerCut) {
	p.Helper()
	defer func() {
		if p.Failed() {
			p.Logf("after a %v of %d", cut, len(p.rec.entries))
		}
	}()
	if !p.mountCut(cut) {
		return
	}
	defer unmountImage(p.T, p.mnt)
	books, err := oracle.ReadLedgers(p.load.ledgers(p.rec.tracePos(cut))...)
	if err != nil {
		p.Fatal(err)
	}
	p.machine.boot(cut.boot)
	p.checkpointIsTrue()
	if _, err := os.Stat(filepath.Join(p.store(), segment.Name(0))); errors.Is(err, fs.ErrNotExist) {
		if err := os.RemoveAll(p.store()); err != nil { // there is a checkpoint at the most
			p.Fatal(err)
		}
		if err := openLog(p.T, p.store()).Close(); err != nil {
			p.Fatal(err)
		}
	}
	found := p.indexes()
	report, err := oracle.Check(p.Context(), p.store(), books, oracle.Options{
		Acks: acks(p.mode), Engine: powerOptions(p.mode), Damaged: true, Holes: cut.boot == 0,
	})
	if err != nil {
		p.Fatal(err)
	}
	p.run.Count("records checked", int(report.Records))
	if cut.boot == 0 {
		p.requireNothingLost(report)
	} else if err := report.Err(); err != nil {
		p.Error(err)
	} else {
		p.truth.requirePrefix(p.T, p.store())
	}
	p.requireBesides(p.load.consumer.bookAt(p.rec.tracePos(cut)), report.Err() == nil, found)
}

// requireNothingLost checks a store after a power cut of which the machine knows nothing. What was
// never promised may be damaged then, and not removed, before what is sound (N15 of
// docs/guarantees.md).
func (p *powerTest) requireNothingLost(report *oracle.Report) {
	p.Helper()
	for _, rule := range []oracle.Rule{
		oracle.Lost, oracle.Torn, oracle.Doubled, oracle.Phantom, oracle.Block, oracle.Appendable,
	} {
		if report.Has(rule) {
			p.Errorf("the disk lost its power, and not the machine: %v", report.Err())
			return
		}
	}
}

// mountCut mounts what a power cut leaves, and tells whether that could be mounted. A superblock of
// which some sectors are old and some are new is beyond these file systems.
func (p *powerTest) mountCut(cut powerCut) bool {
	p.Helper()
	image := p.path("cut")
	p.rec.write(p.T, image, cut)
	err := tryMountImage(p.T, image, p.kind, p.mnt)
	if err == nil {
		return true
	}
	if !cut.sectors {
		p.Errorf("mount the %s image: %v", p.kind.name, err)
	}
	p.run.Count("images that the file system could not mount", 1)
	return false
}

// checkpointIsTrue checks that what a checkpoint says to be on the disk is there.
func (p *powerTest) checkpointIsTrue() {
	p.Helper()
	text, err := os.ReadFile(filepath.Join(p.store(), "checkpoint"))
	first, _ := os.Stat(filepath.Join(p.store(), segment.Name(0)))
	if errors.Is(err, fs.ErrNotExist) && (first == nil || first.Size() == 0) {
		return
	}
	if err != nil {
		p.Errorf("there is a block, and no checkpoint: %v", err)
		return
	}
	c, err := format.ParseCheckpoint(text)
	if err != nil {
		p.Errorf("the power cut has spoiled the checkpoint: %v", err)
		return
	}
	root, err := disk.OpenDir(p.store(), nil)
	if err != nil {
		p.Fatal(err)
	}
	defer root.Close()
	for order := uint32(0); order <= c.SyncedOrder; order++ {
		s, err := segment.Open(root, order, false)
		if err != nil {
			p.Errorf("the checkpoint says that segment %d is on the disk: %v", c.SyncedOrder, err)
			return
		}
		scan := segment.NewScanner(s, 0, segment.NoLimit)
		scan.Full = true
		for err = nil; err == nil && (order < c.SyncedOrder || scan.Pos() < c.SyncedPos); {
			_, err = scan.Next()
		}
		if err != nil && !(order < c.SyncedOrder && scan.Sealed()) {
			p.Errorf("segment %d is on the disk up to %d, not to segment %d, byte %d, as the "+
				"checkpoint says: %v", order, scan.Pos(), c.SyncedOrder, c.SyncedPos, err)
		}
		scan.Release()
		s.Close()
	}
}

// The truth is what a log holds that went through no power cut.
type truth struct {
	topics map[string][]uint64 // sums over a topic's records, one after the other
	blocks map[string]bool     // how many records the topics have at the ends of blocks
}

var truthSeed = maphash.MakeSeed()

// truthTopics are the topics of all loads.
var truthTopics = []string{"a", "b"}

// readTruth reads a log as a whole.
func readTruth(t *testing.T, store string) truth {
	t.Helper()
	log, err := engine.Open(context.Background(), store, engine.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	all := truth{make(map[string][]uint64), make(map[string]bool)}
	times := make(map[string][]int64)
	for _, topic := range truthTopics {
		r, err := log.OpenReader(topic, engine.Start())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for {
			rec, err := r.TryNext()
			if errors.Is(err, engine.ErrNoRecord) || errors.Is(err, engine.ErrNoTopic) {
				break
			}
			if err != nil {
				t.Fatalf("reading topic %s: %v", topic, err)
			}
			text := fmt.Appendf(nil, "%d %q %q", rec.Time.UnixNano(), rec.Key, rec.Value)
			all.topics[topic] = append(all.topics[topic], maphash.Bytes(truthSeed, text))
			times[topic] = append(times[topic], rec.Time.UnixNano())
		}
	}
	all.findBlocks(times)
	return all
}

// findBlocks goes through the blocks: the records of one have its time, which no other has.
func (all truth) findBlocks(times map[string][]int64) {
	counts := make([]int, len(truthTopics))
	for {
		next := int64(0)
		for i, topic := range truthTopics {
			if rest := times[topic][counts[i]:]; len(rest) > 0 && (next == 0 || rest[0] < next) {
				next = rest[0]
			}
		}
		all.blocks[fmt.Sprint(counts)] = true
		if next == 0 {
			return
		}
		for i, topic := range truthTopics {
			for counts[i] < len(times[topic]) && times[topic][counts[i]] == next {
				counts[i]++
			}
		}
	}
}

// counts is how many records the topics have.
func (all truth) counts() string {
	counts := make([]int, len(truthTopics))
	for i, topic := range truthTopics {
		counts[i] = len(all.topics[topic])
	}
	return fmt.Sprint(counts)
}

// requirePrefix checks that a store holds the first blocks of the truth, and nothing else.
func (all truth) requirePrefix(t *testing.T, store string) {
	t.Helper()
	got := readTruth(t, store)
	for _, topic := range truthTopics {
		want := all.topics[topic]
		for i, sum := range got.topics[topic] {
			if i >= len(want) || sum != want[i] {
				t.Errorf("record %d of topic %s is not what was appended as such", i, topic)
				return
			}
		}
	}
	if !all.blocks[got.counts()] {
		t.Errorf("topics %v have %s records, which is no prefix of the log", truthTopics, got.counts())
	}
}
