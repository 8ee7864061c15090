package engine

import (
	"errors"
	"fmt"

	"purofs/engine/format"
)

// probeWalkMax is up to how many records ahead a prober walks there, instead of seeking.
const probeWalkMax = 1 << 10

// A prober finds out when records of a topic were written, and where their blocks end. It keeps the
// last block that it looked at, so a row of records costs little.
type prober struct {
	log    *Log
	reader Reader

	// Of the last block: it has the records from and up to to, that one not.
	from, to uint64
	time     int64 // 0 if it is not known: blocks of Puro have none
	end      place
}

func newProber(l *Log, topic string) *prober {
	return &prober{log: l, reader: Reader{log: l, topic: topic}}
}

func (p *prober) close() { p.reader.Close() }

// find looks for the block with that record, and tells whether there is one: the record may be
// still to come, removed, or lost to damage.
func (p *prober) find(offset uint64) (bool, error) {
	if p.from <= offset && offset < p.to {
		return true, nil
	}
	r := &p.reader
	defer p.rest()
	if p.to == 0 || offset < p.to || offset-p.to > probeWalkMax {
		if err := r.Seek(AtOffset(offset)); err != nil {
			return false, err
		}
	}
	r.floor = offset
	p.from, p.to = 0, 0
	record, err := r.TryNext()
	for errors.Is(err, ErrDamaged) {
		record, err = r.TryNext() // what was damaged is known to the log now
	}
	if errors.Is(err, ErrNoRecord) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p.from, p.to = record.Offset, record.Offset+1
	if !r.sparse {
		p.to += r.left
	}
	p.time, p.end = 0, r.at
	if r.headed {
		p.time = record.Time.UnixNano()
	}
	return p.from == offset, nil
}

// rest leaves the block; the reader goes on behind it. At the end of the log it holds no buffer.
func (p *prober) rest() {
	r := &p.reader
	if r.sparse {
		r.rest()
		p.from, p.to = 0, 0 // only a seek finds the next one
		return
	}
	r.point.next += r.left
	r.left, r.body, r.ahead = 0, nil, false
	if r.scan != nil && r.scan.Pos() == r.scan.Limit() {
		r.scan.Release()
	}
}

// mark returns what a cursor stores of the place before the record next, and up to where the log
// must be on the disk for that to be safe. The error is ErrPosition for a place beyond the end.
func (p *prober) mark(next uint64) (format.CursorMark, place, error) {
	m := format.CursorMark{Next: next}
	if next == 0 {
		return m, place{}, nil
	}
	found, err := p.find(next - 1)
	if err != nil {
		return m, place{}, err
	}
	if found {
		m.Last = p.time
		return m, p.end, nil
	}
	l := p.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return m, place{}, ErrClosed
	}
	if t := l.table.topics[p.reader.topic]; t == nil || next > t.Next {
		return m, place{}, fmt.Errorf("%w: %d is beyond the end of the topic", ErrPosition, next)
	}
	return m, l.place(), nil
}

// A verdict says whether a mark is still a place between the same records.
type verdict uint8

const (
	markHolds verdict = iota
	markUnknown
	markLost // the log has no such record, or another one
)

func (p *prober) judge(m format.CursorMark, t *TopicInfo) (verdict, error) {
	switch {
	case m.Next <= t.First:
		return markHolds, nil // all that is there is still to be done
	case m.Next > t.Next:
		return markLost, nil
	}
	found, err := p.find(m.Next - 1)
	switch {
	case err != nil:
		return 0, err
	case !found || p.time == 0 || m.Last == 0:
		return markUnknown, nil
	case p.time != m.Last:
		return markLost, nil
	}
	return markHolds, nil
}

// A settled position is where a cursor stands in the log as it is now. reason is why it is not
// where it was left, if so.
type settled struct {
	next   uint64
	safe   bool // the slot's Safe still holds
	reason string
}

// settle decides where a cursor stands that its slot left somewhere.
//
// A power cut may take records that the cursor had passed, and others then get their offsets. Those
// must not be skipped. So the position holds only if the newest record before it is the one that
// was done, which its time tells. Where that cannot be told, for the record is damaged, removed or
// one of Puro's, it holds within the same boot of the machine, in which nothing is lost. Otherwise
// the cursor goes back to the newest position that was known to be on the disk together with all
// records before it.
//
// If even that one does not hold, the log is not the one that was synced: an older copy, as a rule.
// Then what is known to be new is all behind its end; and if the log has grown since, nothing is
// known, and the cursor starts again.
func (p *prober) settle(s *format.CursorSlot) (settled, error) {
	t, err := p.log.Topic(p.reader.topic)
	if err != nil {
		return settled{}, err
	}
	at := func(next uint64) uint64 { return max(next, t.First) }
	done, err := p.judge(s.Done, &t)
	if err != nil {
		return settled{}, err
	}
	trusted := s.BootID == p.log.bootID || s.Safe.Next == s.Done.Next
	if done == markHolds || done == markUnknown && trusted {
		return settled{next: at(s.Done.Next), safe: true}, nil
	}
	why := "the log has lost records that it had passed"
	if done == markUnknown {
		why = "nobody knows whether the crash of the machine took records that it had passed"
	}
	safe, err := p.judge(s.Safe, &t)
	switch {
	case err != nil:
		return settled{}, err
	case safe != markLost:
		return settled{next: at(s.Safe.Next), safe: true, reason: why}, nil
	case s.Safe.Next > t.Next:
		return settled{next: t.Next, reason: "the log is older than it"}, nil
	}
	return settled{next: t.First, reason: "the log is not the one in which it was set"}, nil
}
