package faults_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/oracle"
	"purofs/engine/segment"
)

// powerScripts are scripts of T4 only: what they prepare is told from what others do by a power
// cut, and by no kill and no error.
var powerScripts = []script{
	// Nobody makes the second segment, who would see to it that the first one is on the disk.
	{name: "roll-over to a segment made ahead",
		prepare: []step{fills(48 << 10), closes(), makesSegment(1)},
		steps:   []step{appends("big", 6), syncs(), appends("a", 1), closes()}},
	// If the removal of the tail were lost, and what was appended in its place not, what the tail has
	// inside would be the log's.
	{name: "repair of a tail that holds a log",
		prepare: []step{appends("a", 2), closes(), tearsAround("a")},
		steps:   []step{appends("a", 2), closes()}},
	// Nobody but who makes the second segment sees to it that the first one is on the disk.
	{name: "roll-over, and Puro goes on", prepare: []step{fills(48 << 10), closes()},
		steps: []step{puroAwaits(1), appends("big", 6), puroCame(), appends("a", 1), closes()}},
}

// makesSegment makes an empty segment ahead of time, as another program may.
func makesSegment(order uint32) step {
	return func(p *player) error {
		file, err := os.OpenFile(p.segment(order), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		return file.Close()
	}
}

// tearsAround leaves what a producer leaves that is killed while it appends a value that is itself
// a piece of a log: a block of that stands just where the next append of a producer will end.
func tearsAround(producer string) step {
	return func(p *player) error {
		before, err := os.Stat(p.segment(0))
		if err != nil {
			return err
		}
		end, err := p.sizeAfter(producer)
		if err != nil {
			return err
		}
		inside := bareBlock(
			format.AppendRecord(nil, []byte("all"), nil, []byte("a record that nobody has")))
		filler := int(end-before.Size()) - format.StartBytes
		tail := format.AppendStart(nil, format.StartBytes+filler+2*len(inside))
		tail = append(tail, bytes.Repeat([]byte{'x'}, filler)...)
		return appendTo(p.dir, append(tail, inside...))
	}
}

// sizeAfter is the size of the first segment after the next append of a producer, which is made in
// a copy.
func (p *player) sizeAfter(producer string) (int64, error) {
	copied := &player{dir: p.dir + ".next", ledgers: p.ledgers + ".next", seed: p.seed, opts: p.opts}
	for from, to := range map[string]string{p.dir: copied.dir, p.ledgers: copied.ledgers} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			return 0, err
		}
	}
	err := copied.append(producer)
	copied.end()
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(copied.segment(0))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// segment is the path of a segment.
func (p *player) segment(order uint32) string {
	return filepath.Join(p.dir, segment.Name(order))
}

// bareBlock is a block of records as Puro writes it, without a header.
func bareBlock(records []byte) []byte {
	length := format.StartBytes + len(records)
	block := append(format.AppendStart(nil, length), records...)
	block[format.SignalOffset] = 1
	return format.AppendEnd(block, length)
}

// A puro is another program that appends the first block of a segment as soon as it is made, before
// who made it can, and does so as Puro does, but that it forces all to the disk.
type puro struct {
	disk.Hook
	player *player
	order  uint32
	came   bool
	err    error
}

// puroAwaits has a puro wait for a segment.
func puroAwaits(order uint32) step {
	return func(p *player) error {
		p.puro = &puro{Hook: p.opts.FileHook, player: p, order: order}
		p.opts.FileHook = p.puro
		return nil
	}
}

func (u *puro) After(op *disk.Op, n int, err error) {
	u.Hook.After(op, n, err)
	made := op.Kind == disk.OpOpen && op.Flag&os.O_CREATE != 0 && err == nil
	if made && filepath.Base(op.Path) == segment.Name(u.order) {
		u.came, u.err = true, u.append()
	}
}

// puroCame is an error unless the puro has appended.
func puroCame() step {
	return func(p *player) error {
		if !p.puro.came {
			return errors.New("nobody has made the segment that Puro waits for")
		}
		return p.puro.err
	}
}

func (u *puro) append() error {
	one, err := u.player.producer(puroName)
	if err != nil {
		return err
	}
	if err := one.Do(u.write); err != nil {
		return err
	}
	if err := one.Synced(); err != nil {
		return err
	}
	u.player.ack()
	return nil
}

// write writes records, and returns the offset of the first one: nobody else has that topic.
func (u *puro) write(records []oracle.Record) (offset int64, err error) {
	var encoded []byte
	for _, r := range records {
		encoded = format.AppendRecord(encoded, []byte(r.Topic), r.Key, r.Value)
	}
	block := bareBlock(encoded)
	block[format.SignalOffset] = 0
	dir, err := disk.OpenDir(u.player.dir, u.Hook)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	file, err := dir.OpenFile(segment.Name(u.order), os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return int64(records[0].Seq), errors.Join(
		file.WriteAllAt([][]byte{block}, 0), file.Datasync(), dir.Sync(),
		file.WriteAllAt([][]byte{{1}}, format.SignalOffset), file.Datasync())
}
