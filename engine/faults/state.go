package faults

import (
	"iter"
	"math/rand/v2"
	"slices"

	"purofs/engine/disk"
)

// A State is what is known of the disk at one moment: what was synced is there, each of the pending
// operations may be there or not.
type State struct {
	// Note is that of the last Mark before the moment, 0 if there was none.
	Note int64

	synced  *tree
	pending []*event
	wrote   bool // the last event was a write, which is the last of pending
}

// State returns the state after the first n events.
func (r *Recorder) State(n int) *State {
	r.turn.Lock()
	defer r.turn.Unlock()
	s := &State{synced: r.base.clone()}
	for i := range r.events[:n] {
		s.add(&r.events[i])
	}
	return s
}

// add takes the next event into account.
func (s *State) add(e *event) {
	s.wrote = !e.mark && e.kind == disk.OpWrite
	switch {
	case e.mark:
		s.Note = e.note
	case e.kind == disk.OpSync || e.kind == disk.OpDatasync:
		s.sync(func(p *event) bool { return !p.naming() && p.node == e.node })
	case e.kind == disk.OpSyncDir:
		s.sync(func(p *event) bool { return p.naming() && parent(p.path) == e.path })
	default:
		s.pending = append(s.pending, e)
	}
}

// naming tells whether an event changes names, and not bytes.
func (e *event) naming() bool {
	switch e.kind {
	case disk.OpOpen:
		return e.made
	case disk.OpMkdir, disk.OpRename, disk.OpRemove:
		return true
	}
	return false
}

// sync brings some of what is pending to the disk.
func (s *State) sync(which func(*event) bool) {
	s.pending = slices.DeleteFunc(s.pending, func(e *event) bool {
		if which(e) {
			s.synced.apply(e)
			return true
		}
		return false
	})
}

// sectorBytes is the smallest part of a write that is there or not.
const sectorBytes = 512

// A fate is what becomes of a pending operation.
type fate struct {
	what fateKind
	at   int // a place in the data of a write
}

type fateKind uint8

const (
	kept    fateKind = iota
	dropped          // it never reached the disk
	cut              // from at on it did not reach the disk
	holed            // from at on there are zeros: only the file's size reached the disk
	garbled          // the sector at at holds something else
	blank            // the sector at at holds zeros
	fateKinds
)

// image is what the fates make of the state.
func (s *State) image(fates []fate) Image {
	t := s.synced.clone()
	for i, e := range s.pending {
		if fates[i].what == dropped {
			continue
		}
		if e.kind == disk.OpWrite && fates[i].what != kept {
			e = e.spoiled(fates[i])
		}
		t.apply(e)
	}
	return Image{t}
}

// spoiled is the write that a fate makes of one.
func (e *event) spoiled(f fate) *event {
	with := *e
	with.data = slices.Clone(e.data)
	end := min(len(e.data), f.at+sectorBytes-int((e.at+int64(f.at))%sectorBytes))
	switch f.what {
	case cut:
		with.data = with.data[:f.at]
	case holed:
		clear(with.data[f.at:])
	case blank:
		clear(with.data[f.at:end])
	case garbled:
		noise := rand.New(rand.NewPCG(uint64(e.at), uint64(f.at)))
		for i := f.at; i < end; i++ {
			with.data[i] = byte(noise.Uint32())
		}
	}
	return &with
}

// places are where the sectors of a write begin, or the write in them.
func (e *event) places() []int {
	if e.kind != disk.OpWrite {
		return nil
	}
	places := []int{0}
	for at := sectorBytes - int(e.at%sectorBytes); at < len(e.data); at += sectorBytes {
		places = append(places, at)
	}
	return places
}

// writesCut is how many of the last pending writes are cut and garbled at every sector; earlier
// ones are only by chance.
const writesCut = 4

// Images yields what a power cut in this state can leave: nothing that is pending, all of it, all
// but one operation, all but the names or all but the bytes, every sector of a write cut off, blank
// or garbled with all others there, and so many random choices. Some may be alike.
func (s *State) Images(random int, rng *rand.Rand) iter.Seq[Image] {
	return func(yield func(Image) bool) {
		for fates := range s.fates(random, rng) {
			if !yield(s.image(fates)) {
				return
			}
		}
	}
}

// fates yields what Images makes images of. What it yields is changed afterwards.
func (s *State) fates(random int, rng *rand.Rand) iter.Seq[[]fate] {
	return func(yield func([]fate) bool) {
		fates := make([]fate, len(s.pending))
		all := func(choose func(i int) fate) bool {
			for i := range fates {
				fates[i] = choose(i)
			}
			return yield(fates)
		}
		dropIf := func(yes bool) fate {
			if yes {
				return fate{what: dropped}
			}
			return fate{}
		}
		more := all(func(int) fate { return fate{} }) &&
			all(func(int) fate { return fate{what: dropped} }) &&
			all(func(i int) fate { return dropIf(s.pending[i].naming()) }) &&
			all(func(i int) fate { return dropIf(!s.pending[i].naming()) }) &&
			s.singly(fates, yield)
		for ; more && random > 0; random-- {
			spare := rng.Float64() // how much luck there is
			more = all(func(i int) fate { return s.chance(i, spare, rng) })
		}
	}
}

// Kills yields what the death of all processes leaves, at each moment of the recording, with how
// many events were before it: the kernel goes on, so all that they had done is there. If the last
// of it was a write, a kill can have stopped that at the bound of any page; it is cut at each
// sector, and at some places in the middle of one.
func (r *Recorder) Kills() iter.Seq2[int, Image] {
	return func(yield func(int, Image) bool) {
		for n := range r.Len() + 1 {
			for image := range r.State(n).kills() {
				if !yield(n, image) {
					return
				}
			}
		}
	}
}

// kills yields what Kills does at one moment.
func (s *State) kills() iter.Seq[Image] {
	return func(yield func(Image) bool) {
		fates := make([]fate, len(s.pending))
		if !yield(s.image(fates)) || !s.wrote {
			return
		}
		last := s.pending[len(s.pending)-1]
		n := len(last.data)
		places := append(last.places(), 1, n/2, n-1)
		slices.Sort(places)
		for _, at := range slices.Compact(places) {
			if at <= 0 {
				continue // what the event before it left
			}
			if fates[len(fates)-1] = (fate{cut, at}); !yield(s.image(fates)) {
				return
			}
		}
	}
}

// singly yields the fates in which one operation is not kept.
func (s *State) singly(fates []fate, yield func([]fate) bool) bool {
	writes := 0
	for i := len(s.pending) - 1; i >= 0; i-- {
		clear(fates)
		if fates[i] = (fate{what: dropped}); !yield(fates) {
			return false
		}
		places := s.pending[i].places()
		if len(places) == 0 {
			continue
		}
		if writes++; writes > writesCut {
			continue
		}
		for _, at := range places {
			for what := cut; what < fateKinds; what++ {
				if fates[i] = (fate{what, at}); !yield(fates) {
					return false
				}
			}
		}
	}
	return true
}

// chance is a random fate for a pending operation.
func (s *State) chance(i int, spare float64, rng *rand.Rand) fate {
	if rng.Float64() < spare {
		return fate{}
	}
	places := s.pending[i].places()
	if len(places) == 0 || rng.IntN(2) == 0 {
		return fate{what: dropped}
	}
	return fate{cut + fateKind(rng.IntN(int(fateKinds-cut))), places[rng.IntN(len(places))]}
}
