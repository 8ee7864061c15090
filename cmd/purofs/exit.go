package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// Exit statuses of the program.
const (
	exitOK      = 0
	exitFailure = 1 // it could not be done
	exitUsage   = 2 // the command line is wrong
	exitDamage  = 3 // verify or dump found damage, or repair has something to do
)

// errDamageFound ends a command that has printed which damage it found.
var errDamageFound = errors.New("the store is damaged")

// errReported ends a command whose failure has been printed already.
var errReported = errors.New("reported")

// errOutput is matched by errors of standard output, which no store is to blame for.
var errOutput = errors.New("writing the output")

// outputError is the error of a write to standard output, or nil if there was none.
func outputError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errOutput, err)
}

// A usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usageErrorf(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// exitStatus prints the error that a command ended with and returns the exit status for it.
func exitStatus(stderr io.Writer, err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errDamageFound):
		return exitDamage
	case errors.Is(err, errReported), errors.Is(err, syscall.EPIPE):
		// Whoever closed the pipe that the output goes to has seen enough: that is no news.
		return exitFailure
	}
	fmt.Fprintf(stderr, "purofs: %v%s\n", err, adviceFor(err))
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}
