package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/segment"
)

// A VerifyReport is what Verify found.
type VerifyReport struct {
	Segments int
	Bytes    int64 // looked at
	Blocks   int64
	Records  int64
	Topics   int
	// Tail is how the log ends: "clean"; "open", a producer is at work; "torn", one died at it, and
	// the next one will remove TornBytes; "damaged"; or "sealed", the next segment is not made yet.
	Tail      string
	TornBytes int64
	Damage    []*DamageError // in the order of the log
	Cursors   int
	// CursorDamage are the cursors whose positions cannot be read.
	CursorDamage []CursorDamage
	// Notes are sentences about what is no damage of the log but worth knowing: files that are of no
	// use, or that do not belong here, and bytes that were lost and repaired before.
	Notes []string
}

// Sound tells whether all that was acknowledged is there: records, and the positions of cursors. A
// torn tail is not damage, nor is an index that is of no use.
func (r *VerifyReport) Sound() bool { return len(r.Damage) == 0 && len(r.CursorDamage) == 0 }

// A CursorDamage is the file of a cursor whose position cannot be read.
type CursorDamage struct {
	File   string // name within the store
	Reason string
}

// verifyDamageMax bounds the report of a store that is all garbage; as many notes are kept.
const verifyDamageMax = 10_000

// Verify reads every byte of a store, also of its indexes and cursors, and checks all there is to
// check, without changing anything. It can be used while the store is in use. progress, if it is
// not nil, is called now and then with how many bytes of segments were looked at and how many there
// are.
//
// Damage is in the report; the error is ErrNotStore, ErrNetworkFS, or that of ctx or of the file
// system.
func Verify(
	ctx context.Context, dir string, progress func(done, total int64),
) (VerifyReport, error) {
	v := newVerifier(progress)
	root, err := openStore(dir, true, nil, &v.table)
	if err == nil {
		if err = v.run(ctx, root); err == nil {
			err = v.besides(ctx, root)
		}
		root.Close()
	}
	if err != nil {
		err = fmt.Errorf("verifying store %s: %w", dir, err)
	}
	return v.report, err
}

type verifier struct {
	report   VerifyReport
	problem  func(p problem) // for Repair, nil otherwise
	progress func(done, total int64)
	total    int64
	done     int64 // bytes of the segments that are finished
	table    table
	// A jump of a topic's offsets is explained by what was lost since its last block. lost counts the
	// damaged places so far, and seen is what it was at each topic's last block.
	lost int
	seen map[*topicState]int
	// based tells whether all topics are known: from the first segment on, or since a segment header.
	based bool
}

func newVerifier(progress func(done, total int64)) *verifier {
	return &verifier{
		progress: progress,
		table:    table{topics: make(map[string]*topicState)},
		seen:     make(map[*topicState]int),
	}
}

func (v *verifier) run(ctx context.Context, root *disk.Dir) error {
	orders, err := segmentsOf(root)
	if err != nil {
		return err
	}
	if len(orders) == 0 {
		return fmt.Errorf("%w: it holds no segment", ErrNotStore)
	}
	v.report.Segments = len(orders)
	for _, order := range orders {
		if info, err := root.Lstat(segment.Name(order)); err == nil {
			v.total += info.Size()
		}
	}
	begun, err := newestBegun(root, orders)
	if err != nil {
		return err
	}
	v.based = orders[0] == 0
	for i, order := range orders {
		if i > begun && v.report.Tail != "sealed" {
			v.note("%s holds no block, and %s has no tombstone: it is not in use yet",
				segment.Name(order), segment.Name(orders[i-1]))
			break
		}
		if i > 0 && orders[i-1]+1 != order {
			v.damaged(problemMissing, &DamageError{Segment: orders[i-1] + 1, Pos: 0, End: -1,
				Reason: fmt.Sprintf("it is missing, though %s is there", segment.Name(order))})
		}
		if err := v.segment(ctx, root, order, i >= begun); err != nil {
			return err
		}
	}
	v.report.Topics = v.table.live
	return nil
}

// newestBegun returns which of the segments is the newest one that holds a block, 0 if none does.
func newestBegun(root *disk.Dir, orders []uint32) (int, error) {
	for i, order := range slices.Backward(orders) {
		begun, err := holdsBlock(root, order)
		if begun || errors.Is(err, fs.ErrInvalid) {
			return i, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// segment checks one segment. It is the last one unless it has a tombstone and another one behind
// it.
func (v *verifier) segment(ctx context.Context, root *disk.Dir, order uint32, last bool) error {
	if info, err := root.Lstat(segment.Name(order)); err == nil && !info.Mode().IsRegular() {
		v.damaged(problemNoFile, &DamageError{Segment: order, Pos: 0, End: -1,
			Reason: fmt.Sprintf("it is not a regular file but %v", info.Mode().Type())})
		return nil
	}
	seg, err := segment.Open(root, order, false)
	if err != nil {
		return err
	}
	defer seg.Close()
	s := sweep{
		seg:   seg,
		block: func(b *segment.Block, wrong error) { v.block(order, b, wrong) },
		damage: func(d *DamageError) error {
			v.damaged(problemUnsound, d)
			return nil
		},
		tell: v.progressed,
	}
	end, err := s.run(ctx)
	if err != nil {
		return err
	}
	v.end(order, end, last)
	return nil
}

func (v *verifier) progressed(pos int64) {
	if v.progress != nil {
		v.progress(v.done+pos, v.total)
	}
}

// block counts a sound block, and checks that its header tells the truth and that the offsets go on
// where they were.
func (v *verifier) block(order uint32, b *segment.Block, wrong error) {
	v.report.Blocks++
	for _, c := range b.Controls {
		if c.Kind == format.TopicLost {
			v.lost++
			v.note("%s has lost bytes %d to %d, which a repair replaced: %s",
				segment.Name(order), b.Pos, b.End, format.LostNote(c.Value))
		}
	}
	v.goesOn(order, b)
	refused := v.table.apply(b, func(t *topicState, run segment.Run) {
		v.report.Records += int64(run.Records)
		jumps := b.Header && t.exists && run.Offset != t.Next
		if jumps && (run.Offset < t.Next || !b.Sparse && v.seen[t] == v.lost) {
			v.damaged(problemWrong, &DamageError{Segment: order, Pos: b.Pos, End: b.End, Reason: fmt.Sprintf(
				"offsets of topic %.64q go from %d to %d", t.Name, t.Next, run.Offset)})
		}
		if v.lost > 0 {
			v.seen[t] = v.lost
		}
	})
	if wrong == nil {
		wrong = refused
	}
	if wrong != nil {
		v.damaged(problemWrong, &DamageError{
			Segment: order, Pos: b.Pos, End: b.End, Reason: wrong.Error()})
	}
}

// goesOn holds the header of a segment against what the segments before have: it would cover up
// that some of it is missing. Topics may be further only if there was damage since their last
// block, or if the segments before were removed. Where nothing stands beside the header, Repair has
// noted with it that offsets are used whose records are lost, and whose bytes may be gone.
func (v *verifier) goesOn(order uint32, b *segment.Block) {
	for _, c := range b.Controls {
		if c.Kind != format.TopicSegmentHeader {
			continue
		}
		h, err := format.ParseSegmentHeader(c.Value)
		if err != nil {
			continue // which apply tells of
		}
		noted := len(b.Runs) == 0 && len(b.Controls) == 1
		jumps, first := 0, ""
		for i := range h.Topics {
			t := v.table.get([]byte(h.Topics[i].Name))
			next := h.Topics[i].Next
			if next < t.Next || next > t.Next && v.based && !noted && v.seen[t] == v.lost {
				if jumps++; jumps == 1 {
					first = fmt.Sprintf("its segment header has topic %.64q go from %d to %d",
						t.Name, t.Next, next)
				}
			}
			if v.lost > 0 {
				v.seen[t] = v.lost // what was lost until now, the header accounts for
			}
		}
		if jumps > 1 {
			first += fmt.Sprintf(" (and so of %d more)", jumps-1)
		}
		if jumps > 0 {
			v.damaged(problemWrong, &DamageError{Segment: order, Pos: b.Pos, End: b.End, Reason: first})
		}
		v.based = v.based || !noted
	}
}

// end takes note of how a segment ends.
func (v *verifier) end(order uint32, e ending, last bool) {
	rest := DamageError{Segment: order, Pos: e.pos, End: e.size}
	switch {
	case e.damage != nil:
		kind := problemUnsound
		if !segment.CanReplace(e.pos, e.size) {
			kind = problemTail
		}
		v.damaged(kind, e.damage)
	case e.state == "sealed" && e.pos < e.size:
		rest.Reason = "bytes stand behind its tombstone"
		v.damaged(problemTail, &rest)
	case e.state == "torn" && last:
		v.report.TornBytes = max(0, e.size-e.pos)
		rest.Reason = "it ends within a block, which its producer did not finish"
		v.tell(problemTail, &rest)
	case e.state == "torn":
		rest.Reason = "it ends within a block, though it is not the newest segment"
		v.damaged(problemTail, &rest)
	case e.state == "clean" && e.magic && !last:
		rest.Reason = "it has no tombstone, though it is not the newest segment"
		v.tell(problemUnsealed, &rest)
		v.note("segment %s: %s", segment.Name(order), rest.Reason)
	}
	if last {
		v.report.Tail = e.state
	}
	v.done += e.size
	v.report.Bytes += e.size
	v.progressed(0)
}

func (v *verifier) damaged(kind problemKind, d *DamageError) {
	v.lost++
	if len(v.report.Damage) < verifyDamageMax {
		v.report.Damage = append(v.report.Damage, d)
	}
	v.tell(kind, d)
}

// tell tells Repair.
func (v *verifier) tell(kind problemKind, d *DamageError) {
	if v.problem != nil {
		v.problem(problem{kind, d})
	}
}
