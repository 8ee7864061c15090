package mount_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"purofs/engine/oracle"
)

// ownMountsEnv is set for a test that runs in mounts of its own.
const ownMountsEnv = "PUROFS_MOUNT_TEST_OWN_MOUNTS"

// inOwnMounts tells whether the test has a mount namespace of its own. If not, the test is run
// again in one, and the caller has to return. What a test mounts there is gone when its processes
// are, in whatever way they end, and nobody else sees it: not even another boot id of the machine.
func inOwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(ownMountsEnv) != "" {
		return true
	}
	needRoot(t)
	needFuse(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0],
		"-test.run=^"+t.Name()+"$"+partsToRun(t.Name()), "-test.v", "-test.timeout=5h")
	cmd.Env = testEnviron(ownMountsEnv+"=1", programEnv+"="+program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := oracle.Spawn(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	text := strings.TrimSpace(out.String())
	switch {
	case err != nil:
		t.Fatalf("in mounts of its own: %v\n%s", err, text)
	case strings.Contains(text, "--- SKIP: "+t.Name()+" "):
		t.Skip(text)
	}
	t.Log(text)
	return false
}

// partsToRun is what the pattern of the tests to run says of the parts of one: what stands behind
// the slash, and that slash.
func partsToRun(test string) string {
	for pattern := range strings.SplitSeq(flag.Lookup("test.run").Value.String(), "|") {
		name, parts, found := strings.Cut(pattern, "/")
		if matches, _ := regexp.MatchString(name, test); matches && found {
			return "/" + parts
		}
	}
	return ""
}

// bootID is where the kernel says which boot of the machine this is; see random(4).
const bootID = "/proc/sys/kernel/random/boot_id"

// A machine is the one that this test's processes believe to run on.
type machine struct {
	*testing.T
	id string // path of the file that stands in for bootID
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t, filepath.Join(t.TempDir(), "boot_id")}
	m.boot(0)
	if err := unix.Mount(m.id, bootID, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(bootID, 0); err != nil {
			t.Error(err)
		}
	})
	return m
}

// boot starts the machine: from now on it is in its nth boot.
func (m *machine) boot(n int) {
	m.Helper()
	id := fmt.Sprintf("00000000-0000-4000-8000-%012x\n", n)
	if err := os.WriteFile(m.id, []byte(id), 0o644); err != nil {
		m.Fatal(err)
	}
}
