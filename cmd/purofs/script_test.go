package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"purofs": main})
}

// Each file of testdata/script is a session of a person or a script with the program.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:       "testdata/script",
		Condition: scriptCondition,
		Setup: func(env *testscript.Env) error {
			// The race detector lets every process sleep for a second before it exits, lest a race in
			// its last moment be missed. What these commands do is over by then.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			// A script that fails must not leave its mount behind.
			env.Defer(func() { _ = unix.Unmount(filepath.Join(env.WorkDir, "mnt"), unix.MNT_DETACH) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": scriptExits,
			"flip":  scriptFlip,
		},
	})
}

// scriptCondition knows [fuse], that mounts are possible here, and [root].
func scriptCondition(name string) (bool, error) {
	switch name {
	case "fuse":
		_, err := exec.LookPath("fusermount3")
		possible := os.Geteuid() == 0 || err == nil
		return possible && unix.Access("/dev/fuse", unix.R_OK|unix.W_OK) == nil, nil
	case "root":
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// scriptExits runs a command and checks its exit status: exits STATUS COMMAND [ARGUMENT...]
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%q exited with status %d, want %d", args[1:], got, want)
	}
}

// scriptFlip inverts the byte that stands at a distance before the end of a file: flip FILE
// DISTANCE
func scriptFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE DISTANCE")
	}
	distance, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	file, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	defer file.Close()
	end, err := file.Seek(0, io.SeekEnd)
	ts.Check(err)
	var b [1]byte
	_, err = file.ReadAt(b[:], end-distance)
	ts.Check(err)
	b[0] = ^b[0]
	_, err = file.WriteAt(b[:], end-distance)
	ts.Check(err)
}
