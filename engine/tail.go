package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"purofs/engine/disk"
	"purofs/engine/segment"
)

// A tailState says how the log ends, as far as a walk got.
type tailState uint8

const (
	tailClean   tailState = iota // at the end of a sound block
	tailOpen                     // behind it stands a block that is not finished, or cut off
	tailDamaged                  // behind it stands something else, to the end of the file
	tailSealed                   // behind a tombstone, and the next segment is not there yet
)

// activate makes a segment the active one, with the scanner at pos.
func (l *Log) activate(order uint32, pos int64) error {
	h, err := l.hold(order)
	if err != nil {
		return err
	}
	if l.active != nil {
		l.drop(l.active)
		l.scan.Release()
	}
	l.active, l.damaged, l.newer, l.stalled = h, false, false, -1
	l.scan = segment.NewScanner(h.Segment, pos, segment.NoLimit)
	return nil
}

// refresh brings what is known of the log up to date. It costs one lseek(2) if nothing has
// happened. Log.mu is held.
func (l *Log) refresh() error {
	_, err := l.walk()
	return err
}

// walk hops over all blocks behind the known tail. Log.mu is held.
func (l *Log) walk() (tailState, error) {
	for {
		size, err := l.tailSize()
		if err != nil {
			return 0, err
		}
		if size < l.scan.Pos() {
			return 0, fmt.Errorf("%w: %s was cut off at byte %d, below byte %d which was there before "+
				"(open the log again)", ErrVanished, segment.Name(l.active.Order()), size, l.scan.Pos())
		}
		if size == l.scan.Pos() && !l.scan.Sealed() {
			return tailClean, nil
		}
		if size == l.stalled {
			return tailDamaged, nil
		}
		l.stalled = -1
		state, err := l.walkSegment(size)
		if err != nil || state != tailSealed {
			return state, err
		}
		moved, err := l.nextSegment()
		if err != nil || !moved {
			return tailSealed, err
		}
	}
}

// linkedPeriod is how often the active segment is looked at whether it still has its name; what is
// appended to one that was just removed is gone with it, before or after. That costs several times
// what its size costs, which is asked for by every append.
const linkedPeriod = 10 * time.Millisecond

// tailSize returns the size of the active segment, or ErrVanished. Log.mu is held.
func (l *Log) tailSize() (int64, error) {
	if l.gone != nil {
		return 0, l.gone
	}
	if now := time.Now(); now.Sub(l.linked) >= linkedPeriod {
		named, err := l.active.Named(l.dir)
		if err == nil && !named {
			l.gone = l.vanished()
			err = l.gone
		}
		if err != nil {
			return 0, err
		}
		l.linked = now
	}
	return l.active.Size()
}

// walkSegment hops to the tail of the active segment, of which size was seen.
func (l *Log) walkSegment(size int64) (tailState, error) {
	var damage *segment.DamageError // outside of the loop, for it is allocated
	for {
		block, err := l.scan.Next()
		switch {
		case err == nil:
			l.apply(block)
		case errors.Is(err, io.EOF):
			if l.scan.Sealed() {
				return tailSealed, nil
			}
			return tailClean, nil
		case errors.Is(err, segment.ErrLow), errors.Is(err, segment.ErrTorn):
			return tailOpen, nil
		case errors.As(err, &damage):
			if damage.End < 0 {
				l.stalled = size
				return tailDamaged, nil
			}
			l.met(damage)
		default:
			return 0, err
		}
	}
}

// met takes note of damage in the active segment, at its end or with sound blocks behind it.
func (l *Log) met(d *segment.DamageError) {
	l.damaged, l.newer = true, l.newer || d.Newer
	l.report(d)
}

// nextSegment goes on to the segment behind the active one, and tells whether there is one.
func (l *Log) nextSegment() (bool, error) {
	next := l.active.Order() + 1
	if next == 0 {
		return false, nil // it has the last number there is
	}
	err := l.activate(next, 0)
	if errors.Is(err, fs.ErrNotExist) {
		// Compare: numbers may have been left out by another program.
		if err := l.listSegments(); err != nil {
			return false, err
		}
		newest := l.segments[len(l.segments)-1]
		if newest < next {
			return false, nil
		}
		next = l.after(l.active.Order())
		err = l.activate(next, 0)
	}
	if err != nil {
		return false, err
	}
	if l.segments[len(l.segments)-1] < next {
		l.segments = append(l.segments, next)
	}
	return true, nil
}

// isLeft tells whether the log goes on in a newer segment though the active one has no tombstone.
// Log.mu is held.
func (l *Log) isLeft() (bool, error) {
	at := l.active.Order()
	if begun, err := l.newerBegun(at); err != nil || !begun {
		return false, err
	}
	// Its tombstone, and what stands before that, may have come since.
	err := l.refresh()
	return err == nil && l.active.Order() == at, err
}

// newerBegun tells whether a segment of a higher number holds a block. One that holds none says
// nothing: somebody may have made it ahead of time, while producers that do not know of it go on
// where they are. Log.mu is held.
func (l *Log) newerBegun(order uint32) (bool, error) {
	for _, newer := range slices.Backward(l.segments) {
		if newer <= order {
			break
		}
		if holds, err := holdsBlock(l.dir, newer); err != nil || holds {
			return holds, err
		}
	}
	return false, nil
}

// holdsBlock tells whether a block stands at the beginning of a segment, sound or not.
func holdsBlock(dir *disk.Dir, order uint32) (bool, error) {
	seg, err := segment.Open(dir, order, false)
	if err != nil {
		return false, err
	}
	defer seg.Close()
	scan := segment.NewScanner(seg, 0, segment.NoLimit)
	defer scan.Release()
	_, err = scan.Next()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, segment.ErrLow), errors.Is(err, segment.ErrTorn):
		return false, nil
	case err == nil, errors.Is(err, ErrDamaged):
		return true, nil
	}
	return false, err
}

// after returns the number of the first segment behind order, which there must be: a listed one, or
// the active one, of which somebody may just have taken the name away.
func (l *Log) after(order uint32) uint32 {
	for _, o := range l.segments {
		if o > order {
			return o
		}
	}
	if l.active.Order() > order {
		return l.active.Order()
	}
	panic(fmt.Sprintf("BUG: no segment behind %d", order))
}

// apply takes a block at the tail into account: the table, and who waits.
func (l *Log) apply(b *segment.Block) {
	err := l.table.apply(b, nil)
	l.lastTime = max(l.lastTime, b.Time)
	if err != nil {
		l.report(&segment.DamageError{
			Segment: l.active.Order(), Pos: b.Pos, End: b.End, Reason: err.Error()})
	}
	for _, run := range b.Runs {
		l.fire(l.table.topics[string(run.Topic)], false)
	}
	if len(b.Controls) > 0 {
		l.fireDeleted()
	}
}

// vanished says why the active segment has no name any more.
func (l *Log) vanished() error {
	return fmt.Errorf("%w: %s was removed from %s (bring it back and open the log again)",
		ErrVanished, segment.Name(l.active.Order()), l.path)
}
