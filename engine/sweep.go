package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"purofs/engine/format"
	"purofs/engine/segment"
)

// A sweep walks over a whole segment with all its checks, and goes on behind damage. Verify and
// Repair are made of it.
type sweep struct {
	seg *segment.Segment
	// block is called with each sound block, which is valid until it returns, and with what its
	// records contradict of its header.
	block  func(b *segment.Block, wrong error)
	census census
	// damage is called with each damaged place that has sound blocks behind it.
	damage func(d *DamageError) error
	tell   func(pos int64) // called now and then, with how far it got
}

// An ending is how a segment ends.
type ending struct {
	state  string // see VerifyReport.Tail
	pos    int64  // behind the last sound block, or the tombstone
	size   int64  // of the file
	magic  bool   // it begins with the magic: purofs started it
	damage *DamageError
}

// sweepStride is how many blocks lie between two calls of tell.
const sweepStride = 256

func (s *sweep) run(ctx context.Context) (ending, error) {
	scan := segment.NewScanner(s.seg, 0, segment.NoLimit)
	scan.Full = true
	defer scan.Release()
	var damage *DamageError // outside of the loop, for it is allocated
	for blocks := 0; ; blocks++ {
		if err := ctx.Err(); err != nil {
			return ending{}, err
		}
		if blocks%sweepStride == 0 {
			s.tell(scan.Pos())
		}
		b, err := scan.Next()
		switch {
		case err == nil:
			records, err := scan.Body()
			if err != nil {
				return ending{}, err
			}
			s.block(b, s.census.take(b, records, scan.RunOf))
		case errors.As(err, &damage) && damage.End >= 0:
			if err := s.damage(damage); err != nil {
				return ending{}, err
			}
		default:
			return s.end(scan, err)
		}
	}
}

// end tells how the segment ends, at which the scanner met cause.
func (s *sweep) end(scan *segment.Scanner, cause error) (ending, error) {
	size, err := s.seg.Size()
	if err != nil {
		return ending{}, err
	}
	e := ending{state: "clean", pos: scan.Pos(), size: size, magic: scan.Start() > 0}
	switch {
	case errors.Is(cause, io.EOF):
		if scan.Sealed() {
			e.state = "sealed"
		}
	case errors.Is(cause, segment.ErrLow), errors.Is(cause, segment.ErrTorn):
		e.state = "torn"
		busy, err := s.seg.TailLocked(scan.Pos())
		if err != nil {
			return e, err
		}
		if busy {
			e.state = "open"
		}
	case errors.As(cause, &e.damage):
		e.state = "damaged"
	default:
		return e, cause
	}
	return e, nil
}

// A census counts the records of a block, to hold them against what its header says.
type census struct {
	counts []format.Run // of the block's runs, without their offsets
}

// take counts the records of a block whose bytes were checked, and tells what does not fit. runOf
// finds the run of a topic.
func (c *census) take(b *segment.Block, records []byte, runOf func(topic []byte) int) error {
	c.counts = c.counts[:0]
	for range b.Runs {
		c.counts = append(c.counts, format.Run{})
	}
	run := -1
	for at := 0; at < len(records); {
		r, n, err := format.ParseRecord(records[at:])
		if err != nil {
			return fmt.Errorf("its records, at byte %d of them: %w", at, err)
		}
		at += n
		if _, control := r.Control(); control {
			continue
		}
		// Records of a topic stand together mostly, and otherwise often take turns.
		switch next := (run + 1) % max(1, len(b.Runs)); {
		case run >= 0 && string(b.Runs[run].Topic) == string(r.Topic):
		case next < len(b.Runs) && string(b.Runs[next].Topic) == string(r.Topic):
			run = next
		default:
			run = runOf(r.Topic)
		}
		if run < 0 {
			return fmt.Errorf("topic %.64q is not in its header", r.Topic)
		}
		c.counts[run].Records++
		c.counts[run].ValueBytes += uint64(len(r.Value))
	}
	for i, run := range b.Runs {
		got := c.counts[i]
		if got.Records != run.Records || got.ValueBytes != run.ValueBytes {
			return fmt.Errorf("it has %d records with %d bytes of topic %.64q, its header says %d with %d",
				got.Records, got.ValueBytes, run.Topic, run.Records, run.ValueBytes)
		}
	}
	return nil
}
