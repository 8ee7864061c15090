package nodes

import "sync"

// A shares is a room that all users of a mount take from, and that none of them can fill: nobody
// may hold more than is still free. One user alone gets half of it, two get a third each, and for
// the next one there is always as much left as each of the others has. It is safe for concurrent
// use.
type shares struct {
	limit int64

	mu    sync.Mutex
	taken int64
	by    map[uint32]int64 // of each user who holds something
}

// take takes n for a user, and tells whether there was room.
func (s *shares) take(user uint32, n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := s.limit - s.taken - n
	if s.by[user]+n > free {
		return false
	}
	s.add(user, n)
	return true
}

// give gives n back.
func (s *shares) give(user uint32, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(user, -n)
}

// add counts n, which may be negative. mu is held.
func (s *shares) add(user uint32, n int64) {
	if s.by == nil {
		s.by = make(map[uint32]int64)
	}
	s.taken += n
	s.by[user] += n
	if s.by[user] == 0 {
		delete(s.by, user)
	}
}

// A share is what one open file has taken of a room.
type share struct {
	of   *shares
	user uint32 // who opened the file
	n    int64
}

// resize takes what is missing to n, or gives back what is more, and tells whether there was room.
// If there was not, nothing changes.
func (s *share) resize(n int64) bool {
	switch more := n - s.n; {
	case more > 0 && !s.of.take(s.user, more):
		return false
	case more < 0:
		s.of.give(s.user, -more)
	}
	s.n = n
	return true
}

// total is how much all hold together.
func (s *shares) total() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}
