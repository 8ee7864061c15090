package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/segment"
)

// A RepairStep is one thing that is not as it should be, and what a repair does about it.
type RepairStep struct {
	File     string // name within the store
	Pos, End int64  // bytes of it that this is about, -1 and -1 if it is about all of it
	Found    string // what is wrong
	Action   string // what is done about it
	Kept     string // after Repair: the name within the store of what keeps the bytes
}

// A RepairReport is what PlanRepair would do, or what Repair has done.
type RepairReport struct {
	Steps []RepairStep // in the order of the log
	// Left is damage that no repair can mend: sound bytes that contradict each other, damaged ones
	// that nothing fits in the place of, or what a newer version of purofs wrote. Readers cope with it
	// as they did before.
	Left []*DamageError
	// LeftCursors are damaged ones that somebody holds, or that a newer version has written.
	LeftCursors []CursorDamage
}

// repairStepsMax bounds a report; all is done nevertheless.
const repairStepsMax = 10_000

// missingMax is how many missing segments in a row a repair makes up for.
const missingMax = 1_000

// PlanRepair reads every byte of a store and says what Repair would do. It changes nothing and can
// be used while the store is in use. For progress and the error see Verify.
func PlanRepair(
	ctx context.Context, dir string, progress func(done, total int64),
) (RepairReport, error) {
	r := &repairer{}
	if err := r.run(ctx, dir, progress); err != nil {
		return r.report, fmt.Errorf("looking for what to repair in store %s: %w", dir, err)
	}
	return r.report, nil
}

// Repair mends a store so that Verify finds nothing any more:
//
//   - Damaged bytes are copied to the directory lost and replaced by blocks of the same size that
//     say so. Nothing else moves, so every sound record keeps its place and its offset.
//   - A torn end is copied to lost and removed, as the next append would.
//   - A complete segment gets the tombstone that it lacks; a missing one, an empty stand-in. What
//     has the name of a segment and is no file is moved to lost.
//   - A checkpoint that cannot be used is moved to lost.
//   - A cursor whose position cannot be read is moved to lost, unless somebody holds it: it has to
//     be made again, and its position set, by whoever knows that.
//   - An index that does not fit to its segment is removed. It is made again when it is needed.
//
// It takes the producer's lock of the newest segment, and an exclusive lock of the whole file for
// any other, one at a time, for at most Options.LockTimeout each; then the error is ErrLocked, and
// what was done before is done. A cursor, or an index, is touched only under its own lock, for
// which it does not wait. Of the options LockTimeout, Logger and FileHook count.
//
// Repair can be interrupted at any moment, also by the end of the process or of the machine, and
// started again.
func Repair(
	ctx context.Context, dir string, opts Options, progress func(done, total int64),
) (RepairReport, error) {
	if err := opts.Validate(); err != nil {
		return RepairReport{}, err
	}
	r := &repairer{opts: opts.withDefaults(), apply: true}
	if err := r.run(ctx, dir, progress); err != nil {
		return r.report, fmt.Errorf("repairing store %s: %w", dir, err)
	}
	return r.report, nil
}

// A problemKind says what can be done about something that Verify found.
type problemKind uint8

const (
	problemUnsound  problemKind = iota // bytes that are not what was written
	problemTail                        // bytes behind the end of a segment
	problemUnsealed                    // a complete segment without a tombstone
	problemMissing                     // a segment is not there
	problemNoFile                      // something else than a file has its name
	problemWrong                       // sound blocks that contradict each other
)

// A problem is what a repairer gets from a verifier.
type problem struct {
	kind problemKind
	*DamageError
}

// A repairer plans a repair, or does it: first it looks, as Verify does; then it locks one segment
// after the other that needs it, looks again, and mends what it finds while it looks.
type repairer struct {
	opts   Options
	apply  bool
	report RepairReport

	dir      *disk.Dir
	segments []uint32
	active   uint32 // the newest segment that holds a block
	table    *table // all topics at the end of the log, as far as it is sound
	needs    []uint32
	wanted   map[uint32]problemKind // missing, or no files
}

func (r *repairer) run(
	ctx context.Context, path string, progress func(done, total int64),
) (err error) {
	v := newVerifier(progress)
	if r.dir, err = openStore(path, true, r.opts.FileHook, &v.table); err != nil {
		return err
	}
	defer r.dir.Close()
	if r.apply && !r.dir.Writable() {
		return fmt.Errorf("%w: you may not write to it", fs.ErrPermission)
	}
	if r.segments, err = segmentsOf(r.dir); err != nil {
		return err
	}
	begun, err := newestBegun(r.dir, r.segments)
	if err != nil {
		return err
	}
	if len(r.segments) > 0 {
		r.active = r.segments[begun]
	}
	r.table, r.wanted = &v.table, make(map[uint32]problemKind)
	v.problem = r.found
	if err := v.run(ctx, r.dir); err != nil {
		return err
	}
	if r.apply {
		if err := r.mend(ctx); err != nil {
			if errors.Is(err, segment.ErrSync) {
				noteUnsynced(r.dir, r.table.filePerm(), r.opts.Logger)
			}
			return err
		}
	}
	return r.besides(ctx)
}

// newest tells whether a segment is the newest one that is in use, or behind it.
func (r *repairer) newest(order uint32) bool { return order >= r.active }

// found takes note of a problem.
func (r *repairer) found(p problem) {
	switch p.kind {
	case problemWrong:
		r.left(p.DamageError)
		return
	case problemMissing:
		r.missing(p.DamageError)
		return
	case problemNoFile:
		r.wanted[p.Segment] = p.kind
	case problemUnsound:
		if !r.canMend(p.DamageError) {
			r.left(p.DamageError)
			return
		}
		fallthrough
	default:
		if n := len(r.needs); n == 0 || r.needs[n-1] != p.Segment {
			r.needs = append(r.needs, p.Segment)
		}
	}
	if !r.apply {
		r.step(p.Segment, p.Pos, p.End, p.Reason, r.actionFor(p), "")
	}
}

// missing takes note of all segments from one on that are not there.
func (r *repairer) missing(d *DamageError) {
	next := d.Segment
	for _, order := range r.segments {
		if order > d.Segment {
			next = order
			break
		}
	}
	if next-d.Segment > missingMax {
		r.left(d)
		return
	}
	for order := d.Segment; order < next; order++ {
		r.wanted[order] = problemMissing
		if !r.apply {
			r.step(order, -1, -1, d.Reason, standIn, "")
		}
	}
}

// canMend tells whether something can be done about bytes that are not sound. What is too small for
// a block can only be cut off, where nothing stands behind it. What a newer version wrote is left.
func (r *repairer) canMend(d *DamageError) bool {
	return !d.Newer && (d.End < 0 || segment.CanReplace(d.Pos, d.End))
}

// What repairs do.
const (
	replaced = "replaced by blocks of the same size that say so"
	cutOff   = "removed"
	sealed   = "ended with a tombstone"
	standIn  = "an empty segment put in its place"
	movedOut = "moved to lost"
	// movedCursor does not say where the cursor was: nobody knows.
	movedCursor  = "moved to lost; make it again, and set its position: it begins at the start"
	removedIndex = "removed; it is made again when it is needed"
)

func (r *repairer) actionFor(p problem) string {
	switch p.kind {
	case problemTail:
		return cutOff
	case problemUnsealed:
		return sealed
	case problemNoFile:
		if r.newest(p.Segment) {
			return movedOut
		}
		return movedOut + ", " + standIn
	}
	return replaced
}

func (r *repairer) step(order uint32, pos, end int64, found, action, kept string) {
	r.note(RepairStep{segment.Name(order), pos, end, found, action, kept})
}

func (r *repairer) note(s RepairStep) {
	if len(r.report.Steps) < repairStepsMax {
		r.report.Steps = append(r.report.Steps, s)
	}
	if r.apply {
		r.opts.Logger.Warn().Str("file", s.File).Int64("pos", s.Pos).Int64("end", s.End).
			Str("found", s.Found).Str("action", s.Action).Str("kept", s.Kept).Msg("repaired")
	}
}

func (r *repairer) left(d *DamageError) {
	if len(r.report.Left) < repairStepsMax {
		r.report.Left = append(r.report.Left, d)
	}
}

// sealBlock is the last block of a segment, behind one of that time. Without a time it has no
// header: now would be later than the segments behind it.
func sealBlock(last int64) []byte {
	body := format.AppendRecord(nil, []byte{format.TopicTombstone}, nil, nil)
	if last == 0 {
		return blockOf(body)
	}
	return blockOf(format.AppendHeader(nil, last+1, nil, body), body)
}

// blockOf frames what stands in a block, low.
func blockOf(parts ...[]byte) []byte {
	length := format.StartBytes
	for _, p := range parts {
		length += len(p)
	}
	b := format.AppendStart(nil, length)
	for _, p := range parts {
		b = append(b, p...)
	}
	return format.AppendEnd(b, length)
}
