package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"purofs/engine/format"
	"purofs/engine/segment"
)

// A Reader walks through one topic, over all segments, and follows it. It is used by one goroutine
// at a time; Close it when done. While it has nothing to read it holds no buffer and no file.
type Reader struct {
	log   *Log
	topic string

	at    place // of the next block to look at
	point       // of the next record
	start       // what is skipped, and time; its place and point are not used

	route  route
	handle *handle // of the segment at.order, while reading in it
	scan   *segment.Scanner
	body   []byte        // the rest of the block's records
	left   uint64        // how many of them are the topic's
	alone  bool          // all records of the block are the topic's
	headed bool          // the block has a header: its time is its own
	skips  format.Header // of a sparse block
	sparse bool

	record Record // what TryNext returned last

	// Seek has read the record, to know where it is, or met an error; the next TryNext returns that.
	ahead    bool
	aheadErr error
}

// OpenReader returns a reader of the topic that starts at the position. The topic need not exist
// yet: then the reader has no record until it does. The error is ErrClosed or that of the file
// system.
func (l *Log) OpenReader(topic string, from Position) (*Reader, error) {
	r := &Reader{log: l, topic: topic}
	if err := r.Seek(from); err != nil {
		return nil, err
	}
	return r, nil
}

// Seek moves to another position of the topic.
func (r *Reader) Seek(to Position) error {
	r.rest()
	s, err := r.log.resolve(r.topic, to)
	if err != nil {
		return fmt.Errorf("seeking in topic %.64q: %w", r.topic, err)
	}
	r.at, r.point, r.start, r.route = s.place, s.point, s, route{}
	if s.place == s.end {
		return nil
	}
	_, r.aheadErr = r.TryNext()
	r.ahead = !errors.Is(r.aheadErr, ErrNoRecord)
	return nil
}

// Close gives back what the reader holds.
func (r *Reader) Close() { r.rest() }

// Held is how many bytes of the log it holds to read on, until it is closed or has come to the end.
func (r *Reader) Held() int {
	if r.scan == nil {
		return 0
	}
	return r.scan.Held()
}

// Next is the offset that the next record has, or will have.
func (r *Reader) Next() uint64 { return max(r.next().next, r.floor) }

// Text is where the next record starts, or will start, in the topic's plain text. For an offset
// that is still to come it is only known once that record is there.
func (r *Reader) Text() uint64 { return r.next().text }

func (r *Reader) next() point {
	if r.ahead && r.aheadErr == nil {
		return point{r.record.Offset, r.point.text - textBytes(&r.record)}
	}
	return r.point
}

// textBytes is how many bytes of the plain text a record is.
func textBytes(record *Record) uint64 { return uint64(len(record.Value)) + 1 }

// TryNext returns the next record. If there is none yet the error is ErrNoRecord, and ErrNoTopic if
// the topic was deleted. A *DamageError is returned once for each damaged place; the call after it
// goes on behind. The record is valid until the reader's next call.
func (r *Reader) TryNext() (*Record, error) {
	if r.ahead {
		r.ahead = false
		if r.aheadErr != nil {
			return nil, r.aheadErr
		}
		return &r.record, nil
	}
	for {
		for r.left > 0 {
			found, err := r.take()
			if err != nil {
				return nil, err
			}
			if found {
				return &r.record, nil
			}
		}
		if err := r.nextBlock(); err != nil {
			return nil, err
		}
	}
}

// take takes one record off the block and tells whether it is one that is wanted.
func (r *Reader) take() (bool, error) {
	record, n, err := format.ParseRecord(r.body)
	if err != nil {
		return false, r.damagedBlock(err)
	}
	r.body = r.body[n:]
	if _, control := record.Control(); control {
		return false, nil
	}
	skip := uint64(0)
	if r.sparse {
		if skip, err = r.skips.NextSkip(); err != nil {
			return false, r.damagedBlock(err)
		}
	}
	if !r.alone && string(record.Topic) != r.topic {
		return false, nil
	}
	r.left--
	r.record.Offset, r.record.Key, r.record.Value = r.point.next+skip, record.Key, record.Value
	r.point.next = r.record.Offset + 1
	r.point.text += textBytes(&r.record)
	return r.record.Offset >= r.floor && r.point.text > r.floorText, nil
}

// damagedBlock leaves a block whose records are not what its header says.
func (r *Reader) damagedBlock(err error) error {
	r.left = 0
	return r.tell(&segment.DamageError{
		Segment: r.at.order, Pos: r.at.pos, End: r.scan.Pos(), Reason: err.Error()})
}

// tell reports damage to the log too.
func (r *Reader) tell(d *segment.DamageError) error {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	r.log.report(d)
	if a := r.log.active; a != nil && a.Order() == d.Segment {
		r.log.damaged = true // nothing more shall be written behind it
	}
	return d
}

// nextBlock goes on to the next block that has records of the topic.
func (r *Reader) nextBlock() error {
	for {
		if r.scan == nil {
			if err := r.enter(); err != nil {
				return err
			}
		}
		if r.scan.Pos() >= r.route.ask {
			r.leap()
		}
		block, err := r.scan.Next()
		if r.route.landing && !r.landed(block, err) {
			r.log.distrust(r.at.order)
			r.turnBack(r.at)
			continue
		}
		if err != nil {
			if err := r.pass(err); err != nil {
				return err
			}
			continue
		}
		found, err := r.look(block)
		if found || err != nil {
			return err
		}
	}
}

// pass goes on where the scanner stopped, if that is possible.
func (r *Reader) pass(err error) error {
	var damage *segment.DamageError
	switch {
	case errors.Is(err, io.EOF):
		return r.endOfSegment()
	case errors.As(err, &damage):
		r.at.pos = r.scan.Pos()
		if r.route.pastDamage(damage) {
			return nil
		}
		return r.tell(damage)
	}
	return err
}

// look tells whether the block has records of the topic that are wanted, and prepares to read them.
func (r *Reader) look(block *segment.Block) (bool, error) {
	r.at.pos = block.End
	if p, known := headerOf(block.Controls, r.topic); known {
		if r.missed(p.next) {
			r.turnBack(place{r.at.order, block.Pos})
			return false, nil
		}
		r.point = p // explicit, so that damage in the segments before does not renumber anything
	}
	for _, run := range block.Runs {
		if string(run.Topic) != r.topic {
			continue
		}
		if !block.Header {
			run.Offset = r.point.next
		}
		if r.missed(run.Offset) {
			r.turnBack(place{r.at.order, block.Pos})
			return false, nil
		}
		r.found(block.Pos, block.End)
		after := point{run.Next(), r.point.text + run.ValueBytes + run.Records}
		if after.next <= r.floor || after.text <= r.floorText || block.Time < r.since {
			r.point = after
			return false, nil
		}
		r.point.next = run.Offset
		r.left, r.alone, r.headed = run.Records, len(block.Runs) == 1, block.Header
		r.record.Time = time.Unix(0, block.Time)
		body, err := r.scan.Body()
		if err != nil {
			r.left, r.point = 0, after
			return false, r.bodyError(err)
		}
		r.body = body
		if r.sparse = block.Sparse; r.sparse {
			if r.skips, err = block.Skips(); err != nil {
				return false, r.damagedBlock(err)
			}
		}
		return true, nil
	}
	return false, nil
}

func (r *Reader) bodyError(err error) error {
	var damage *segment.DamageError
	if errors.As(err, &damage) {
		return r.tell(damage)
	}
	return err
}

// rest gives back buffer and file; the reader can go on.
func (r *Reader) rest() {
	r.ahead = false
	if r.scan == nil {
		return
	}
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	r.release()
}

// pause is rest for a reader that may go on, unless it stands within a block.
func (r *Reader) pause() {
	if r.left == 0 && !r.ahead {
		r.rest()
	}
}

// release is rest with Log.mu held.
func (r *Reader) release() {
	if r.scan == nil {
		return
	}
	r.start.time = r.scan.Time()
	r.scan.Release()
	r.log.drop(r.handle)
	r.scan, r.handle, r.body, r.left = nil, nil, nil, 0
}

// Wait blocks until TryNext has something to say: a record, the topic's deletion (ErrNoTopic), or
// the end of the log (ErrClosed). The error is that of ctx.
func (r *Reader) Wait(ctx context.Context) error {
	woken := make(chan struct{})
	stop := r.log.Watch(r.topic, r.Next(), func() { close(woken) })
	select {
	case <-woken:
		return nil
	case <-ctx.Done():
		stop()
		return ctx.Err()
	}
}
