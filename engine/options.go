package engine

import (
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"purofs/engine/disk"
)

// A SyncMode says when appended records are forced to the disk. Whatever it is, a record survives
// the death of every process; the mode decides about a power cut.
type SyncMode uint8

const (
	// SyncInterval forces them every Options.SyncInterval in the background.
	SyncInterval SyncMode = iota
	// SyncNone leaves it to the kernel.
	SyncNone
	// SyncAlways forces each group of appends before any of them returns: one fdatasync a group.
	SyncAlways
	// SyncFlip forces the block before the signal is flipped and again after: right on file systems
	// too that do not order a file's data before its size.
	SyncFlip
)

var syncModeNames = [...]string{"interval", "none", "always", "flip"}

// String is the mode's name in options.
func (m SyncMode) String() string {
	if int(m) < len(syncModeNames) {
		return syncModeNames[m]
	}
	return fmt.Sprintf("SyncMode(%d)", uint8(m))
}

// ParseSyncMode reads a mode's name.
func ParseSyncMode(s string) (SyncMode, error) {
	for i, name := range syncModeNames {
		if s == name {
			return SyncMode(i), nil
		}
	}
	return 0, optionError("sync", fmt.Sprintf("%.32q", s), "none, interval, always or flip")
}

// Bounds of the options.
const (
	SegmentBytesDefault = 256 << 20
	SegmentBytesMin     = 64 << 10
	SegmentBytesMax     = 1 << 40

	ValueBytesDefault = 10 << 20
	ValueBytesMax     = 32 << 20

	LockTimeoutDefault = 5 * time.Second
	LockTimeoutMax     = time.Hour

	SyncIntervalDefault = time.Second
	SyncIntervalMin     = 10 * time.Millisecond
	SyncIntervalMax     = time.Hour
)

// Options configure a log. The zero value is useful: each zero field means its default.
type Options struct {
	// SegmentBytes is the size at which a segment is ended and the next one started, SegmentBytesMin
	// to SegmentBytesMax. A block is never split, so a segment may exceed it by one block.
	SegmentBytes int64
	// ValueBytes is the largest value a record may have, 1 to ValueBytesMax.
	ValueBytes int
	// Sync is when records are forced to the disk.
	Sync SyncMode
	// SyncInterval is the period of the mode of that name, SyncIntervalMin to SyncIntervalMax.
	SyncInterval time.Duration
	// LockTimeout bounds the wait for another process that holds the log's lock, up to LockTimeoutMax.
	LockTimeout time.Duration
	// ReadOnly opens a log without ever writing to its directory.
	ReadOnly bool
	// Logger gets what an operator should know: repairs, damage, rollovers. Silent by default.
	Logger *zerolog.Logger
	// FileHook sees, and can change, each operation on the store's files: for tests.
	FileHook disk.Hook
}

func (o Options) withDefaults() Options {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = SegmentBytesDefault
	}
	if o.ValueBytes == 0 {
		o.ValueBytes = ValueBytesDefault
	}
	if o.SyncInterval == 0 {
		o.SyncInterval = SyncIntervalDefault
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = LockTimeoutDefault
	}
	if o.Logger == nil {
		silent := zerolog.Nop()
		o.Logger = &silent
	}
	return o
}

// Validate tells whether each option is within its bounds; the error matches ErrOption.
func (o Options) Validate() error {
	o = o.withDefaults()
	switch {
	case o.SegmentBytes < SegmentBytesMin || o.SegmentBytes > SegmentBytesMax:
		return optionError("segment size", o.SegmentBytes, "64 KiB to 1 TiB")
	case o.ValueBytes < 1 || o.ValueBytes > ValueBytesMax:
		return optionError("record limit", o.ValueBytes, "1 byte to 32 MiB")
	case int(o.Sync) >= len(syncModeNames):
		return optionError("sync", o.Sync, "none, interval, always or flip")
	case o.SyncInterval < SyncIntervalMin || o.SyncInterval > SyncIntervalMax:
		return optionError("sync interval", o.SyncInterval, "10 ms to 1 h")
	case o.LockTimeout < time.Millisecond || o.LockTimeout > LockTimeoutMax:
		return optionError("lock timeout", o.LockTimeout, "1 ms to 1 h")
	}
	return nil
}
