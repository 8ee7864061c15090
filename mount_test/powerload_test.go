package mount_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"purofs/engine"
	"purofs/engine/format"
	"purofs/engine/oracle"
)

// powerOptions are small enough that a short run has everything: rollovers, checkpoints, and syncs
// in the background.
func powerOptions(mode engine.SyncMode) engine.Options {
	return engine.Options{
		SegmentBytes: engine.SegmentBytesMin, Sync: mode, SyncInterval: 20 * time.Millisecond,
	}
}

// A powerLoad is what goes on on a disk until, and after, the power is cut. Its producers keep
// their ledgers on another disk. Each notes after each entry how long the trace was when what it
// notes had happened, so that for each moment of the recording it is known what was promised by
// then.
type powerLoad struct {
	*testing.T
	dir, store string
	disk       *testDisk
	mode       engine.SyncMode
	rand       *rand.Rand
	acked      int64 // how long the trace was when the last append was acknowledged

	mu        sync.RWMutex // held to write while nobody may append
	log       *engine.Log
	producers []*powerProducer
	consumer  *powerConsumer
}

type powerProducer struct {
	*oracle.Producer
	load   *powerLoad
	ledger string
	rand   *rand.Rand
	marks  []powerMark
}

// A powerMark says that what stands in the ledger before a place was true when the trace had that
// length.
type powerMark struct{ trace, ledger int64 }

// ledgers returns what counts if the power is cut at that place of the trace.
func (l *powerLoad) ledgers(pos int64) (ledgers []oracle.Ledger) {
	for _, p := range l.producers {
		one := oracle.Ledger{Path: p.ledger, AckBytes: 1} // 0 would count everything
		for _, mark := range p.marks {
			if mark.trace <= pos {
				one.AckBytes = max(one.AckBytes, mark.ledger)
			}
		}
		ledgers = append(ledgers, one)
	}
	return ledgers
}

// acks says which acknowledgements count in a mode.
func acks(mode engine.SyncMode) oracle.Acks {
	if mode >= engine.SyncAlways {
		return oracle.AcksAll
	}
	return oracle.AcksSynced
}

func (l *powerLoad) producer(name string, plan oracle.Plan) *powerProducer {
	l.Helper()
	plan.Producer = name
	p := &powerProducer{
		load: l, ledger: filepath.Join(l.dir, "ledger."+name),
		rand: rand.New(rand.NewPCG(l.rand.Uint64(), 0)),
	}
	var err error
	if p.Producer, err = oracle.OpenProducer(p.ledger, plan, false); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { _ = p.Producer.Close() })
	l.producers = append(l.producers, p)
	return p
}

// tracePos is how long the trace is now.
func (l *powerLoad) tracePos() int64 {
	info, err := os.Stat(l.disk.trace)
	if err != nil {
		l.Error(err)
		return 0
	}
	return info.Size()
}

// noted marks that the ledger's newest entry was true when the trace had that length.
func (p *powerProducer) noted(trace int64) {
	info, err := os.Stat(p.ledger)
	if err != nil {
		p.load.Error(err)
		return
	}
	p.marks = append(p.marks, powerMark{trace, info.Size()})
}

// A timed log takes down how long the trace was when an append was acknowledged.
type timed struct {
	p     *powerProducer
	sync  bool // of each batch
	trace int64
}

func (a *timed) Append(ctx context.Context, b *engine.Batch) error {
	b.Sync = a.sync
	err := a.p.load.log.Append(ctx, b)
	a.trace = a.p.load.tracePos()
	return err
}

// step does what comes next.
func (p *powerProducer) step() error {
	l := p.load
	switch dice := p.rand.IntN(100); {
	case dice < 3:
		return l.reopen()
	case dice < 6:
		return l.tear(p.rand)
	case dice < 25:
		return l.startWriteback(p.rand)
	case dice < 28:
		return p.syncNow()
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if p.rand.IntN(4) == 0 {
		return l.consumer.step()
	}
	a := &timed{p: p, sync: p.rand.IntN(12) == 0}
	if err := p.Append(l.Context(), a); err != nil {
		return err
	}
	p.noted(a.trace)
	if a.sync {
		return p.synced(a.trace)
	}
	return nil
}

// syncNow forces everything to the disk.
func (p *powerProducer) syncNow() error {
	p.load.mu.RLock()
	defer p.load.mu.RUnlock()
	if err := p.load.log.Sync(p.load.Context()); err != nil {
		return err
	}
	return p.synced(p.load.tracePos())
}

// synced notes that all that was acknowledged before is on the disk since the trace had that
// length.
func (p *powerProducer) synced(trace int64) error {
	err := p.Synced()
	p.noted(trace)
	return err
}

func (l *powerLoad) open() (err error) {
	l.log, err = engine.Open(context.Background(), l.store, powerOptions(l.mode))
	return err
}

// close closes the log, which nobody uses.
func (l *powerLoad) close() error {
	err := errors.Join(l.consumer.leave(), l.log.Close())
	if err == nil {
		l.consumer.closed()
	}
	return err
}

// reopen ends the log and opens it again: a restart of all processes.
func (l *powerLoad) reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.close(); err != nil {
		return err
	}
	return l.open()
}

// tear leaves what a producer leaves that is killed while it appends; the next append repairs it.
func (l *powerLoad) tear(rnd *rand.Rand) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	segment, err := l.newestSegment()
	if err != nil {
		return err
	}
	defer segment.Close()
	if _, err := segment.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	length := 100 + rnd.IntN(20_000)
	torn := format.AppendStart(nil, length)
	for range rnd.IntN(length) {
		torn = append(torn, byte(rnd.Uint32()))
	}
	_, err = segment.Write(torn)
	return err
}

// startWriteback has the kernel begin to write what was appended, a cursor, or an index, or write
// everything, as it would some seconds later, and without anything being promised by that.
func (l *powerLoad) startWriteback(rnd *rand.Rand) error {
	dice := rnd.IntN(10)
	if besides := l.besides(); dice < 4 && len(besides) > 0 {
		file, err := os.Open(besides[rnd.IntN(len(besides))])
		if err != nil {
			return err
		}
		defer file.Close()
		return unix.SyncFileRange(int(file.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	}
	segment, err := l.newestSegment()
	if err != nil {
		return err
	}
	defer segment.Close()
	if dice == 9 {
		return unix.Syncfs(int(segment.Fd()))
	}
	return unix.SyncFileRange(int(segment.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}

// besides returns the files of indexes and cursors.
func (l *powerLoad) besides() []string {
	indexes, _ := filepath.Glob(filepath.Join(l.store, "index", "*")) // of a pattern that is sound
	cursors, _ := filepath.Glob(filepath.Join(l.store, "cursors", "*", "*"))
	return append(indexes, cursors...)
}

func (l *powerLoad) newestSegment() (file *os.File, err error) {
	for n := 0; ; n++ {
		next, openErr := os.OpenFile(
			filepath.Join(l.store, fmt.Sprintf("stream%d.puro", n)), os.O_RDWR, 0)
		if openErr != nil {
			if file == nil {
				err = openErr
			}
			return file, err
		}
		if file != nil {
			file.Close()
		}
		file = next
	}
}

// run appends through the library until each of two producers has done that many steps.
func (l *powerLoad) run(steps int) {
	l.Helper()
	if err := l.open(); err != nil {
		l.Fatal(err)
	}
	plan := oracle.Plan{
		Seed: l.rand.Uint64(), Topics: []string{"a", "b"}, Keyed: true, RecordsMax: 6, BytesMax: 60_000,
	}
	l.consumer = newPowerConsumer(l)
	var wg sync.WaitGroup
	failures := make([]error, 2)
	for i := range failures {
		p := l.producer(fmt.Sprint("p", i), plan)
		wg.Go(func() {
			for n := 0; n < steps && failures[i] == nil; n++ {
				failures[i] = p.step()
			}
		})
	}
	wg.Wait()
	if err := errors.Join(append(failures, l.close())...); err != nil {
		l.Fatal(err)
	}
}

// runMounted appends through a mount: with fsync(2) now and then, with O_DSYNC, or as the mode has
// it.
func (l *powerLoad) runMounted(steps int) {
	l.Helper()
	m := mountOn(l.T, l.store, "segment_size=64k", "sync="+l.mode.String())
	m.mkdir("a")
	l.consumer = newPowerConsumer(l)
	plan := oracle.Plan{Seed: l.rand.Uint64(), Topics: []string{"a"}, RecordsMax: 6}
	for name, flag := range map[string]int{"plain": 0, "direct": unix.O_DSYNC} {
		file, err := os.OpenFile(m.path("a/append"), os.O_WRONLY|os.O_APPEND|flag, 0)
		if err != nil {
			l.Fatal(err)
		}
		p := l.producer(name, plan)
		for n := range steps {
			if err := p.writeLines(file, flag != 0, n%10 == 9); err != nil {
				l.Fatal(err)
			}
			if err := l.consumer.stepMounted(m, l.records()); err != nil {
				l.Fatal(err)
			}
		}
		if err := file.Close(); err != nil {
			l.Fatal(err)
		}
	}
	m.unmount()
}

// records is how many records the producers have appended.
func (l *powerLoad) records() (n uint64) {
	for _, p := range l.producers {
		n += p.Next()
	}
	return n
}

// writeLines writes to a file of a mount, which has O_DSYNC or calls fsync(2) if asked to.
func (p *powerProducer) writeLines(file *os.File, direct, fsync bool) error {
	if err := p.WriteLines(file); err != nil {
		return err
	}
	p.noted(p.load.tracePos())
	if fsync && !direct {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	if !fsync && !direct {
		return nil
	}
	return p.synced(p.load.tracePos())
}
