package nodes

import "testing"

// Each of several greedy users gets the same, and there is as much left for the next one.
func TestSharesAreFair(t *testing.T) {
	const limit = 1200
	for users := uint32(1); users <= 5; users++ {
		s := shares{limit: limit}
		for more := true; more; {
			more = false
			for user := range users {
				more = s.take(user, 1) || more
			}
		}
		want := int64(limit / (users + 1))
		for user := range users {
			if got := s.by[user]; got != want {
				t.Errorf("user %d of %d got %d, want %d", user, users, got, want)
			}
		}
		if s.take(0, 1) || !s.take(users, want/2) {
			t.Errorf("%d users left no room for the next one", users)
		}
	}
}

// What is given back can be taken again, by anybody, and nothing is remembered of who left.
func TestSharesGivenBack(t *testing.T) {
	s := shares{limit: 100}
	if !s.take(1, 50) || s.take(1, 1) || s.take(2, 26) || !s.take(2, 25) {
		t.Fatal("the shares are not half, and half of the rest")
	}
	s.give(1, 50)
	s.give(2, 25)
	if s.total() != 0 || len(s.by) != 0 {
		t.Errorf("%d is taken, by %v, want nothing", s.total(), s.by)
	}
	if !s.take(2, 50) {
		t.Error("what was given back cannot be taken")
	}
}
