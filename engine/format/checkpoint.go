package format

import (
	"encoding/binary"
	"fmt"
)

// checkpointMagic begins a checkpoint file, with its version at the end. On disk, never change.
const checkpointMagic = "purofs checkpoint 1\n"

// A Checkpoint is the state of a log at one place, so that opening it need not start before there.
type Checkpoint struct {
	BootID [16]byte // of the boot in which it was written
	// Synced is up to where the log is known to be on the disk. If that is less than the place of the
	// checkpoint, the checkpoint counts only within the boot that wrote it.
	SyncedOrder uint32
	SyncedPos   int64
	Pos         int64         // byte position in the segment Log.Order, at the end of a block
	Log         SegmentHeader // the topics at that place; Time is that of the last block
}

// AppendCheckpoint appends a checkpoint file's bytes.
func AppendCheckpoint(b []byte, c *Checkpoint) []byte {
	b = append(b, checkpointMagic...)
	crc := len(b)
	b = append(b, 0, 0, 0, 0)
	b = append(b, c.BootID[:]...)
	b = binary.BigEndian.AppendUint32(b, c.SyncedOrder)
	b = binary.BigEndian.AppendUint64(b, uint64(c.SyncedPos))
	b = binary.BigEndian.AppendUint64(b, uint64(c.Pos))
	b = AppendSegmentHeader(b, &c.Log)
	binary.BigEndian.PutUint32(b[crc:], CRC32C(0, b[crc+4:]))
	return b
}

// ParseCheckpoint decodes a checkpoint file. Whatever the error, the checkpoint can be thrown away.
func ParseCheckpoint(b []byte) (*Checkpoint, error) {
	d := decoder{rest: b}
	if string(d.bytes(len(checkpointMagic))) != checkpointMagic {
		return nil, fmt.Errorf("checkpoint: %w", ErrKind)
	}
	if crc := d.u32(); d.err == nil && crc != CRC32C(0, d.rest) {
		return nil, fmt.Errorf("checkpoint: %w", ErrCheck)
	}
	c := new(Checkpoint)
	copy(c.BootID[:], d.bytes(len(c.BootID)))
	c.SyncedOrder, c.SyncedPos = d.u32(), d.i64()
	c.Pos = d.i64()
	if d.err == nil && (c.Pos < 0 || c.SyncedPos < 0) {
		d.err = ErrLength
	}
	if d.err != nil {
		return nil, fmt.Errorf("checkpoint: %w", d.err)
	}
	log, err := ParseSegmentHeader(d.rest)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	c.Log = *log
	return c, nil
}
