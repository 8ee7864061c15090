package nodes

import "sort"

// A mark is a place in a file at which a record begins.
type mark struct {
	place  uint64 // in the file
	record uint64 // offset in the topic
}

const (
	nearMarksMax  = 16 // with nearMarkBytes between them, the last MiB of a file has one each
	nearMarkBytes = 64 << 10

	openMarksMax  = 32  // far ones of an open file
	topicMarksMax = 512 // and of all files of a topic in a format together
)

// A markSet tells where in a file records are, of which it keeps a bounded number: close to each
// other where the file was read last, and evenly over all that was read before, further apart the
// more that is. To find another place, the records from the mark before it on are counted.
type markSet struct {
	first    mark
	near     [nearMarksMax]mark
	nears    int // added so far; the newest is at (nears-1) % nearMarksMax
	far      []mark
	farMax   int
	farBytes uint64 // at least so many are between two of far
}

// reset forgets all marks; the file begins, or goes on, at first. At most farMax are far ones.
func (s *markSet) reset(first mark, farMax int) {
	*s = markSet{first: first, farMax: farMax, farBytes: nearMarkBytes}
}

// add takes note of a mark behind all others, if it is far enough from them.
func (s *markSet) add(m mark) {
	if m.place-s.last().place < nearMarkBytes {
		return
	}
	s.near[s.nears%nearMarksMax] = m
	s.nears++
	last := s.first
	if len(s.far) > 0 {
		last = s.far[len(s.far)-1]
	}
	if m.place-last.place < s.farBytes {
		return
	}
	if len(s.far) == s.farMax {
		for i := range s.farMax / 2 {
			s.far[i] = s.far[2*i+1]
		}
		s.far = s.far[:s.farMax/2]
		s.farBytes *= 2
	}
	s.far = append(s.far, m)
}

// last is the newest mark.
func (s *markSet) last() mark {
	if s.nears == 0 {
		return s.first
	}
	return s.near[(s.nears-1)%nearMarksMax]
}

// before returns the newest mark that is not behind place. There is none if place is before the
// first.
func (s *markSet) before(place uint64) (mark, bool) {
	for i := s.nears - 1; i >= 0 && i >= s.nears-nearMarksMax; i-- {
		if m := s.near[i%nearMarksMax]; m.place <= place {
			return m, true
		}
	}
	behind := sort.Search(len(s.far), func(i int) bool { return s.far[i].place > place })
	if behind > 0 {
		return s.far[behind-1], true
	}
	return s.first, s.first.place <= place
}
