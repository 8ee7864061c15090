package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
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
	rounds := oracle.Size(5, 120)
	if raceStride > 1 {
		rounds = 1
	}
	for round := range rounds {
		for mode := engine.SyncInterval; mode <= engine.SyncFlip; mode++ {
			for i := range scripts {
				c := &crashes{
					run: run, script: &scripts[i], mode: mode, seed: run.Seed + uint64(round), random: 40,
				}
				t.Run(fmt.Sprintf("%v/%s", mode, scripts[i].name), c.test)
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
	sizes    []map[string]int64 // of the ledgers at each mark
	states   int                // that were different
}

func (c *crashes) test(t *testing.T) {
	c.t = t
	c.record()
	b := c.readBooks()
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
				hash := image.Hash() + uint64(state.Note)
				if !seen[hash] {
					seen[hash] = true
					if len(seen)%raceStride == 0 {
						images <- crashImage{image, n, b[state.Note]}
					}
				}
			}
		}
	}()
	c.checkAll(images)
	c.states = len(seen) / raceStride
	t.Logf("%d events, %d states", c.recorder.Len(), c.states)
}

// record acts the script out under a recorder.
func (c *crashes) record() {
	c.t.Helper()
	var err error
	c.player, err = c.script.newPlayer(fastDir(c.t), c.mode, c.seed)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.recorder, err = faults.Record(c.player.dir); err != nil {
		c.t.Fatal(err)
	}
	c.player.opts.FileHook = c.recorder
	c.player.acked = c.mark
	c.mark()
	err = c.player.play(c.script.steps)
	c.player.end()
	if err != nil {
		c.t.Fatal(err)
	}
}

// mark notes which acknowledgements count from now on.
func (c *crashes) mark() {
	sizes, err := ledgerBytes(c.player.ledgers)
	if err != nil {
		c.t.Error(err)
	}
	c.sizes = append(c.sizes, sizes)
	c.recorder.Mark(int64(len(c.sizes) - 1))
}

func (c *crashes) readBooks() (all []*oracle.Books) {
	c.t.Helper()
	for _, sizes := range c.sizes {
		b, err := books(c.player.ledgers, sizes)
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// A crashImage is an image after a number of events, with the books of that moment.
type crashImage struct {
	faults.Image
	after int
	books *oracle.Books
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
				err := image.WriteTo(dir)
				if err == nil {
					err = c.checkImage(dir, image)
				}
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

// checkImage has the oracle look at an image.
func (c *crashes) checkImage(dir string, image crashImage) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	opts := oracle.Options{Acks: acksOf[c.mode], Damaged: true, Engine: c.player.opts}
	opts.Engine.FileHook = nil
	report, err := check(context.Background(), dir, image.books, opts)
	if err != nil {
		return err
	}
	return report.Err()
}
