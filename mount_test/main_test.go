package mount_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"purofs/engine/oracle"
)

// program is the path of the purofs that is tested.
var program string

// programEnv names a purofs to test in place of one that is built from here, for example the one
// that a package has installed.
const programEnv = "PUROFS_TEST_PROGRAM"

// childEnv names what a process that was started by a test does instead of testing.
const childEnv = "PUROFS_MOUNT_TEST_CHILD"

func TestMain(m *testing.M) {
	oracle.RunJob()
	if name := os.Getenv(childEnv); name != "" {
		if err := children[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(oracle.RunKept(m, "purofs-mount-test", build))
}

// build builds the program into dir, with the race detector if the tests have it.
func build(dir string) error {
	if program = os.Getenv(programEnv); program != "" {
		return nil
	}
	program = filepath.Join(dir, "purofs")
	args := []string{"build", "-o", program}
	if raceEnabled() {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "purofs/cmd/purofs")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return nil
}

// raceEnabled tells whether this test was built with the race detector.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, setting := range info.Settings {
		if setting.Key == "-race" {
			return setting.Value == "true"
		}
	}
	return false
}

// testEnviron is the environment of every process that a test starts: PATH finds the program,
// output is in English, and the race detector, should there be one, does not have processes sleep
// for a second before they exit.
func testEnviron(more ...string) []string {
	var env []string
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); name != "NOTIFY_SOCKET" && name != "LC_ALL" {
			env = append(env, setting)
		}
	}
	path := filepath.Dir(program) + ":" + os.Getenv("PATH")
	return append(append(env, "PATH="+path, "LC_ALL=C", "GORACE=atexit_sleep_ms=0"), more...)
}
