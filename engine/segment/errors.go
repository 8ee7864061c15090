package segment

import (
	"errors"
	"fmt"

	"purofs/engine/format"
)

// ErrDamaged is matched by every *DamageError.
var ErrDamaged = errors.New("the log is damaged")

// A DamageError tells of bytes that are not what was written.
type DamageError struct {
	Segment uint32 // number of the segment file
	Pos     int64  // first damaged byte
	End     int64  // where sound bytes begin again, -1 if nowhere
	Reason  string
	// Newer means that a newer version of purofs has written them. Only that can tell whether they are
	// sound, so nobody else removes or replaces them.
	Newer bool
}

// Error says where, how much and what to do next.
func (e *DamageError) Error() string {
	extent := "to its end"
	if e.End >= 0 {
		extent = fmt.Sprintf("to byte %d", e.End)
	}
	return fmt.Sprintf("segment %s is damaged from byte %d %s: %s",
		Name(e.Segment), e.Pos, extent, e.Reason)
}

// Is makes every *DamageError match ErrDamaged, and one of a newer version format.ErrVersion.
func (e *DamageError) Is(target error) bool {
	return target == ErrDamaged || e.Newer && target == format.ErrVersion
}
