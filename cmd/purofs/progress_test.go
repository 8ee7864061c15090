package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns the two ends of a pseudo-terminal, see pty(7).
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("/dev/pts/%d", number)
	program, err = os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// A person at a terminal sees how far a command is; a file gets nothing of it.
func TestProgress(t *testing.T) {
	person, program := openTerminal(t)
	show, end := (&environment{err: program}).progress("verify")
	show(50<<20, 100<<20)
	end()
	seen := make([]byte, 4096)
	n, err := person.Read(seen)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(seen[:n]); !strings.Contains(got, "verify") || !strings.Contains(got, "50%") {
		t.Errorf("the terminal shows %q, want verify and 50%%", got)
	}

	file, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	show, end = (&environment{err: file}).progress("verify")
	show(50<<20, 100<<20)
	end()
	if info, err := file.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("got %v, %v, want nothing in a file", info.Size(), err)
	}
}
