package engine

import (
	"time"

	"purofs/engine/segment"
)

// troublesKept is how many troubles are remembered.
const troublesKept = 128

// troubles are the newest damaged places and I/O errors. It is guarded by Log.mu.
type troubles struct {
	total    uint64
	newest   []Trouble
	reported map[place]bool // damaged places that were told of
}

// Troubles returns the newest damaged places and I/O errors that the log met, oldest first, at most
// 128 of them.
func (l *Log) Troubles() []Trouble {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Trouble(nil), l.troubles.newest...)
}

// report remembers damage, once for each place. Log.mu is held.
func (l *Log) report(d *segment.DamageError) {
	at := place{d.Segment, d.Pos}
	t := &l.troubles
	if t.reported[at] {
		return
	}
	if t.reported == nil || len(t.reported) > 100*troublesKept {
		t.reported = make(map[place]bool) // the bound on memory matters more than a second report
	}
	t.reported[at] = true
	t.add(Trouble{Time: time.Now(), Segment: d.Segment, Pos: d.Pos, Text: d.Error()})
	l.opts.Logger.Error().Uint32("segment", d.Segment).Int64("pos", d.Pos).Int64("end", d.End).
		Str("reason", d.Reason).Msg("the log is damaged; what is sound is read on behind it")
}

// trouble remembers an error that is not about a place, unless it is the newest one already. Log.mu
// is held.
func (l *Log) trouble(err error) {
	if l.remember(err) {
		l.opts.Logger.Error().Err(err).Msg("the log met an error")
	}
}

// note remembers what is no error of a call, but what an operator should know.
func (l *Log) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.remember(err) {
		l.opts.Logger.Warn().Msg(err.Error())
	}
}

// remember adds an error to the troubles unless it is the newest one already. Log.mu is held.
func (l *Log) remember(err error) bool {
	t := &l.troubles
	if n := len(t.newest); n > 0 && t.newest[n-1].Text == err.Error() {
		return false
	}
	order := uint32(0)
	if l.active != nil {
		order = l.active.Order()
	}
	t.add(Trouble{Time: time.Now(), Segment: order, Pos: -1, Text: err.Error()})
	return true
}

func (t *troubles) add(x Trouble) {
	t.total++
	if len(t.newest) == troublesKept {
		t.newest = append(t.newest[:0], t.newest[1:]...)
	}
	t.newest = append(t.newest, x)
}
