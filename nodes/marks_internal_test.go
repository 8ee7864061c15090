package nodes

import (
	"math/rand/v2"
	"testing"
)

// The mark that is found is never behind the place; in the last MiB it is close, elsewhere not
// further away than a part of the file, and the set is bounded however long the file is.
func TestMarkSet(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var s markSet
	s.reset(mark{place: 10, record: 5}, openMarksMax)
	if _, ok := s.before(9); ok {
		t.Error("there is a mark before the first")
	}
	all := map[mark]bool{s.first: true}
	end := s.first
	for range 200_000 {
		end.place += random.Uint64N(20_000)
		end.record++
		all[end] = true
		s.add(end)
	}
	for range 10_000 {
		place := 10 + random.Uint64N(end.place-9)
		if random.IntN(2) == 0 {
			place = end.place - random.Uint64N(1<<20-100_000)
		}
		m, ok := s.before(place)
		if !ok || m.place > place || !all[m] {
			t.Fatalf("for %d of %d: %v, %v", place, end.place, m, ok)
		}
		far := uint64(100_000)
		if place+(1<<20) < end.place {
			far = end.place / 10
		}
		if place-m.place > far {
			t.Errorf("for %d of %d the mark is %d bytes before", place, end.place, place-m.place)
		}
	}
	if cap(s.far) > 2*openMarksMax {
		t.Errorf("%d marks are kept", cap(s.far))
	}
}
