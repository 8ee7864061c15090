package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

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
}

// Sound tells whether all that was acknowledged is there. A torn tail is not damage.
func (r *VerifyReport) Sound() bool { return len(r.Damage) == 0 }

// verifyDamageMax bounds the report of a store that is all garbage.
const verifyDamageMax = 10_000

// Verify reads every byte of a store and checks all there is to check, without changing anything.
// It can be used while the store is in use. progress, if it is not nil, is called now and then with
// how many bytes were looked at and how many there are.
//
// Damage is in the report; the error is ErrNotStore, ErrNetworkFS, or that of ctx or of the file
// system.
func Verify(
	ctx context.Context, dir string, progress func(done, total int64),
) (VerifyReport, error) {
	v := &verifier{progress: progress, table: table{topics: make(map[string]*topicState)}}
	err := v.run(ctx, dir)
	v.report.Topics = v.table.live
	if err != nil {
		err = fmt.Errorf("verifying store %s: %w", dir, err)
	}
	return v.report, err
}

type verifier struct {
	report   VerifyReport
	progress func(done, total int64)
	total    int64
	done     int64 // bytes of the segments that are finished
	table    table
	excused  bool // damage since the last block explains a jump of the offsets
}

func (v *verifier) run(ctx context.Context, dir string) error {
	root, err := openStore(dir, true, &v.table)
	if err != nil {
		return err
	}
	defer root.Close()
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
	for i, order := range orders {
		if i > 0 && orders[i-1]+1 != order {
			v.damaged(&DamageError{Segment: orders[i-1] + 1, Pos: 0, End: -1,
				Reason: fmt.Sprintf("it is missing, though %s is there", segment.Name(order))})
		}
		if err := v.segment(ctx, root, order, i == len(orders)-1); err != nil {
			return err
		}
	}
	return nil
}

// segment checks one segment.
func (v *verifier) segment(ctx context.Context, root *os.Root, order uint32, last bool) error {
	seg, err := segment.Open(root, order, false)
	if err != nil {
		return err
	}
	defer seg.Close()
	scan := segment.NewScanner(seg, 0, segment.NoLimit)
	scan.Full = true
	defer scan.Release()
	var damage *DamageError // outside of the loop, for it is allocated
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		block, err := scan.Next()
		switch {
		case err == nil:
			v.block(order, block)
			if v.report.Blocks%verifyStride == 0 {
				v.tell(scan.Pos())
			}
		case errors.As(err, &damage) && damage.End >= 0:
			v.damaged(damage)
		default:
			return v.tail(seg, scan, last, err)
		}
	}
}

// verifyStride is how many blocks lie between two calls of progress.
const verifyStride = 256

func (v *verifier) tell(pos int64) {
	if v.progress != nil {
		v.progress(v.done+pos, v.total)
	}
}

// block counts a sound block, and checks that the offsets go on where they were.
func (v *verifier) block(order uint32, b *segment.Block) {
	v.report.Blocks++
	err := v.table.apply(b, func(t *topicState, run segment.Run) {
		v.report.Records += int64(run.Records)
		if b.Header && !b.Sparse && t.exists && run.Offset != t.Next && !v.excused {
			v.damaged(&DamageError{Segment: order, Pos: b.Pos, End: b.End, Reason: fmt.Sprintf(
				"offsets of topic %.64q go from %d to %d", t.Name, t.Next, run.Offset)})
		}
	})
	if err != nil {
		v.damaged(&DamageError{Segment: order, Pos: b.Pos, End: b.End, Reason: err.Error()})
	}
	v.excused = false
}

// tail tells how a segment ends.
func (v *verifier) tail(seg *segment.Segment, scan *segment.Scanner, last bool, cause error) error {
	size, _, err := seg.Stat()
	if err != nil {
		return err
	}
	state, torn := "clean", max(0, size-scan.Pos())
	var damage *DamageError
	switch {
	case errors.Is(cause, io.EOF):
		if torn = 0; scan.Sealed() {
			state = "sealed"
		}
	case errors.Is(cause, segment.ErrLow), errors.Is(cause, segment.ErrTorn):
		state = "torn"
		if busy, err := seg.TailLocked(scan.Pos()); err != nil || busy {
			if err != nil {
				return err
			}
			state, torn = "open", 0
		}
	case errors.As(cause, &damage):
		v.damaged(damage)
		state, torn = "damaged", 0
	default:
		return cause
	}
	if last {
		v.report.Tail, v.report.TornBytes = state, torn
	} else if state == "torn" {
		v.damaged(&DamageError{Segment: seg.Order(), Pos: scan.Pos(), End: size,
			Reason: "it ends within a block, though it is not the newest segment"})
	}
	v.done += size
	v.report.Bytes += size
	v.tell(0)
	return nil
}

func (v *verifier) damaged(d *DamageError) {
	v.excused = true
	if len(v.report.Damage) < verifyDamageMax {
		v.report.Damage = append(v.report.Damage, d)
	}
}
