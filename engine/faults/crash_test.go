package faults_test

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"purofs/engine"
	"purofs/engine/faults"
	"purofs/engine/oracle"
)

// acksOf says which acknowledgements count after a power cut; see docs/guarantees.md, G4.
var acksOf = map[engine.SyncMode]oracle.Acks{
	engine.SyncAlways: oracle.AcksAll, engine.SyncFlip: oracle.AcksAll,
	engine.SyncInterval: oracle.AcksSynced, engine.SyncNone: oracle.AcksNone,
}

// T4: the machine crashes after each operation of each script, in each sync mode, and the disk has
// kept any part of what was not synced.
func TestCrashStates(t *testing.T) {
	run := oracle.Start(t, "T4")
	rounds := oracle.Size(3, 55)
	if raceStride > 1 {
		rounds = 1
	}
	for round := range rounds {
		played := scripts
		if round == 0 || oracle.Torture() {
			played = slices.Concat(scripts, powerScripts)
		}
		for mode := engine.SyncInterval; mode <= engine.SyncFlip; mode++ {
			for i := range played {
				c := &crashes{
					run: run, script: &played[i], mode: mode, seed: run.Seed + uint64(round), random: 40,
				}
				t.Run(fmt.Sprintf("%v/%s", mode, played[i].name), c.test)
				run.Count("states", c.states)
			}
		}
	}
}

// crashes are the power cuts of one script in one mode.
type crashes struct {
	t      *testing.T
	run    *oracle.Run
	script *script
	mode   engine.SyncMode
	seed   uint64
	random int

	player   *player
	recorder *faults.Recorder
	marks    []mark
	states   int // that were different

	outcomes sync.Map // of those that were checked to the end: see outcome
	full     atomic.Int64
}

func (c *crashes) test(t *testing.T) {
	c.t = t
	c.record()
	c.readBooks()
	seen := make(map[uint64]bool)
	rng := rand.New(rand.NewPCG(c.seed, 1))
	images := make(chan crashImage)
	go func() {
		defer close(images)
		for n := range c.recorder.Len() + 1 {
			state := c.recorder.State(n)
			for image := range state.Images(c.random, rng) {
				if image.Has("checkpoint") {
					image.SetFile("checkpoint", crashed(image.File("checkpoint")))
				}
				rebootCursors(image)
				hash := image.Hash() + uint64(state.Note)
				if !seen[hash] {
					seen[hash] = true
					if len(seen)%raceStride == 0 {
						images <- crashImage{image, n, state.Note}
					}
				}
			}
		}
	}()
	c.checkAll(images)
	c.states = len(seen) / raceStride
	t.Logf("%d events, %d states, %d outcomes", c.recorder.Len(), c.states, c.full.Load())
}

// record acts the script out under a recorder.
func (c *crashes) record() {
	c.t.Helper()
	var err error
	c.player, err = c.script.newPlayer(fastDir(c.t), c.mode, c.seed)
	if err != nil {
		c.t.Fatal(err)
	}
	c.play()
}

// play has the player act under a recorder.
func (c *crashes) play() {
	c.t.Helper()
	var err error
	if c.recorder, err = faults.Record(c.player.dir); err != nil {
		c.t.Fatal(err)
	}
	c.player.opts.FileHook = c.recorder
	c.player.noted = c.mark
	c.mark()
	err = c.player.play(c.script.steps)
	c.player.end()
	if err != nil {
		c.t.Fatal(err)
	}
}

// A mark is what was acknowledged at some moment of the recording.
type mark struct {
	sizes  map[string]int64 // of the ledgers
	books  *oracle.Books    // with as much of them
	cursor oracle.CursorBook
}

// mark notes which acknowledgements count from now on.
func (c *crashes) mark() {
	sizes, err := ledgerBytes(c.player.ledgers)
	if err != nil {
		c.t.Error(err)
	}
	c.marks = append(c.marks, mark{sizes: sizes, cursor: c.player.cursorBook})
	c.recorder.Mark(int64(len(c.marks) - 1))
}

func (c *crashes) readBooks() {
	c.t.Helper()
	for i := range c.marks {
		var err error
		if c.marks[i].books, err = books(c.player.ledgers, c.marks[i].sizes); err != nil {
			c.t.Fatal(err)
		}
	}
}

// A crashImage is an image after a number of events, the last mark among them being that one.
type crashImage struct {
	faults.Image
	after int
	mark  int64
}

// failuresMax is after how many failures no more are looked for.
const failuresMax = 3

func (c *crashes) checkAll(images <-chan crashImage) {
	c.t.Helper()
	work := fastDir(c.t)
	var wg sync.WaitGroup
	var failures atomic.Int64
	for w := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for image := range images {
				if failures.Load() >= failuresMax {
					continue
				}
				dir := filepath.Join(work, fmt.Sprint(w))
				err := c.checkImage(dir, image)
				if err != nil && failures.Add(1) <= failuresMax {
					c.t.Errorf("after %d events: %v\nfiles %v\nrun it again with: %s",
						image.after, err, image.Names(), c.run.Again())
					c.t.Logf("%s", c.recorder.Describe(image.after))
				}
				_ = os.RemoveAll(dir)
			}
		})
	}
	wg.Wait()
}

// checkImage has a log be opened on an image, and the oracle look at it unless it had the same log
// before.
func (c *crashes) checkImage(dir string, image crashImage) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if c.mode == engine.SyncFlip {
		if err := checkRaised(image.Image); err != nil {
			return err
		}
	}
	if err := image.WriteTo(dir); err != nil {
		return err
	}
	opts := oracle.Options{
		Acks: acksOf[c.mode], Damaged: true, Engine: c.player.opts, OtherTopics: []string{"made"},
	}
	opts.Engine.FileHook = nil
	out, err := outcomeOf(dir, opts.Engine, image.mark)
	if err != nil {
		return err
	}
	if _, known := c.outcomes.Load(out); known {
		return nil
	}
	c.full.Add(1)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := image.WriteTo(dir); err != nil {
		return err
	}
	mark := &c.marks[image.mark]
	report, err := oracle.Check(context.Background(), dir, mark.books, opts)
	if err == nil {
		err = report.Err()
	}
	if err == nil && (image.Has("index/segment0") || c.script.cursor) {
		err = checkBesides(context.Background(), dir, opts.Engine, mark.cursor)
	}
	if err == nil {
		c.outcomes.Store(out, true)
	}
	return err
}

// An outcome stands for what becomes of an image when a log is opened on it, and for what had been
// acknowledged. Many images come to the same, as a torn end does wherever it is torn. What a log
// does after it was opened depends on nothing else.
type outcome struct{ log, files uint64 }

// outcomeOf opens a log on an image, and closes it.
func outcomeOf(dir string, opts engine.Options, mark int64) (outcome, error) {
	l, err := engine.Open(context.Background(), dir, opts)
	if err != nil {
		return outcome{}, err
	}
	var h maphash.Hash
	h.SetSeed(outcomeSeed)
	for _, t := range l.Topics() {
		fmt.Fprintf(&h, "%q %d %d %d %d %v\n", t.Name, t.First, t.Next, t.FirstText, t.NextText, t.Time)
	}
	if err := l.Close(); err != nil {
		return outcome{}, err
	}
	image, err := faults.ReadImage(dir)
	if err != nil {
		return outcome{}, err
	}
	for _, name := range image.Names() {
		// The checkpoint says when it was written. What was lost is of no use to the log.
		if name == "checkpoint" || strings.HasPrefix(name, "lost/") {
			image.SetFile(name, nil)
		}
	}
	return outcome{h.Sum64(), image.Hash() + uint64(mark)}, nil
}

var outcomeSeed = maphash.MakeSeed()
