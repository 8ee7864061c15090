package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/format"
	"purofs/engine/oracle"
)

// A script is what happens to a store while faults are put under it.
type script struct {
	name    string
	prepare []step // before there are faults
	ruin    func(dir string) error
	steps   []step
	boot    bool   // the machine has crashed after prepare
	cursor  bool   // the steps have one
	heal    []step // when an error that lasted is gone, before anything is appended
}

// A step of a script.
type step func(p *player) error

// scripts are those of the campaign.
var scripts = []script{
	{name: "first append", steps: []step{appends("a", 1), closes()}},
	{name: "batches", steps: []step{appends("a", 3), syncs(), appends("big", 3), closes()}},
	{name: "roll-over", prepare: []step{fills(48 << 10), closes()},
		steps: []step{appends("big", 6), syncs(), appends("a", 1), closes()}},
	{name: "repair", prepare: []step{appends("a", 2), closes()}, ruin: tear,
		steps: []step{appends("a", 2), closes()}},
	{name: "repair after a crash", prepare: []step{appends("big", 2), closes()}, ruin: tear,
		boot: true, steps: []step{appends("a", 2), closes()}},
	{name: "two producers", steps: []step{
		appends("a", 2), opensAnother(), appends("b", 2), syncs(), appends("a", 1), closes(), closes()}},
	{name: "opened again", prepare: []step{appends("a", 1)}, steps: []step{
		appends("a", 1), closes(), appends("big", 1), closes(), appends("a", 1), closes()}},
	{name: "topics", steps: []step{
		makesTopic("made"), appends("a", 1), deletesTopic("made"), makesTopic("made"), syncs(),
		appends("a", 1), closes()}},
	{name: "cursor", cursor: true,
		prepare: []step{makesTopic(cursorTopic), appends("a", 4), closes()}, steps: []step{
			makesCursor(), moves(2), appends("a", 1), moves(2), moves(1), syncsCursor(), appends("a", 2),
			moves(3), moves(-2), moves(1), closes()}},
	{name: "cursor and roll-over", cursor: true, prepare: []step{fills(48 << 10), closes()},
		steps: []step{
			makesCursor(), moves(20), appends("big", 6), moves(500), syncs(), appends("a", 1), moves(9),
			closes()}},
	{name: "index", prepare: []step{fills(48 << 10), closes()}, steps: []step{
		appends("big", 6), seeks(), opensAnother(), appends("big", 6), seeks(), closes(), closes()}},
}

// A player acts a script out.
type player struct {
	dir, ledgers string
	opts         engine.Options
	seed         uint64
	acked        func() // called after each acknowledgement of records
	noted        func() // called when there is more that counts, of records or of the cursor

	logs       []*engine.Log
	producers  map[string]*oracle.Producer
	puro       *puro          // nil if there is none
	cursor     *engine.Cursor // of the log that was opened last, nil if it has not been taken
	cursorBook oracle.CursorBook
	powered    bool // no power cut comes: what a cursor has acknowledged counts in every mode
}

// segmentBytes is how large segments are: as small as they can be.
const segmentBytes = engine.SegmentBytesMin

// play acts the steps out up to the first error.
func (p *player) play(steps []step) error {
	for i, step := range steps {
		if err := step(p); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

// log is the one that was opened last.
func (p *player) log() (*engine.Log, error) {
	if len(p.logs) == 0 {
		if err := p.open(); err != nil {
			return nil, err
		}
	}
	return p.logs[len(p.logs)-1], nil
}

func (p *player) open() error {
	l, err := engine.Open(context.Background(), p.dir, p.opts)
	if err == nil {
		p.logs = append(p.logs, l)
	}
	return err
}

// filler is the producer of fills, and puroName that of a puro.
const filler, puroName = "filler", "puro"

// fillerMax is more than a block of filler takes: three records of up to 600 bytes.
const fillerMax = 2 << 10

// producer is that of a name; "big" has large batches, of which one can be as large as a segment.
func (p *player) producer(name string) (*oracle.Producer, error) {
	if one := p.producers[name]; one != nil {
		return one, nil
	}
	plan := oracle.Plan{
		Seed: p.seed, Producer: name, Topics: []string{"all", "rare"}, Keyed: true, RecordsMax: 3,
	}
	switch name {
	case "big":
		plan.RecordsMax, plan.BytesMax = 60, 8<<10
	case filler:
		plan.BytesMax = 600
	case puroName:
		plan.Topics = []string{puroName}
	}
	one, err := oracle.OpenProducer(filepath.Join(p.ledgers, name+".ledger"), plan, false)
	if err != nil {
		return nil, err
	}
	if p.producers == nil {
		p.producers = make(map[string]*oracle.Producer)
	}
	p.producers[name] = one
	return one, nil
}

// ack tells that records were acknowledged.
func (p *player) ack() {
	if p.acked != nil {
		p.acked()
	}
	p.note()
}

// note has it noted what counts now.
func (p *player) note() {
	if p.noted != nil {
		p.noted()
	}
}

// end closes what is open, however the log takes it.
func (p *player) end() {
	_ = p.leaveCursor()
	for _, l := range p.logs {
		_ = l.Close()
	}
	for _, one := range p.producers {
		one.Close()
	}
	p.logs, p.producers = nil, nil
}

// appends is a number of appends of a producer.
func appends(producer string, n int) step {
	return func(p *player) error {
		for range n {
			if err := p.append(producer); err != nil {
				return err
			}
		}
		return nil
	}
}

func (p *player) append(producer string) error {
	l, err := p.log()
	if err != nil {
		return err
	}
	one, err := p.producer(producer)
	if err != nil {
		return err
	}
	if err := one.Append(context.Background(), l); err != nil {
		return err
	}
	p.ack()
	return nil
}

// fills appends until the first segment has that many bytes, or up to fillerMax more; the log does
// not roll over by it, whatever the seed, since that is for the steps to do.
func fills(bytes int64) step {
	return func(p *player) error {
		for {
			if err := p.append(filler); err != nil {
				return err
			}
			info, err := os.Stat(p.segment(0))
			switch {
			case err != nil:
				return err
			case info.Size() > segmentBytes-fillerMax:
				return fmt.Errorf("a first segment of %d bytes, want less than a full one", info.Size())
			case info.Size() >= bytes:
				return nil
			}
		}
	}
}

// syncs forces everything to the disk.
func syncs() step {
	return func(p *player) error {
		l, err := p.log()
		if err != nil {
			return err
		}
		if err := l.Sync(context.Background()); err != nil {
			return err
		}
		for _, one := range p.producers {
			if err := one.Synced(); err != nil {
				return err
			}
		}
		p.ack()
		return nil
	}
}

func opensAnother() step { return (*player).open }

// closes closes the log that was opened last. What it could not do then is an error, but it is
// closed.
func closes() step {
	return func(p *player) error {
		if len(p.logs) == 0 {
			return nil
		}
		err := p.leaveCursor()
		l := p.logs[len(p.logs)-1]
		p.logs = p.logs[:len(p.logs)-1]
		return errors.Join(err, l.Close())
	}
}

func makesTopic(name string) step {
	return func(p *player) error {
		l, err := p.log()
		if err != nil {
			return err
		}
		return l.SetTopic(context.Background(), name, engine.TopicAttr{Mode: 0o640})
	}
}

func deletesTopic(name string) step {
	return func(p *player) error {
		l, err := p.log()
		if err != nil {
			return err
		}
		return l.DeleteTopic(context.Background(), name)
	}
}

// tear leaves what a producer that was killed leaves: a part of a block.
func tear(dir string) error {
	var body []byte
	for range 30 {
		body = format.AppendRecord(body, []byte("all"), nil, []byte("a record that nobody has"))
	}
	length := format.StartBytes + len(body)
	block := append(format.AppendStart(nil, length), body...)
	return appendTo(dir, block)
}

func appendTo(dir string, b []byte) error {
	file, err := os.OpenFile(filepath.Join(dir, "stream0.puro"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(b)
	return err
}

// crashedBoot is another boot of the machine than this one.
var crashedBoot = [16]byte{0xee}

// crashed makes a checkpoint one of another boot of the machine.
func crashed(checkpoint []byte) []byte {
	c, err := format.ParseCheckpoint(checkpoint)
	if err != nil {
		return checkpoint
	}
	c.BootID = crashedBoot
	return format.AppendCheckpoint(nil, c)
}

// crash makes a store one of a machine that has crashed since.
func crash(dir string) error {
	name := filepath.Join(dir, "checkpoint")
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, crashed(b), 0o600)
}

// newPlayer is one for a store that is prepared for the script.
func (s *script) newPlayer(work string, mode engine.SyncMode, seed uint64) (*player, error) {
	p := &player{
		dir: filepath.Join(work, "store"), ledgers: filepath.Join(work, "ledgers"), seed: seed,
		cursorBook: oracle.CursorBook{Topic: cursorTopic, Name: cursorName},
		opts: engine.Options{
			SegmentBytes: segmentBytes, Sync: mode, SyncInterval: engine.SyncIntervalMax,
			LockTimeout: time.Minute,
		},
	}
	if err := os.Mkdir(p.ledgers, 0o700); err != nil {
		return nil, err
	}
	err := p.play(s.prepare)
	for _, one := range p.producers {
		err = errors.Join(err, one.Synced())
	}
	if s.prepare != nil && len(p.logs) > 0 {
		err = errors.Join(err, p.play([]step{closes()}))
	}
	if err == nil && s.ruin != nil {
		err = s.ruin(p.dir)
	}
	if err == nil && s.boot {
		err = crash(p.dir)
	}
	if err != nil {
		p.end()
		return nil, fmt.Errorf("preparing: %w", err)
	}
	return p, nil
}

// books are those of all producers of a directory, as they were when each ledger had that many
// bytes; nil takes all.
func books(ledgers string, bytes map[string]int64) (*oracle.Books, error) {
	of, err := ledgersIn(ledgers, bytes)
	if err != nil {
		return nil, err
	}
	return oracle.ReadLedgers(of...)
}

func ledgersIn(dir string, bytes map[string]int64) (of []oracle.Ledger, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.ledger"))
	for _, name := range names {
		ledger := oracle.Ledger{Path: name}
		if bytes != nil {
			ledger.AckBytes = max(1, bytes[name]) // 0 would be all
		}
		of = append(of, ledger)
	}
	return of, err
}

// ledgerBytes is how many bytes each ledger has now.
func ledgerBytes(ledgers string) (map[string]int64, error) {
	names, err := filepath.Glob(filepath.Join(ledgers, "*.ledger"))
	bytes := make(map[string]int64)
	for _, name := range names {
		info, statErr := os.Stat(name)
		if err = errors.Join(err, statErr); err == nil {
			bytes[name] = info.Size()
		}
	}
	return bytes, err
}

// fastDir is a directory that is removed when the test ends, in memory if there is one: these tests
// decide themselves what reaches a disk.
func fastDir(t testing.TB) string {
	t.Helper()
	parent := "/dev/shm"
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, "purofs-faults-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
