package codec

import (
	"errors"
	"fmt"
)

var (
	// ErrTooLong is returned for a record over the limit. What the handle carried of it is dropped,
	// and nothing of the write that met the limit is to be stored.
	ErrTooLong = errors.New("the record is over the limit (see the option max_record)")
	// ErrSyntax is matched by each LineError.
	ErrSyntax = errors.New("a line is not in the format of the file")
)

// A LineError says why a line is no record. It matches ErrSyntax, and nothing of the write that met
// it is to be stored.
type LineError struct {
	Line   uint64 // counted from 1, from the first that was written to the handle
	Reason string
}

// Error returns the number of the line and the reason.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// Is makes it match ErrSyntax.
func (e *LineError) Is(target error) bool { return target == ErrSyntax }

// atLine adds the number of the line to what is wrong with it.
func atLine(line uint64, err error) error {
	if errors.Is(err, ErrTooLong) {
		return fmt.Errorf("line %d: %w", line, err)
	}
	return &LineError{Line: line, Reason: err.Error()}
}
