package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/disk"
	"purofs/engine/faults"
	"purofs/engine/oracle"
)

// errorScripts are those in which operations fail.
var errorScripts = append(scripts[:len(scripts):len(scripts)],
	script{name: "appending on", prepare: []step{appends("a", 2), closes()}, ruin: tear,
		steps: []step{appends("a", 1), appends("a", 1), syncs(), appends("b", 1), syncs(), closes()}},
	script{name: "rolling over, on", prepare: []step{fills(60 << 10), closes()}, steps: []step{
		appends("big", 1), appends("big", 1), appends("big", 1), appends("a", 1), syncs(), closes()}},
	script{name: "repair by hand", prepare: []step{appends("a", 2), closes()}, ruin: garble,
		steps: []step{repairs(), appends("a", 1), closes()}, heal: []step{repairs()}},
	script{name: "repair of a tail by hand", prepare: []step{appends("a", 2), closes()}, ruin: tear,
		steps: []step{repairs(), appends("a", 1), closes()}},
)

// A failure is a way in which an operation fails.
type failure struct {
	name  string
	meets func(op *disk.Op) bool
	err   error
	short bool
	lasts bool
	ci    bool // a part of every run of all tests
}

func isWrite(op *disk.Op) bool { return op.Kind == disk.OpWrite }

var failures = []failure{
	{name: "EIO once", meets: faults.Changes, err: syscall.EIO, ci: true},
	{name: "EIO from then on", meets: faults.Changes, err: syscall.EIO, lasts: true},
	{name: "EIO once, reading too", err: syscall.EIO},
	{name: "EIO from then on, reading too", err: syscall.EIO, lasts: true},
	{name: "ENOSPC once", meets: faults.Grows, err: syscall.ENOSPC},
	{name: "ENOSPC from then on", meets: faults.Grows, err: syscall.ENOSPC, lasts: true, ci: true},
	{name: "EDQUOT from then on", meets: faults.Grows, err: syscall.EDQUOT, lasts: true},
	{name: "short write, then the rest", meets: isWrite},
	{name: "short writes, then their rests", meets: isWrite, lasts: true},
	{name: "half a write, then EIO", meets: isWrite, err: syscall.EIO, short: true, ci: true},
	{name: "half a write, then ENOSPC from then on", meets: isWrite, err: syscall.ENOSPC, short: true,
		lasts: true},
}

// T14: each operation of each script fails, in each way and sync mode. The caller gets an error, or
// does not notice; what was acknowledged is there and what was refused is not; and when the fault
// is gone an append works, if it must be after the log was opened again, as the error says.
func TestErrors(t *testing.T) {
	run := oracle.Start(t, "T14")
	stride := oracle.Size(errorStride, 1)
	for mode := engine.SyncInterval; mode <= engine.SyncFlip; mode++ {
		for i := range errorScripts {
			if (run.Seed+uint64(i)+uint64(mode))%uint64(oracle.Size(errorModes, 1)) != 0 {
				continue
			}
			t.Run(fmt.Sprintf("%v/%s", mode, errorScripts[i].name), func(t *testing.T) {
				t.Parallel()
				f := newFailing(t, run, &errorScripts[i], mode)
				for _, how := range failures {
					if !how.ci && !oracle.Torture() {
						continue
					}
					// At each operation, until there is none of that number any more.
					for at := int(run.Seed % uint64(stride)); ; at += stride {
						hook := &faults.Injector{
							Meets: how.meets, At: at, Err: how.err, Short: how.short, Lasts: how.lasts,
						}
						f.once(t, fmt.Sprintf("%s at operation %d", how.name, at), hook)
						if hook.Hits() == 0 {
							break
						}
					}
				}
			})
		}
	}
}

// T13: a disk that is full after each byte that the scripts write.
func TestFullAtEachByte(t *testing.T) {
	run := oracle.Start(t, "T13")
	stride := int64(oracle.Size(fullStride, 1))
	const bytesMax = 2 << 10 // behind so many no longer at each
	for i := range errorScripts {
		t.Run(errorScripts[i].name, func(t *testing.T) {
			t.Parallel()
			f := newFailing(t, run, &errorScripts[i], engine.SyncAlways)
			step := stride
			for room := int64(run.Seed % uint64(stride)); ; room += step {
				hook := &faults.Injector{Full: true, Room: room, Err: syscall.ENOSPC}
				f.once(t, fmt.Sprintf("room for %d bytes", room), hook)
				if hook.Hits() == 0 {
					return
				}
				if room > bytesMax {
					step = max(stride, int64(oracle.Size(int(room/8), 97)))
				}
			}
		})
	}
}

// failing acts one script out again and again.
type failing struct {
	run      *oracle.Run
	script   *script
	mode     engine.SyncMode
	prepared *player
	work     string
	failures int
}

func newFailing(t *testing.T, run *oracle.Run, s *script, mode engine.SyncMode) *failing {
	t.Helper()
	f := &failing{run: run, script: s, mode: mode, work: fastDir(t)}
	from := filepath.Join(f.work, "prepared")
	if err := os.Mkdir(from, 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	if f.prepared, err = s.newPlayer(from, mode, run.Seed); err != nil {
		t.Fatal(err)
	}
	f.prepared.end()
	return f
}

// once acts the script out under a hook, lets the fault end, and has the oracle look.
func (f *failing) once(t *testing.T, what string, hook *faults.Injector) {
	t.Helper()
	if f.failures >= failuresMax {
		return
	}
	dir := filepath.Join(f.work, "now")
	defer os.RemoveAll(dir)
	p, err := f.prepared.copyTo(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.end()
	p.opts.FileHook = hook
	if err := p.survive(f.script, hook); err != nil {
		f.failures++
		t.Errorf("%s: %v\nrun it again with: %s", what, err, f.run.Again())
	}
	if hook.Hits() > 0 {
		f.run.Count("faults", 1)
	}
}

// copyTo returns a player who goes on where this one has ended.
func (p *player) copyTo(dir string) (*player, error) {
	next := &player{
		dir: filepath.Join(dir, "store"), ledgers: filepath.Join(dir, "ledgers"), seed: p.seed,
		opts: p.opts, powered: true,
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	err := os.CopyFS(next.ledgers, os.DirFS(p.ledgers))
	if _, statErr := os.Stat(p.dir); err == nil && statErr == nil {
		err = os.CopyFS(next.dir, os.DirFS(p.dir))
	}
	return next, err
}

// survive acts all steps out, whatever becomes of each, ends the fault, and looks at what is left.
func (p *player) survive(s *script, hook *faults.Injector) error {
	var wrong error
	// How many syncs had been refused when the log was opened, and when the last append began: one
	// that is refused during an append, in the background, need not be known to it.
	opened, begun := 0, 0
	alone := true // of two logs the other one has not met it, and opening it takes the note away
	p.acked = func() {
		if alone && begun > opened {
			wrong = errors.New("an acknowledgement after a sync was refused")
		}
		if refused := hook.Refused(); refused > begun {
			begun = refused
			if alone && !hook.Lasts {
				appears(p.dir, "unsynced") // now the log knows of it, too
			}
		}
	}
	for _, step := range s.steps {
		begun = hook.Refused()
		if len(p.logs) == 0 {
			opened = begun
		}
		before := begun
		alone = len(p.logs) <= 1
		err := step(p)
		alone = alone && len(p.logs) <= 1
		if alone && !hook.Lasts && hook.Refused() > before && !appears(p.dir, "unsynced") {
			return errors.New("no note that a sync was refused")
		}
		if err != nil && hook.Hits() == 0 {
			return fmt.Errorf("without a fault: %w", err)
		}
	}
	hook.Heal()
	if len(p.logs) == 0 {
		p.acked = nil // the log is opened anew
	}
	if err := p.play(s.heal); err != nil {
		return fmt.Errorf("when the fault is gone: %w", err)
	}
	if err := p.appendHealed(); err != nil {
		return fmt.Errorf("when the fault is gone, an append: %w", err)
	}
	if wrong != nil {
		return wrong
	}
	if err := p.requireCursor(); err != nil {
		return err
	}
	p.end()
	b, err := books(p.ledgers, nil)
	if err != nil {
		return err
	}
	report, err := oracle.Check(context.Background(), p.dir, b, oracle.Options{
		Engine: p.opts, OtherTopics: []string{"made"},
	})
	if err != nil {
		return err
	}
	return report.Err()
}

// appears waits for a file that the background may be about to make.
func appears(dir, name string) bool {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// appendHealed appends. The log may be poisoned; then it says what has to be done, and that is
// enough.
func (p *player) appendHealed() error {
	err := p.append("after")
	if !errors.Is(err, engine.ErrPoisoned) {
		return err
	}
	if !strings.Contains(err.Error(), "close the log and open it again") {
		return fmt.Errorf("it does not say what to do: %w", err)
	}
	for len(p.logs) > 0 {
		_ = closes()(p)
	}
	p.acked = nil
	return p.append("after")
}

// requireCursor looks where the cursor stands, if there is one for sure.
func (p *player) requireCursor() error {
	b := &p.cursorBook
	if !b.Made {
		return nil
	}
	_ = p.leaveCursor() // it may have met the fault, and says so
	cursor, err := p.takeCursor()
	if err != nil {
		return fmt.Errorf("the cursor when the fault is gone: %w", err)
	}
	if got := cursor.Next(); got < b.Least || got > b.Most {
		return fmt.Errorf("the cursor is at %d, want %d, which was acknowledged, to %d",
			got, b.Least, b.Most)
	}
	return nil
}

// repairs has the store repaired, when nobody has it open.
func repairs() step {
	return func(p *player) error {
		for len(p.logs) > 0 {
			if err := closes()(p); err != nil {
				return err
			}
		}
		_, err := engine.Repair(context.Background(), p.dir, p.opts, nil)
		return err
	}
}

// garble leaves bytes at the end that are no block.
func garble(dir string) error {
	return appendTo(dir, []byte(strings.Repeat("this is no block. ", 20)))
}
