package oracle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"purofs/engine"
)

// Acks says which acknowledgements count: which records have to be there.
type Acks uint8

const (
	// AcksAll is for faults that cost processes their lives, but not the machine.
	AcksAll Acks = iota
	// AcksSynced counts those before the last "s" of each ledger: for power cuts in the modes in which
	// not every append is synced. Of what is behind it a prefix may be there.
	AcksSynced
	// AcksNone counts none.
	AcksNone
)

// Options say how a store is checked.
type Options struct {
	// Acks says which acknowledgements count.
	Acks Acks
	// Consumers are the files of those that read while the fault came.
	Consumers []string
	// OtherTopics are topics that may exist although no plan has them.
	OtherTopics []string
	// Engine is how the store is opened.
	Engine engine.Options
	// Holes says that what does not count may be missing before what is there. That is for a disk that
	// loses its power and a machine that knows nothing of it: then no end is cut off.
	Holes bool
	// Damaged is for power cuts: the store is not verified before it is opened, for opening removes
	// what they leave at the end, and makes the store if they left none.
	Damaged bool
}

// TopicChecks is where Check appends.
const TopicChecks = "oracle"

// Check compares a store with the ledgers: before and after an append, which repairs what the fault
// left, and once more after opening it again. Nobody else may be using the store. The error is
// about the check itself, as a context that ends or a store that cannot be opened; what the store
// has done wrong is in the report.
func Check(ctx context.Context, store string, books *Books, opts Options) (*Report, error) {
	var before engine.VerifyReport
	if !opts.Damaged {
		var err error
		if before, err = engine.Verify(ctx, store, nil); err != nil {
			return nil, err
		}
	}
	report, err := checkOnce(ctx, store, books, opts)
	if err != nil {
		return nil, err
	}
	report.Torn = before.Tail == "torn"
	report.damage("before it was opened", &before)
	after, err := engine.Verify(ctx, store, nil)
	if err != nil {
		return nil, err
	}
	if opts.Damaged && opts.Acks != AcksAll {
		after.CursorDamage = nil // G13 allows for it
	}
	report.damage("after an append", &after)
	if after.Tail != "clean" && len(report.Violations) == 0 {
		report.violated(Verify, "after an append the log ends %s, want clean", after.Tail)
	}
	again, err := openAndCheck(ctx, store, books, opts)
	if err != nil {
		return nil, err
	}
	if again.Records != report.Records || len(again.Violations) > 0 && len(report.Violations) == 0 {
		report.violated(Lost, "opened again it has %d records, not %d: %v",
			again.Records, report.Records, again.Err())
	}
	return report, nil
}

// checkOnce compares, and appends.
func checkOnce(ctx context.Context, store string, books *Books, opts Options) (*Report, error) {
	l, err := engine.Open(ctx, store, opts.Engine)
	if err != nil {
		return nil, err
	}
	report, err := CheckLog(ctx, l, books, opts)
	if err == nil {
		report.appendAgain(ctx, l)
	}
	if err := l.Close(); err != nil && report != nil {
		report.violated(Appendable, "closing the log: %v", err)
	}
	return report, err
}

func openAndCheck(
	ctx context.Context, store string, books *Books, opts Options,
) (*Report, error) {
	opts.Engine.ReadOnly = true
	l, err := engine.Open(ctx, store, opts.Engine)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return CheckLog(ctx, l, books, opts)
}

func (r *Report) damage(when string, verified *engine.VerifyReport) {
	for _, d := range verified.Damage {
		r.violated(Verify, "%s: %v", when, d)
	}
	for _, d := range verified.CursorDamage {
		r.violated(Verify, "%s: cursor %s: %s", when, d.File, d.Reason)
	}
}

// appendAgain appends a record and reads it back.
func (r *Report) appendAgain(ctx context.Context, l *engine.Log) {
	value := fmt.Appendf(nil, "appended by a check at %v", time.Now())
	var b engine.Batch
	b.Add(TopicChecks, nil, value)
	if err := l.Append(ctx, &b); err != nil {
		r.violated(Appendable, "an append: %v", err)
		return
	}
	reader, err := l.OpenReader(TopicChecks, engine.AtOffset(b.Offset(0)))
	if err != nil {
		r.violated(Appendable, "reading what was appended: %v", err)
		return
	}
	defer reader.Close()
	record, err := reader.TryNext()
	switch {
	case err != nil:
		r.violated(Appendable, "reading what was appended: %v", err)
	case record.Offset != b.Offset(0) || !bytes.Equal(record.Value, value):
		r.violated(Appendable, "what was appended as %d is %d %.80q",
			b.Offset(0), record.Offset, record.Value)
	}
}

// CheckLog compares an open log with the ledgers, without changing anything: all rules but V and A,
// and of V the damage that a reader meets.
func CheckLog(
	ctx context.Context, l *engine.Log, books *Books, opts Options,
) (*Report, error) {
	c := newChecker(books, opts)
	topics := books.topics()
	for _, topic := range topics {
		if err := c.topic(ctx, l, topic); err != nil {
			return nil, fmt.Errorf("reading topic %s: %w", topic, err)
		}
	}
	for _, info := range l.Topics() {
		if info.Name != TopicChecks && !slices.Contains(topics, info.Name) &&
			!slices.Contains(opts.OtherTopics, info.Name) {
			c.report.violated(Phantom, "topic %s, which is in no plan", info.Name)
		}
	}
	c.finish()
	return c.report, nil
}

// topic reads a topic from its start to its end.
func (c *checker) topic(ctx context.Context, l *engine.Log, topic string) error {
	r, err := l.OpenReader(topic, engine.Start())
	if err != nil {
		return err
	}
	defer r.Close()
	w := c.walk(topic)
	for {
		record, err := r.TryNext()
		switch {
		case errors.Is(err, engine.ErrNoRecord), errors.Is(err, engine.ErrNoTopic):
			return w.finish(c.opts.Consumers)
		case errors.Is(err, engine.ErrDamaged) && c.report.Total[Verify] < damageMax:
			c.report.violated(Verify, "reading topic %s: %v", topic, err)
			continue
		case err != nil:
			return err
		}
		w.record(record)
		if record.Offset%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// damageMax ends the reading of a log that is all garbage.
const damageMax = 10_000
