package nodes

import (
	"container/list"
	"sync"
)

// HeldBytesMax is how many bytes of the log all open files of a tree hold together, so that who
// reads on needs no search. For more, the files that were read longest ago give theirs back.
const HeldBytesMax = 256 << 20

// A holder is an open file that holds a part of the log from one read to the next.
type holder interface {
	// giveBack gives back what is held and has that counted, unless the file is in use, and tells
	// whether it did.
	giveBack() bool
}

// A held is what one open file holds. It is a part of that file.
type held struct {
	by      holder
	bytes   int           // guarded by heldTable.mu, as element
	element *list.Element // of heldTable.files; nil if nothing is held
}

// A heldTable bounds what all open files hold. It is safe for concurrent use.
type heldTable struct {
	limit int

	mu    sync.Mutex // guards what follows
	bytes int
	files list.List // of *held, the file that was read last at the end
}

// note takes note of how much a file holds that was just read, and has others give back what is too
// much. It is called with the lock of the file, so it must not wait for that of another one.
func (ht *heldTable) note(h *held, bytes int) {
	ht.count(h, bytes)
	for other := ht.excess(h); other != nil; other = ht.excess(h) {
		if !other.by.giveBack() {
			return // it is being read, and then will not be the oldest any more
		}
	}
}

// count counts what a file holds, which was read last. It is called with the lock of the file.
func (ht *heldTable) count(h *held, bytes int) {
	ht.mu.Lock()
	defer ht.mu.Unlock()
	ht.bytes += bytes - h.bytes
	h.bytes = bytes
	switch {
	case bytes == 0 && h.element != nil:
		ht.files.Remove(h.element)
		h.element = nil
	case bytes > 0 && h.element == nil:
		h.element = ht.files.PushBack(h)
	case bytes > 0:
		ht.files.MoveToBack(h.element)
	}
}

// excess returns the file that was read longest ago if all together hold too much, and it is not
// the one named.
func (ht *heldTable) excess(but *held) *held {
	ht.mu.Lock()
	defer ht.mu.Unlock()
	if front := ht.files.Front(); ht.bytes > ht.limit && front != but.element {
		return front.Value.(*held)
	}
	return nil
}
