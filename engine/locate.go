package engine

import (
	"errors"
	"io"
	"sort"

	"purofs/engine/index"
	"purofs/engine/segment"
)

// locate moves s, which is at the beginning of a segment, forward to the last place that the index
// has of the topic before what is wanted. What it finds there is compared with the log: an index
// that does not fit is built again, once, and after that s stays where it is.
func (l *Log) locate(topic string, s *start) error {
	x := l.places.of(l, s.order)
	x.mu.Lock()
	defer x.mu.Unlock()
	for range 2 {
		fits, err := x.locate(topic, s)
		if fits || err != nil {
			return err
		}
		x.distrust()
	}
	return nil
}

// locate tells whether the index fits to the log; then it has set s.
func (x *segmentIndex) locate(topic string, s *start) (bool, error) {
	search := (*segmentIndex).byPoint
	if s.since != 0 {
		search = (*segmentIndex).byTime
	}
	i, err := search(x, topic, s)
	switch {
	case errors.Is(err, index.ErrUnsound):
		return false, nil
	case err != nil || i < 0:
		return true, err
	}
	h, limit, _, err := x.log.borrow(x.order)
	if err != nil {
		return false, err
	}
	defer x.log.giveBack(h)
	list, _, err := x.find(i, topic)
	if err != nil {
		return false, nil
	}
	scan := segment.NewScanner(h.Segment, 0, limit)
	defer scan.Release()
	e, err := x.extentOf(scan, i, list, s)
	if err != nil {
		return false, nil
	}
	if _, fits := x.look(scan, i, e, topic); !fits {
		return false, nil
	}
	c := x.header(i)
	s.pos, s.point, s.time = e.Pos, point{e.At.Offset, e.At.Text}, c.Time
	if c.Bare {
		s.pos, s.point = c.From, point{list.First.Offset, list.First.Text}
	}
	return true, nil
}

// behind tells whether a point of the topic is at or before what s looks for, by offset or text.
func (s *start) behind(p index.Point) bool {
	if s.floorText > 0 {
		return p.Text <= s.floorText
	}
	return p.Offset <= s.floor
}

// byPoint returns the number of the last chunk in which the topic begins at or before what is
// wanted, -1 if there is none.
func (x *segmentIndex) byPoint(topic string, s *start) (int, error) {
	best, low := -1, 0
	for {
		for high := x.chunks(); low < high; {
			middle := (low + high) / 2
			i, list, err := x.firstWith(topic, middle, high)
			switch {
			case err != nil:
				return -1, err
			case i < high && s.behind(list.First):
				best, low = i, i+1
				if !s.behind(list.After) {
					return best, nil
				}
			default:
				high = middle
			}
		}
		// The open chunk is looked at again when it has grown.
		low = len(x.sealed)
		grown, err := x.extend()
		if err != nil || !grown {
			return best, err
		}
	}
}

// firstWith returns the first chunk from one on that has the topic, or high if none before high
// does.
func (x *segmentIndex) firstWith(topic string, from, high int) (int, index.List, error) {
	for i := from; i < high; i++ {
		list, found, err := x.find(i, topic)
		if found || err != nil {
			return i, list, err
		}
	}
	return high, index.List{}, nil
}

// byTime returns the number of the chunk that has the first block of the topic that is not before
// the time that is wanted, or of the last one that has the topic; -1 if there is none.
func (x *segmentIndex) byTime(topic string, s *start) (int, error) {
	late := func(i int) bool { return x.header(i).LastTime >= s.since }
	from := 0
	for {
		n := x.chunks()
		from += sort.Search(n-from, func(i int) bool { return late(from + i) })
		i, _, err := x.firstWith(topic, from, n)
		if err != nil || i < n {
			return i, err
		}
		from = min(from, len(x.sealed)) // the open chunk is looked at again when it has grown
		grown, err := x.extend()
		if err != nil {
			return -1, err
		}
		if !grown {
			break
		}
	}
	for i := x.chunks() - 1; i >= 0; i-- {
		if _, found, err := x.find(i, topic); found || err != nil {
			return i, err
		}
	}
	return -1, nil
}

// header is that of a chunk, as far as it can be told of the open one.
func (x *segmentIndex) header(i int) index.Header {
	if i < len(x.sealed) {
		return x.sealed[i].Header
	}
	o := x.open
	return index.Header{
		From: o.from, To: o.pos, Time: o.time, LastTime: o.lastTime, Walk: o.walk, Bare: o.bare}
}

// extentOf returns the last extent of the list that begins at or before what is wanted, or the
// first one. A list does not know times: the log is asked.
func (x *segmentIndex) extentOf(
	scan *segment.Scanner, i int, list index.List, s *start,
) (index.Extent, error) {
	var extents []index.Extent
	for {
		e, err := list.Next()
		if err != nil {
			if len(extents) > 0 && errors.Is(err, io.EOF) {
				break
			}
			return e, err
		}
		extents = append(extents, e)
	}
	behind := sort.Search(len(extents), func(k int) bool {
		if s.since == 0 {
			return !s.behind(extents[k].At)
		}
		time, _ := x.look(scan, i, extents[k], "")
		return time >= s.since
	})
	return extents[max(0, behind-1)], nil
}

// look returns the time of the block at the beginning of an extent, and whether it has records of
// the topic with the right offset.
func (x *segmentIndex) look(
	scan *segment.Scanner, i int, e index.Extent, topic string,
) (time int64, fits bool) {
	scan.JumpTo(e.Pos, x.header(i).Time, 0)
	block, err := scan.Next()
	if err != nil {
		return 0, false
	}
	for j := range block.Runs {
		run := &block.Runs[j]
		if string(run.Topic) == topic && (!block.Header || run.Offset == e.At.Offset) {
			return block.Time, true
		}
	}
	return block.Time, false
}
