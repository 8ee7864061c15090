package engine

import (
	"errors"

	"purofs/engine/format"
	"purofs/engine/index"
	"purofs/engine/segment"
)

const (
	// hopBytes is how much of other topics a reader hops over before it asks the index. Until then the
	// hops cost about what the question does.
	hopBytes = 64 << 10
	// ownFactor is how many bytes of others a block of the topic makes up for, for each of its own: a
	// topic with more than a sixth of the log is read without the index, which may have to be built.
	ownFactor = 5
	// nearBytes is up to how far off an extent is hopped to.
	nearBytes = 4 << 10
)

// A route is how a reader makes use of the index. What that says is not believed but tried: where a
// leap ends must stand a block with records of the topic, and the offset of the record that the
// reader comes upon next, or of the one to come at the end of the log, must be the one that it
// looked for before its first leap. If not, it turns back to where that began and hops.
type route struct {
	ask     int64 // place in the segment from which on the index is asked
	stretch stretch
	known   bool // stretch is of the segment at hand
	sparse  bool // the topic is rare enough that the index has been asked before

	landing bool  // a block of the topic must come next
	leapt   bool  // since the last record
	from    place // where the first of these leaps began
	point   point // of the topic there
	hopTo   place // up to here there are no leaps
	told    place // up to here damage was told of
}

// setOut prepares for reading in the segment r.at.order from r.at.pos on.
func (r *Reader) setOut() {
	p := &r.route
	p.known = false
	switch {
	case r.at.order < p.hopTo.order:
		p.ask = segment.NoLimit
	case r.at.before(p.hopTo):
		p.ask = p.hopTo.pos
	case p.sparse && r.at.pos == 0:
		p.ask = 0
	default:
		p.ask = r.at.pos + hopBytes
	}
}

// leap moves the scanner to where the index has the topic's next block, or the end of what it knows
// of.
func (r *Reader) leap() {
	p := &r.route
	begin := r.scan.Pos()
	pos, time, ahead := begin, r.scan.Time(), 0
	if begin == 0 && r.log.passes(r.at.order, r.topic, r.point) {
		pos, p.ask = r.scan.Limit(), segment.NoLimit
	}
	for p.ask <= pos {
		if !p.known || pos >= p.stretch.to {
			if p.stretch, p.known = r.log.stretchAt(r.at.order, r.topic, pos); !p.known {
				p.ask = pos + hopBytes
				break
			}
			p.sparse = true
		}
		s := &p.stretch
		e, err := s.next(pos)
		switch {
		case errors.Is(err, index.ErrUnsound):
			r.log.distrust(r.at.order)
			p.known, p.ask = false, pos+hopBytes
		case s.walk, err == nil && e.Pos >= pos && e.At.Offset != r.point.next,
			err != nil && s.list.After.Offset > r.point.next:
			p.ask = s.to
		case err != nil:
			pos, time = s.to, s.lastTime
			p.ask = pos
		case e.Pos-begin <= nearBytes:
			p.ask = e.End
		default:
			pos, time, ahead = e.Pos, s.time, int(e.End-e.Pos)
			p.ask, p.landing = e.End, true
		}
	}
	if pos > begin {
		r.moveTo(pos, time, ahead)
	}
}

// moveTo moves the scanner to a place before which nothing of the topic should be.
func (r *Reader) moveTo(pos, time int64, ahead int) {
	p := &r.route
	if !p.leapt {
		p.leapt, p.from, p.point = true, r.at, r.point
	}
	if limit := r.scan.Limit(); pos >= limit {
		pos, p.ask, p.landing = limit, limit, false // there is more since the limit was set
	}
	r.scan.JumpTo(pos, time, ahead)
	r.at.pos = pos
}

// landed tells whether a leap ended where the topic has a block.
func (r *Reader) landed(block *segment.Block, err error) bool {
	r.route.landing = false
	if err != nil {
		return false
	}
	for i := range block.Runs {
		if string(block.Runs[i].Topic) == r.topic {
			return true
		}
	}
	return false
}

// turnBack goes back to where the leaps began, to hop up to hopTo. Log.mu is held.
func (r *Reader) turnBack(hopTo place) {
	r.release()
	r.at, r.point = r.route.from, r.route.point
	r.route = route{hopTo: hopTo, told: r.route.told, sparse: r.route.sparse}
}

// pastDamage tells whether the reader has told of the damage already, before it turned back.
func (p *route) pastDamage(d *segment.DamageError) bool {
	behind := place{d.Segment, d.Pos + 1}
	if !p.told.before(behind) {
		return true
	}
	p.told = behind
	return false
}

// missed tells whether offsets are missing behind the leaps: records were leapt over, or lost.
func (r *Reader) missed(next uint64) bool { return r.route.leapt && next != r.point.next }

// found takes note that a block of the topic was come upon, at pos.
func (r *Reader) found(pos int64, end int64) {
	p := &r.route
	p.leapt = false
	if !p.known && p.ask != segment.NoLimit {
		p.ask = max(p.ask, min(p.ask+(1+ownFactor)*(end-pos), end+hopBytes))
	}
	if (place{r.at.order, pos}).before(p.hopTo) {
		r.log.distrust(r.at.order) // the index did not know of it
	}
}

// missedAtTail tells the same of the end of the log. Log.mu is held.
func (r *Reader) missedAtTail() bool {
	t := r.log.table.topics[r.topic]
	if t == nil {
		return false
	}
	missed := r.missed(t.Next)
	r.route.leapt = false
	return missed
}

// headerOf returns what a segment header among the controls says of the topic, if one does.
func headerOf(controls []segment.Control, topic string) (point, bool) {
	for _, c := range controls {
		if c.Kind != format.TopicSegmentHeader {
			continue
		}
		h, err := format.ParseSegmentHeader(c.Value)
		if err != nil {
			continue // reported by the log's own walk
		}
		for i := range h.Topics {
			if h.Topics[i].Name == topic {
				return point{h.Topics[i].Next, h.Topics[i].Text}, true
			}
		}
	}
	return point{}, false
}
