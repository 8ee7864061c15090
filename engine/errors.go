package engine

import (
	"errors"
	"fmt"

	"purofs/engine/format"
	"purofs/engine/segment"
)

// Errors of opening a store.
var (
	// ErrNotStore is returned for a directory that holds files but no log.
	ErrNotStore = errors.New("not a purofs store")
	// ErrNetworkFS is returned for a store on a network file system: its locks cannot be trusted.
	ErrNetworkFS = errors.New("stores on network file systems are not supported")
	// ErrReadOnly is returned by every change of a log that was opened read-only.
	ErrReadOnly = errors.New("the log was opened read-only")
	// ErrOption is returned for an option outside its documented bounds.
	ErrOption = errors.New("option out of bounds")
)

// Errors of a request: the caller asked for what cannot be.
var (
	// ErrInvalidTopic is returned for a name that no topic can have.
	ErrInvalidTopic = errors.New("invalid topic name")
	// ErrNoTopic is returned for a topic that does not exist (yet).
	ErrNoTopic = errors.New("no such topic")
	// ErrNoKey is returned for a key that has no value.
	ErrNoKey = errors.New("no such key")
	// ErrTooManyKeys is returned for the keys of a topic that has more than memory is set aside for.
	ErrTooManyKeys = errors.New("too many keys")
	// ErrTooLarge is returned for a record, or a batch, over its limit. Nothing of it is stored.
	ErrTooLarge = errors.New("too large")
	// ErrTooManyTopics is returned when a new topic would exceed TopicsMax.
	ErrTooManyTopics = errors.New("too many topics")
	// ErrPosition is returned for a position that cannot be understood.
	ErrPosition = errors.New("not a position")
	// ErrEmptyBatch is returned for an append of nothing.
	ErrEmptyBatch = errors.New("the batch holds no record")
)

// Errors of cursors.
var (
	// ErrNoCursor is returned for a cursor that does not exist.
	ErrNoCursor = errors.New("no such cursor")
	// ErrCursorExists is returned when a cursor is to be made that is there already.
	ErrCursorExists = errors.New("the cursor exists")
	// ErrCursorHeld is returned while somebody else, in this or another process, reads by a cursor.
	ErrCursorHeld = errors.New("another reader holds the cursor")
	// ErrInvalidCursor is returned for a name that no cursor can have.
	ErrInvalidCursor = errors.New("invalid cursor name")
	// ErrCursorDamaged is returned for a cursor whose file cannot be understood. It matches
	// ErrDamaged.
	ErrCursorDamaged = fmt.Errorf("the cursor is %w", ErrDamaged)
)

// Errors of a running log.
var (
	// ErrClosed is returned by every call on a closed log, and by the calls that were waiting.
	ErrClosed = errors.New("the log is closed")
	// ErrLocked is returned when another process held the log's lock for longer than
	// Options.LockTimeout.
	ErrLocked = errors.New("the log is locked by another process")
	// ErrPoisoned is returned after the disk refused a sync: what the kernel still holds may be lost,
	// and a second try would only seem to succeed (see fsync(2)). Close the log and open it again.
	ErrPoisoned = errors.New("the log refuses writes since a sync failed")
	// ErrVanished is returned when the store's directory or its active segment was removed under the
	// log, or the segment moved away or replaced.
	ErrVanished = errors.New("the store has vanished")
	// ErrVersion is returned for appends behind blocks that a newer version of purofs wrote, and
	// matched by the *DamageError of whoever reads them.
	ErrVersion = format.ErrVersion
	// ErrNoRecord is returned by Reader.TryNext when the reader has seen all there is.
	ErrNoRecord = errors.New("no record yet")
	// ErrDamaged is matched by every *DamageError.
	ErrDamaged = segment.ErrDamaged
)

// A DamageError tells of bytes that are not what was written: which segment, where, and why.
// It matches ErrDamaged.
type DamageError = segment.DamageError

func optionError(name string, got any, bounds string) error {
	return fmt.Errorf("%w: %s is %v, must be %s", ErrOption, name, got, bounds)
}
