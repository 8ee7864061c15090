package engine

import (
	"errors"
	"io"

	"purofs/engine/index"
	"purofs/engine/segment"
)

// An openChunk is the chunk of a segment's index that is being built, and the state of all topics
// at its end.
type openChunk struct {
	builder *index.Builder
	topics  map[string]*point
	from    int64 // of the chunk
	pos     int64 // up to where the walk got
	walk    bool  // this and bare: see index.Header
	bare    bool
	// time is that of the last block with a header before the chunk, lastTime that at pos.
	time, lastTime int64
}

// next begins the chunk behind this one.
func (o *openChunk) next() *openChunk {
	return &openChunk{
		builder: index.NewBuilder(o.pos), topics: o.topics,
		from: o.pos, pos: o.pos, time: o.lastTime, lastTime: o.lastTime,
	}
}

// add adds a block.
func (o *openChunk) add(b *segment.Block) {
	if !b.Header && b.Time != o.time {
		o.bare = true
	}
	for i := range b.Runs {
		run := &b.Runs[i]
		p := o.topics[string(run.Topic)]
		if p == nil {
			p = new(point)
			o.topics[string(run.Topic)] = p
		}
		if b.Header && run.Offset != p.next {
			o.walk = true // something is missing, which who walks there may be told of
			p.next = max(p.next, run.Offset)
		}
		at := index.Point{Offset: p.next, Text: p.text}
		p.next += run.Next() - run.Offset
		p.text += run.ValueBytes + run.Records
		o.builder.Add(run.Topic, b.Pos, b.End, at, index.Point{Offset: p.next, Text: p.text})
	}
}

// borrow returns a segment's file, up to where it can be walked over, and whether it is complete.
// The caller gives the file back.
func (l *Log) borrow(order uint32) (h *handle, limit int64, complete bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, 0, false, ErrClosed
	}
	if h, err = l.hold(order); err != nil {
		return nil, 0, false, err
	}
	if order == l.active.Order() {
		return h, l.scan.Pos(), false, nil
	}
	return h, segment.NoLimit, true, nil
}

// extend builds the index on, to the end of one more chunk or of what is known of the log, and
// tells whether that got it any further. segmentIndex.mu is held, as for all below.
func (x *segmentIndex) extend() (bool, error) {
	if x.complete() || x.stuck {
		return false, nil
	}
	h, limit, complete, err := x.log.borrow(x.order)
	if err != nil {
		return false, err
	}
	defer x.log.giveBack(h)
	if limit == x.covered() {
		return false, nil
	}
	if x.open == nil || limit-x.open.pos > x.log.places.span {
		if x.list(h) {
			x.open = nil
			return true, nil
		}
	}
	if x.open == nil {
		if err := x.resume(); err != nil {
			return false, err
		}
	}
	return x.build(h, limit, complete)
}

// adopt takes over what the file has, and tells whether that is anything.
func (x *segmentIndex) adopt() (bool, error) {
	h, _, _, err := x.log.borrow(x.order)
	if err != nil {
		return false, err
	}
	defer x.log.giveBack(h)
	return x.list(h), nil
}

// resume prepares to build on behind what is sealed.
func (x *segmentIndex) resume() error {
	b, err := x.log.baseOf(x.order)
	if err != nil {
		return err
	}
	o := &openChunk{topics: make(map[string]*point, len(b.topics))}
	for name, p := range b.topics {
		o.topics[name] = &point{p.next, p.text}
	}
	for i := range x.sealed {
		c, err := x.chunk(i)
		if err != nil {
			return err
		}
		err = c.Each(func(topic []byte, _, after index.Point) {
			o.topics[string(topic)] = &point{after.Offset, after.Text}
		})
		if err != nil {
			x.distrust()
			return err
		}
	}
	o.pos = x.sealedTo()
	if n := len(x.sealed); n > 0 {
		o.lastTime = x.sealed[n-1].LastTime
	}
	x.open = o.next()
	return nil
}

// build walks on to the end of the chunk, or to limit.
func (x *segmentIndex) build(h *handle, limit int64, complete bool) (bool, error) {
	o := x.open
	before := o.pos
	scan := segment.NewScanner(h.Segment, o.pos, limit)
	scan.JumpTo(o.pos, o.lastTime, 0)
	defer scan.Release()
	var damage *segment.DamageError // outside of the loop, for it is allocated
	for o.pos-o.from < x.log.places.span {
		block, err := scan.Next()
		switch {
		case err == nil:
			o.add(block)
		case errors.As(err, &damage) && damage.End >= 0:
			o.walk = true
		case errors.Is(err, io.EOF):
			o.pos = scan.Pos() // behind the magic, if nothing else is there
			if complete {
				return true, x.seal(h, true)
			}
			return o.pos > before, nil
		case errors.As(err, &damage), errors.Is(err, segment.ErrLow), errors.Is(err, segment.ErrTorn):
			x.stuck = complete
			return o.pos > before, nil
		default:
			return false, err
		}
		o.pos, o.lastTime = scan.Pos(), scan.Time()
	}
	return true, x.seal(h, false)
}

// seal makes a chunk of the open one.
func (x *segmentIndex) seal(h *handle, last bool) error {
	o := x.open
	header := index.Header{
		Order: x.order, Walk: o.walk, Bare: o.bare, Last: last, From: o.from, To: o.pos,
		Time: o.time, LastTime: o.lastTime,
	}
	var err error
	if header.Head, header.Tail, err = proofs(h, o.from, o.pos); err != nil {
		return err
	}
	c := o.builder.Seal(header)
	x.log.places.cache(c)
	x.sealed = append(x.sealed, sealedChunk{Header: c.Header, at: x.fileEnd()})
	if x.open = nil; !last {
		x.open = o.next()
	}
	x.save()
	return nil
}

// proofs returns the checks of the ends of a span of a segment.
func proofs(seg io.ReaderAt, from, to int64) (head, tail uint32, err error) {
	n := min(to-from, index.ProofBytes)
	var b [index.ProofBytes]byte
	if _, err := seg.ReadAt(b[:n], from); err != nil {
		return 0, 0, err
	}
	head = index.Proof(b[:n])
	if _, err := seg.ReadAt(b[:n], to-n); err != nil {
		return 0, 0, err
	}
	return head, index.Proof(b[:n]), nil
}

// totals returns the state of all topics at the end of the segment, which is complete.
func (x *segmentIndex) totals() (*base, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for grown := true; grown; {
		var err error
		if grown, err = x.extend(); err != nil {
			return nil, err
		}
	}
	if x.open == nil {
		if err := x.resume(); err != nil {
			return nil, err
		}
	}
	b := &base{time: x.open.lastTime, topics: make(map[string]point, len(x.open.topics))}
	for name, p := range x.open.topics {
		b.topics[name] = *p
	}
	if x.complete() {
		x.open = nil
	}
	return b, nil
}
