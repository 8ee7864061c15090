package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"purofs/engine"
)

// ErrUnknown is wrapped by the write functions of Do if the records may be stored or not.
var ErrUnknown = errors.New("nobody knows whether it is stored")

// A Producer writes the records of a plan, one append after the other, and keeps a ledger of it.
// It is used by one goroutine at a time.
//
// The ledger is text: the plan in a line, and then "o" for each opening, "i FIRST COUNT" before
// each append, and after it "a FIRST OFFSET" if it was acknowledged, "r FIRST" if it was refused,
// and nothing if nobody knows. "s" says that what was acknowledged before it is on the disk.
type Producer struct {
	gen     *generator
	file    *os.File
	fsync   bool
	next    uint64
	line    []byte
	records []Record
	batch   engine.Batch
	lines   []byte
}

// OpenProducer opens the ledger at path, which is made if it does not exist and must be the
// producer's own; the producer goes on behind what it holds. fsync forces each entry to the disk:
// it has to survive what the test does. The death of the process it survives in any case.
func OpenProducer(path string, plan Plan, fsync bool) (*Producer, error) {
	plan = plan.withDefaults()
	if err := plan.validate(); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	p := &Producer{gen: newGenerator(plan), file: file, fsync: fsync}
	if err := p.resume(path); err != nil {
		file.Close()
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	return p, nil
}

// resume goes on with a ledger. An entry that a kill cut off was not followed by anything.
func (p *Producer) resume(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if err := p.file.Truncate(int64(whole)); err != nil {
		return err
	}
	plan, err := json.Marshal(p.gen.plan)
	if err != nil {
		return err
	}
	if whole == 0 {
		return p.note("%s\no\n", plan)
	}
	book, err := parseLedger(path, text[:whole])
	if err != nil {
		return err
	}
	if first, _, _ := bytes.Cut(text, []byte{'\n'}); !bytes.Equal(first, plan) {
		return fmt.Errorf("it is of another plan: got %s, want %s", first, plan)
	}
	p.next = book.next()
	return p.note("o\n")
}

// note writes to the ledger with one write(2).
func (p *Producer) note(format string, args ...any) error {
	p.line = fmt.Appendf(p.line[:0], format, args...)
	if _, err := p.file.Write(p.line); err != nil {
		return err
	}
	if p.fsync {
		return unix.Fdatasync(int(p.file.Fd()))
	}
	return nil
}

// Next is the number of the next record.
func (p *Producer) Next() uint64 { return p.next }

// Close closes the ledger.
func (p *Producer) Close() error { return p.file.Close() }

// Synced notes that everything acknowledged so far was promised to survive a power cut.
func (p *Producer) Synced() error { return p.note("s\n") }

// An Appender is the part of *engine.Log that a producer needs.
type Appender interface {
	Append(ctx context.Context, b *engine.Batch) error
}

// Append appends the next records to a log as one batch. The error is the log's, or that of the
// ledger.
func (p *Producer) Append(ctx context.Context, l Appender) error {
	return p.Do(func(records []Record) (int64, error) {
		p.batch.Reset()
		for _, r := range records {
			p.batch.Add(r.Topic, r.Key, r.Value)
		}
		err := l.Append(ctx, &p.batch)
		if err != nil {
			if errors.Is(err, engine.ErrPoisoned) {
				err = fmt.Errorf("%w: %w", ErrUnknown, err)
			}
			return 0, err
		}
		return int64(p.batch.Offset(0)), nil
	})
}

// WriteLines writes the next records, each as a line, to a file of a mount with one Write. The plan
// must be one of a single topic, and not keyed. A write that fails is one that nobody knows of,
// since the daemon may have died before it could answer, unless the error says that nothing is
// stored.
func (p *Producer) WriteLines(w io.Writer) error {
	return p.Do(func(records []Record) (int64, error) {
		p.lines = p.lines[:0]
		for _, r := range records {
			p.lines = append(append(p.lines, r.Value...), '\n')
		}
		n, err := w.Write(p.lines)
		if err != nil && (n > 0 || !refusal(err)) {
			err = fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		return -1, err
	})
}

// refusal tells whether a write's error says that nothing of it is stored.
func refusal(err error) bool {
	return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EFBIG) ||
		errors.Is(err, unix.EROFS) || errors.Is(err, unix.EAGAIN)
}

// Do notes the intent to write the next records, has them written, and notes what came of it:
// write returns nil if they are acknowledged, with the offset of the first one or -1, an error that
// wraps ErrUnknown if they may be there or not, and another one if they were refused. Numbers are
// not used again, whatever happens.
func (p *Producer) Do(write func([]Record) (offset int64, err error)) error {
	first := p.next
	count := p.gen.count(first)
	p.gen.reset()
	p.records = p.records[:0]
	for i := range count {
		p.records = append(p.records, p.gen.record(first+uint64(i)))
	}
	if err := p.note("i %d %d\n", first, count); err != nil {
		return fmt.Errorf("noting an intent: %w", err)
	}
	p.next += uint64(count)
	offset, err := write(p.records)
	var noted error
	switch {
	case err == nil:
		noted = p.note("a %d %d\n", first, offset)
	case !errors.Is(err, ErrUnknown):
		noted = p.note("r %d\n", first)
	}
	if noted != nil {
		return errors.Join(err, fmt.Errorf("noting what came of it: %w", noted))
	}
	return err
}
