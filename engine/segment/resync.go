package segment

import (
	"bytes"
	"errors"
	"io"

	"purofs/engine/format"
)

// bareTombstone recognises what is too short for a start record.
//
// The constant AE 03 01 00 00 of Puro is a tombstone outside any block; nothing may follow it.
func (s *Scanner) bareTombstone(head []byte) error {
	if isTombstone(head) {
		s.sealed = true
		s.pos += int64(len(head))
		return io.EOF
	}
	return ErrTorn
}

func isTombstone(b []byte) bool {
	record, n, err := format.ParseRecord(b)
	if err != nil || n != len(b) || len(record.Value) > 4 {
		return false
	}
	kind, control := record.Control()
	return control && kind == format.TopicTombstone && format.CheckRecord(b) == nil
}

// notAStart tells what the bytes are that stand where a block should start.
func notAStart(head []byte) error {
	if allZero(head) {
		return &flaw{reason: "zeros stand where a block should start"}
	}
	return &flaw{reason: "no block starts here", raised: true}
}

func allZero(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

// stop decides what an unsound place is: the end of the log as far as it got, or damage, which has
// sound blocks behind it or is a raised block.
func (s *Scanner) stop(err error) error {
	var f *flaw
	if !errors.As(err, &f) {
		return s.cutOff(err)
	}
	end, err := s.resume(f)
	if err != nil {
		return err
	}
	if end < 0 && s.limit != NoLimit {
		end = s.limit
	}
	if end < 0 && !f.raised {
		if f.length > 0 {
			return ErrLow
		}
		return s.zeros()
	}
	damage := &DamageError{Segment: s.order, Pos: s.pos, End: end, Reason: f.reason, Newer: f.newer}
	if end >= 0 {
		s.pos = end
	}
	return damage
}

// cutOff makes damage of a block that is cut off, for a scanner with a limit: whoever set it knows
// that all before it is complete.
func (s *Scanner) cutOff(err error) error {
	if !errors.Is(err, ErrTorn) || s.limit == NoLimit {
		return err
	}
	damage := &DamageError{
		Segment: s.order, Pos: s.pos, End: s.limit, Reason: "its last block is cut off"}
	s.pos = s.limit
	return damage
}

// resume finds where to go on behind an unsound place, -1 if nowhere.
func (s *Scanner) resume(f *flaw) (int64, error) {
	if f.length > 0 {
		// The start record is right, so what lies inside belongs to this block. Looking there could
		// take a value that is itself a piece of a log for blocks of this one.
		next := s.pos + int64(f.length) + format.EndBytes
		if f.newer {
			return next, nil
		}
		head, err := s.win.view(next, format.StartBytes)
		if err != nil {
			return 0, err
		}
		start, err := format.ParseStart(head)
		switch {
		case err == nil && (start.High || f.raised), len(head) == 0 && f.raised:
			return next, nil
		case f.raised:
			return s.search(next)
		}
		return -1, nil
	}
	if end, err := s.ownEnd(); err != nil || end >= 0 {
		return end, err
	}
	return s.search(s.pos + 1)
}

// endHead is what every end record has behind its check byte.
var endHead = []byte{0x07, 0x01, format.TopicEnd, 0x00}

// ownEnd looks for the end record of the block whose start record is damaged, which says how far
// back that start is, and returns the place behind it; -1 if there is none. What lies before it
// belongs to this block, even if it is itself a piece of a log.
func (s *Scanner) ownEnd() (int64, error) {
	last := min(s.limit, s.pos+format.BlockBytesMax) - format.EndBytes
	for at := s.pos + format.StartBytes; at <= last; {
		view, err := s.win.view(at, searchBytes)
		if err != nil {
			return 0, err
		}
		for i := 1; i+format.EndBytes-1 <= len(view); i++ {
			found := bytes.Index(view[i:], endHead)
			if found < 0 {
				break
			}
			i += found
			if end := at + int64(i) - 1; format.ParseEnd(view[i-1:], int(end-s.pos)) == nil {
				return end + format.EndBytes, nil
			}
		}
		if len(view) < searchBytes {
			break
		}
		at += searchBytes - (format.EndBytes - 1)
	}
	return -1, nil
}

// raisedStart is what every raised start record has behind its check byte.
var raisedStart = []byte{0x08, 0x01, format.TopicStart, 0x00, 0x01}

// searchBytes is how much is searched at a time.
const searchBytes = windowBytesMax

// search looks for the next block that is sound in every respect, from a place on; -1 if there is
// none. A candidate must be newer than what came before: otherwise it is a copy, in a value.
func (s *Scanner) search(from int64) (int64, error) {
	probe := &Scanner{Full: true, seg: s.seg, order: s.order, limit: s.limit}
	probe.win = window{file: s.seg, ahead: windowBytesMin}
	defer probe.Release()
	for at := from; at < s.limit; {
		view, err := s.win.view(at, searchBytes)
		if err != nil {
			return 0, err
		}
		i := bytes.Index(view, raisedStart)
		switch {
		case i < 0 && len(view) < searchBytes:
			return -1, nil
		case i < 0:
			at += int64(len(view) - len(raisedStart))
			continue
		case i > 0:
			candidate := at + int64(i) - 1
			if probe.parse(candidate) == nil && s.plausible(&probe.block) {
				return candidate, nil
			}
		}
		at += int64(i) + 1
	}
	return -1, nil
}

// plausible tells whether a block found behind damage can be the log's own.
func (s *Scanner) plausible(b *Block) bool {
	if b.Header {
		return b.Time > s.lastTime
	}
	return !s.headers
}

// zeros tells whether only zeros follow, as a crash of the machine leaves them.
func (s *Scanner) zeros() error {
	for at := s.pos; ; {
		view, err := s.win.view(at, searchBytes)
		if err != nil {
			return err
		}
		if len(view) == 0 {
			return ErrTorn
		}
		if !allZero(view) {
			return &DamageError{
				Segment: s.order, Pos: s.pos, End: -1, Reason: "no block starts here"}
		}
		at += int64(len(view))
	}
}
