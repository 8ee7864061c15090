package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"purofs/engine"
	"purofs/engine/faults"
	"purofs/engine/oracle"
)

// T2: all processes are killed before and after each operation of each script, and in the middle of
// each write. Whoever comes next is killed in the same way while it recovers and appends.
//
// No process has to die for that. What SIGKILL takes is memory, and the locks; the files are the
// kernel's, and stay as the operations so far have made them. So the store as it is after the first
// n operations is what a kill between them leaves, and it is opened, with the ledgers as they were
// then, by a log that shares nothing with the one that was killed. T3 and T10 kill real processes,
// beside others that live on.
//
// Such a state differs from one of a power cut, of T4, in four ways. Nothing is lost that was done,
// synced or not, and in its order: only the last write can be cut short. So every acknowledgement
// counts in every sync mode, and the position of a cursor does. There may be a torn tail, but never
// damage, also before the store is opened. And the machine is the same one: its boot id has not
// changed, and the checkpoint is believed.
func TestKills(t *testing.T) {
	run := oracle.Start(t, "T2")
	modes := []engine.SyncMode{
		engine.SyncInterval, engine.SyncNone, engine.SyncAlways, engine.SyncFlip,
	}
	for i := range errorScripts {
		if errorScripts[i].heal != nil {
			continue // it is about damage, which no kill does; see engine.TestRepairKilledAnywhere
		}
		for j, mode := range modes {
			if !oracle.Torture() && (uint64(i)+run.Seed)%uint64(len(modes)) != uint64(j) {
				continue // the modes differ in when they sync, which no kill can see
			}
			t.Run(fmt.Sprintf("%v/%s", mode, errorScripts[i].name), func(t *testing.T) {
				t.Parallel()
				k := &kills{
					crashes: crashes{t: t, run: run, script: &errorScripts[i], mode: mode, seed: run.Seed},
					work:    fastDir(t),
				}
				k.test()
			})
		}
	}
}

// kills are those of one script in one mode.
type kills struct {
	crashes
	work   string
	first  int // kills of the script
	second int // kills of those who came next
}

// test kills, and has some kills be followed by others.
func (k *kills) test() {
	every, again := oracle.Size(killStride, 1), oracle.Size(againStride, 1)
	var err error
	if k.player, err = k.script.newPlayer(fastDir(k.t), k.mode, k.seed); err != nil {
		k.t.Fatal(err)
	}
	k.player.powered = true
	k.play()
	turn := int(k.seed % uint64(again))
	for n, image := range k.recorder.Kills() {
		if turn++; turn%every != 0 {
			continue
		}
		left, err := k.left(n)
		if err != nil {
			k.t.Fatal(err)
		}
		where := fmt.Sprintf("killed after %d events", n)
		k.check(image, where, left)
		k.first++
		if turn%again == 0 {
			k.again(image, where, left)
		}
		if k.t.Failed() {
			k.t.Logf("%s", k.recorder.Describe(n))
			return
		}
	}
	k.run.Count("kills", k.first)
	k.run.Count("second kills", k.second)
}

// left is what counts after a kill.
type left struct {
	ledgers []oracle.Ledger
	cursor  oracle.CursorBook
}

// left returns what counts after that many events.
func (c *crashes) left(events int) (left, error) {
	m := &c.marks[c.recorder.State(events).Note]
	ledgers, err := ledgersIn(c.player.ledgers, m.sizes)
	return left{ledgers, m.cursor}, err
}

// again kills who comes next: it opens the store, which recovers, appends, moves the cursor, and
// closes the store.
func (k *kills) again(image faults.Image, where string, before left) {
	k.t.Helper()
	work, err := os.MkdirTemp(k.work, "again-")
	if err != nil {
		k.t.Fatal(err)
	}
	defer os.RemoveAll(work)
	next := &crashes{
		t: k.t, script: &script{steps: []step{appends("heir", 1)}},
		player: &player{
			dir: filepath.Join(work, "store"), ledgers: work, seed: k.seed, opts: k.player.opts,
			cursorBook: before.cursor, powered: true,
		},
	}
	if k.script.cursor {
		next.script.steps = append(next.script.steps, inheritsCursor(), moves(1))
	}
	next.script.steps = append(next.script.steps, closes())
	if err := image.WriteTo(next.player.dir); err != nil {
		k.t.Fatal(err)
	}
	next.play()
	for n, image := range next.recorder.Kills() {
		heir, err := next.left(n)
		if err != nil {
			k.t.Fatal(err)
		}
		heir.ledgers = append(heir.ledgers, before.ledgers...)
		k.check(image, fmt.Sprintf("%s, and then after %d events", where, n), heir)
		k.second++
		if k.t.Failed() {
			k.t.Logf("the next process:\n%s", next.recorder.Describe(n))
			return
		}
	}
}

// inheritsCursor makes the cursor, if it is not there yet.
func inheritsCursor() step {
	return func(p *player) error {
		if err := makesCursor()(p); !errors.Is(err, engine.ErrCursorExists) {
			return err
		}
		p.cursorBook.Made = true
		return nil
	}
}

// check has the oracle look at what a kill has left.
func (k *kills) check(image faults.Image, where string, left left) {
	k.t.Helper()
	dir := filepath.Join(k.work, "killed")
	defer os.RemoveAll(dir)
	if err := k.checkIn(context.Background(), dir, image, left); err != nil {
		k.t.Errorf("%s: %v\nfiles %v\nrun it again with: %s", where, err, image.Names(), k.run.Again())
	}
}

func (k *kills) checkIn(
	ctx context.Context, dir string, image faults.Image, left left,
) error {
	if err := image.WriteTo(dir); err != nil {
		return err
	}
	b, err := oracle.ReadLedgers(left.ledgers...)
	if err != nil {
		return err
	}
	opts := oracle.Options{Engine: k.player.opts, OtherTopics: []string{"made"}}
	opts.Engine.FileHook = nil
	opts.Damaged = !image.Has("stream0.puro") // there is nothing yet that could be verified
	report, err := oracle.Check(ctx, dir, b, opts)
	if err == nil {
		err = report.Err()
	}
	if err == nil && (image.Has("index/segment0") || k.script.cursor) {
		err = checkBesides(ctx, dir, opts.Engine, left.cursor)
	}
	return err
}
