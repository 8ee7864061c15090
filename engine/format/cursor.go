package format

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The file of a cursor is two slots, each in a block of its own of any disk: what a power cut does
// to one while it is written leaves the other. Slots are written in turn, the one of a sequence
// number at CursorSlotPos of it. On disk, never change.
const (
	CursorSlotBytes = 84
	CursorFileBytes = cursorSlotGap + CursorSlotBytes

	cursorMagic   = "purofs cursor 1\n"
	cursorFamily  = "purofs cursor "
	cursorSlotGap = 4096
)

const _ = uint(cursorSlotGap - CursorSlotBytes) // the slots do not overlap

// CursorSlotPos is where in the file the slot of that sequence number stands.
func CursorSlotPos(sequence uint64) int64 { return int64(sequence%2) * cursorSlotGap }

// A CursorMark is a place in a topic: all records before offset Next. Last is the time of the block
// with the newest of them, by which another record with the same offset can be told from it; 0 if
// it is not known.
type CursorMark struct {
	Next uint64
	Last int64
}

// A CursorSlot is the state of a cursor as one write of it stores it.
type CursorSlot struct {
	Sequence uint64     // one higher with each write
	Done     CursorMark // the position
	Safe     CursorMark // one at or before it that was on the disk, log and all, at SafeAt
	SafeAt   int64      // Unix nanoseconds
	BootID   [16]byte   // of the boot in which it was written
}

// AppendCursorSlot appends a slot's bytes.
func AppendCursorSlot(b []byte, s *CursorSlot) []byte {
	start := len(b)
	b = append(b, cursorMagic...)
	b = binary.BigEndian.AppendUint64(b, s.Sequence)
	b = binary.BigEndian.AppendUint64(b, s.Done.Next)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Done.Last))
	b = binary.BigEndian.AppendUint64(b, s.Safe.Next)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Safe.Last))
	b = binary.BigEndian.AppendUint64(b, uint64(s.SafeAt))
	b = append(b, s.BootID[:]...)
	return binary.BigEndian.AppendUint32(b, CRC32C(0, b[start:]))
}

// ParseCursorSlot decodes a slot. The error is ErrShort, ErrVersion, ErrKind, ErrCheck or
// ErrLength.
func ParseCursorSlot(b []byte) (s CursorSlot, err error) {
	if len(b) < CursorSlotBytes {
		return s, fmt.Errorf("cursor: %w", ErrShort)
	}
	b = b[:CursorSlotBytes]
	magic, crc := string(b[:len(cursorMagic)]), binary.BigEndian.Uint32(b[len(b)-4:])
	b = b[:len(b)-4]
	switch {
	case crc != CRC32C(0, b):
		err = ErrCheck
	case magic == cursorMagic:
	case strings.HasPrefix(magic, cursorFamily):
		err = ErrVersion
	default:
		err = ErrKind
	}
	if err != nil {
		return s, fmt.Errorf("cursor: %w", err)
	}
	d := decoder{rest: b[len(cursorMagic):]}
	s.Sequence = d.u64()
	s.Done = CursorMark{d.u64(), d.i64()}
	s.Safe = CursorMark{d.u64(), d.i64()}
	s.SafeAt = d.i64()
	copy(s.BootID[:], d.bytes(len(s.BootID)))
	if s.Safe.Next > s.Done.Next || s.Done.Next > OffsetMax {
		return CursorSlot{}, fmt.Errorf("cursor: %w", ErrLength)
	}
	return s, nil
}
