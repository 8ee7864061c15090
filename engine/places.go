package engine

import (
	"fmt"
	"io"
	"sort"
	"sync"

	"purofs/engine/index"
)

// places are the topic indexes of the log's segments: those that were used last.
//
// They are built by walking over the log, when a reader asks and, as the log grows, by the keeper:
// an append pays nothing for them. What is complete of them is kept in files, which other processes
// and later ones use.
type places struct {
	span int64 // of a chunk: index.SpanBytes, but in tests

	mu       sync.Mutex // of what follows; taken last
	segments map[uint32]*segmentIndex
	chunks   map[place]*index.Chunk // by segment and beginning
	bytes    int64                  // of chunks

	followed *segmentIndex // of the segment that follow saw last; of the keeper
}

// chunkCacheBytes bounds the chunks that are held in memory.
const chunkCacheBytes = 8 << 20

// of returns the index of a segment.
func (p *places) of(l *Log, order uint32) *segmentIndex {
	p.mu.Lock()
	defer p.mu.Unlock()
	if x := p.segments[order]; x != nil {
		return x
	}
	if p.segments == nil {
		p.segments = make(map[uint32]*segmentIndex)
	}
	evict(p.segments)
	x := &segmentIndex{log: l, order: order}
	p.segments[order] = x
	return x
}

func (p *places) cached(key place) *index.Chunk {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.chunks[key]
}

// cache keeps a chunk, and drops others while there are too many; which ones does not matter much.
func (p *places) cache(c *index.Chunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := place{c.Order, c.From}
	p.uncache(key)
	if p.chunks == nil {
		p.chunks = make(map[place]*index.Chunk)
	}
	for other := range p.chunks {
		if p.bytes+c.Size() <= chunkCacheBytes {
			break
		}
		p.uncache(other)
	}
	p.chunks[key] = c
	p.bytes += c.Size()
}

// uncache drops a chunk. places.mu is held.
func (p *places) uncache(key place) {
	if c := p.chunks[key]; c != nil {
		p.bytes -= c.Size()
		delete(p.chunks, key)
	}
}

// A segmentIndex is the topic index of one segment: a row of chunks, of which the last may be still
// open.
type segmentIndex struct {
	log   *Log
	order uint32

	mu     sync.Mutex
	sealed []sealedChunk
	open   *openChunk // behind them, once this process builds
	stuck  bool       // the walk met what it cannot pass, in a complete segment
	noFile bool       // the file is of no use to this process
}

// A sealedChunk is what is always in memory of a chunk.
type sealedChunk struct {
	index.Header
	at    int64 // place in the file
	saved bool  // it is there; otherwise it can be found in the cache only
}

// complete tells whether the index covers its whole segment.
func (x *segmentIndex) complete() bool {
	n := len(x.sealed)
	return n > 0 && x.sealed[n-1].Last
}

// covered is up to where the index goes.
func (x *segmentIndex) covered() int64 {
	if x.open != nil {
		return x.open.pos
	}
	return x.sealedTo()
}

// sealedTo is the end of the last sealed chunk.
func (x *segmentIndex) sealedTo() int64 {
	if n := len(x.sealed); n > 0 {
		return x.sealed[n-1].To
	}
	return 0
}

// chunks is how many there are, with the open one.
func (x *segmentIndex) chunks() int {
	if x.open != nil && x.open.pos > x.open.from {
		return len(x.sealed) + 1
	}
	return len(x.sealed)
}

// chunkAt returns the number of the chunk that covers a place, or false if the index does not go
// that far.
func (x *segmentIndex) chunkAt(pos int64) (int, bool) {
	if pos >= x.covered() {
		return 0, false
	}
	return sort.Search(len(x.sealed), func(i int) bool { return x.sealed[i].To > pos }), true
}

// find returns the extents of a topic in a chunk. The error matches index.ErrUnsound, and then the
// index was dropped.
func (x *segmentIndex) find(i int, topic string) (index.List, bool, error) {
	if i == len(x.sealed) {
		list, found := x.open.builder.List(topic)
		return list, found, nil
	}
	c, err := x.chunk(i)
	if err != nil {
		return index.List{}, false, err
	}
	list, found, err := c.Find(topic)
	if err != nil {
		x.distrust()
	}
	return list, found, err
}

// chunk returns a sealed chunk, from its file if need be.
func (x *segmentIndex) chunk(i int) (*index.Chunk, error) {
	s := &x.sealed[i]
	c := x.log.places.cached(place{x.order, s.From})
	if c != nil && c.Header == s.Header {
		return c, nil
	}
	c, err := x.load(s)
	if err != nil {
		x.distrust()
		return nil, fmt.Errorf("%w: %w", index.ErrUnsound, err)
	}
	x.log.places.cache(c)
	return c, nil
}

// distrust drops the index: it is built again when somebody asks for it.
func (x *segmentIndex) distrust() {
	x.sealed, x.open, x.stuck = nil, nil, false
	x.removeFile()
}

// distrust drops the index of a segment that turned out to be wrong.
func (l *Log) distrust(order uint32) {
	l.opts.Logger.Warn().Uint32("segment", order).
		Msg("the topic index of the segment does not fit to it; building it again when it is needed")
	x := l.places.of(l, order)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.distrust()
}

// A stretch is what the index says of a topic from some place of a segment on.
type stretch struct {
	list     index.List
	found    bool         // the topic has blocks in it
	extent   index.Extent // the one that was taken off the list last
	to       int64        // the end of the chunk
	walk     bool         // somebody has to walk over it
	time     int64        // of the last block with a header before the chunk
	lastTime int64        // and of the last one in it
}

// next returns the first extent that ends behind pos; places do not decrease. The error is io.EOF
// if there is none.
func (s *stretch) next(pos int64) (index.Extent, error) {
	if !s.found {
		return index.Extent{}, io.EOF
	}
	for s.extent.End <= pos {
		var err error
		if s.extent, err = s.list.Next(); err != nil {
			s.found = false
			return index.Extent{}, err
		}
	}
	return s.extent, nil
}

// stretchAt returns what the index of a segment says of a topic from pos on, and whether it says
// anything. It is built on up to there, if need be. Errors are not told: a reader that hops over
// the log instead meets the same ones.
func (l *Log) stretchAt(order uint32, topic string, pos int64) (stretch, bool) {
	x := l.places.of(l, order)
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		if i, covered := x.chunkAt(pos); covered {
			return x.stretch(i, topic)
		}
		if grown, err := x.extend(); err != nil || !grown {
			return stretch{}, false
		}
	}
}

func (x *segmentIndex) stretch(i int, topic string) (stretch, bool) {
	list, found, err := x.find(i, topic)
	if err != nil {
		return stretch{}, false
	}
	c := x.header(i)
	return stretch{
		list: list, found: found, to: c.To, walk: c.Walk || c.Bare, time: c.Time, lastTime: c.LastTime,
	}, true
}

// passes tells whether a reader whose topic is at the point p need not look into a segment: it is
// complete, sound as far as its index knows, and the header of the one behind it has the topic at
// the same point.
func (l *Log) passes(order uint32, topic string, p point) bool {
	x := l.places.of(l, order)
	if !x.sound() {
		return false
	}
	l.mu.Lock()
	last := l.closed || order >= l.active.Order()
	next := order
	if !last {
		next = l.after(order)
	}
	l.mu.Unlock()
	if last {
		return false
	}
	b, err := l.baseOf(next)
	return err == nil && b.topics[topic] == p
}

// sound tells whether the index is complete and knows of nothing that has to be walked over.
func (x *segmentIndex) sound() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.sealed) == 0 && x.open == nil {
		if _, err := x.adopt(); err != nil {
			return false
		}
	}
	for i := range x.sealed {
		if x.sealed[i].Walk {
			return false
		}
	}
	return x.complete()
}

// follow builds the index of the active segment on by a chunk, and that of the one before to its
// end first. It tells whether there is more to do. It is the keeper's.
func (l *Log) follow() bool {
	l.mu.Lock()
	active := l.active.Order()
	l.mu.Unlock()
	p := &l.places
	if p.followed != nil && p.followed.order != active && p.followed.grow() {
		return true
	}
	p.followed = p.of(l, active)
	return p.followed.grow()
}

// grow builds the index on by a chunk, if it can, and tells whether it did.
func (x *segmentIndex) grow() bool {
	x.mu.Lock()
	grown, err := x.extend()
	x.mu.Unlock()
	if err != nil {
		// Whoever reads there meets it too, and is told.
		x.log.opts.Logger.Info().Err(err).Uint32("segment", x.order).
			Msg("building the topic index")
		return false
	}
	return grown
}
