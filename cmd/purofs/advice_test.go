package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// What the program advises is explained at length in the operator's manual, under the same words.
func TestAdviceIsInTheManual(t *testing.T) {
	manual, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range advice {
		if !strings.Contains(string(manual), "`"+a.err.Error()+"`") {
			t.Errorf("docs/operations.md does not mention `%v`", a.err)
		}
	}
}

// Each error gets its own advice: none is hidden by an earlier one.
func TestAdviceIsReached(t *testing.T) {
	for _, a := range advice {
		wrapped := fmt.Errorf("append: %w", a.err)
		if got, want := adviceFor(wrapped), "; "+a.do; got != want {
			t.Errorf("advice for %v = %q, want %q", a.err, got, want)
		}
	}
	if got := adviceFor(errors.New("other")); got != "" {
		t.Errorf("advice for an unknown error = %q", got)
	}
}

func TestExitStatus(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
		says   string
	}{
		{"success", nil, exitOK, ""},
		{"failure", errors.New("what: why"), exitFailure, "purofs: what: why\n"},
		{"advice", fmt.Errorf("what: %w", syscall.ENOSPC), exitFailure,
			"purofs: what: no space left on device; make room on the disk, then go on: " +
				"what was stored before is sound\n"},
		{"usage", usageErrorf("what: %w", os.ErrInvalid), exitUsage, "purofs: what: invalid argument\n"},
		{"damage", errDamageFound, exitDamage, ""},
		{"reported", fmt.Errorf("what: %w", errReported), exitFailure, ""},
		{"closed pipe", outputError(syscall.EPIPE), exitFailure, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var stderr strings.Builder
			if got := exitStatus(&stderr, test.err); got != test.status {
				t.Errorf("exit status %d, want %d", got, test.status)
			}
			if stderr.String() != test.says {
				t.Errorf("printed %q, want %q", stderr.String(), test.says)
			}
		})
	}
}
