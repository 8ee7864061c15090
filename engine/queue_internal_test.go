package engine

import "testing"

// Batches that are too large for one block together get several, in their order; each is taken
// once, and one that must not wait for a lock is never taken by the leader of others.
func TestQueueTake(t *testing.T) {
	const batches = 12
	var q queue
	large := make([]byte, 9<<20)
	var all []*Batch
	for i := range batches {
		b := &Batch{NoWait: i == 5}
		b.Add("t", nil, large)
		all = append(all, b)
		q.push(b)
	}
	var taken []*Batch
	for rounds := 0; len(q.pending) > 1; rounds++ {
		group := q.take(nil, all[0])
		bytes := 0
		for _, b := range group {
			bytes += b.size()
		}
		if bytes > batchBytesMax || len(group) == 0 || rounds > batches {
			t.Fatalf("got %d batches of %d bytes, want at most %d bytes", len(group), bytes, batchBytesMax)
		}
		taken = append(taken, group...)
	}
	taken = append(taken, q.take(nil, all[5])...)
	if len(taken) != batches || taken[batches-1] != all[5] || len(q.pending) != 0 {
		t.Fatalf("got %d batches, %d are left, want %d and 0", len(taken), len(q.pending), batches)
	}
	rest := append(all[:5:5], all[6:]...)
	for i, b := range rest {
		if taken[i] != b {
			t.Errorf("batch %d is not where it was in the queue", i)
		}
	}
}
