package engine

import (
	"errors"
	"fmt"
	"time"
)

// A Record is one entry of a topic as a Reader yields it. Key and Value are valid until the
// reader's next call; copy what has to live longer.
type Record struct {
	Offset uint64    // its number in the topic, dense from 0
	Time   time.Time // when its block was written
	Key    []byte    // empty if it has none
	Value  []byte
}

// ReadRecord finds one record by its offset and returns what use, to which it is handed, returns.
// The record is valid until then. It costs a search and reading the block that holds the record.
//
// The error matches ErrNoRecord if the topic has no record with that offset, yet or any more,
// ErrNoTopic if there is no such topic, and ErrDamaged if the record was lost; or it is ErrClosed,
// ErrVanished, or that of the file system.
func (l *Log) ReadRecord(topic string, offset uint64, use func(*Record) error) error {
	info, err := l.Topic(topic)
	switch {
	case err != nil:
		return err
	case offset < info.First || offset >= info.Next:
		return fmt.Errorf("%w: topic %.64q has %d to %d, not %d",
			ErrNoRecord, topic, info.First, info.Next, offset)
	}
	r, err := l.OpenReader(topic, AtOffset(offset))
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		record, next := r.TryNext()
		switch {
		case next == nil && record.Offset == offset:
			return use(record)
		case errors.Is(next, ErrDamaged):
			err = next // it may be that of a block before
		case next == nil, errors.Is(next, ErrNoRecord):
			if err == nil {
				err = fmt.Errorf("%w: topic %.64q has none with offset %d", ErrNoRecord, topic, offset)
			}
			return err
		default:
			return next
		}
	}
}
