package faults_test

import (
	"bytes"
	"os"
	"path/filepath"

	"purofs/engine/format"
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
		record := format.AppendRecord(nil, []byte("all"), nil, []byte("a record that nobody has"))
		length := format.StartBytes + len(record)
		inside := append(format.AppendStart(nil, length), record...)
		inside[format.SignalOffset] = 1
		inside = format.AppendEnd(inside, length)
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
