package mount_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"purofs/engine/oracle"
)

// victimEnv is set for the tests that TestKilledTests kills.
const victimEnv = "PUROFS_MOUNT_TEST_VICTIM"

// Tests that are killed in the middle of their work leave nothing: no daemon, be it a child of
// theirs or one in the background, no program, no mount and no file.
func TestKilledTests(t *testing.T) {
	if os.Getenv(victimEnv) != "" {
		beKilled(t)
		return
	}
	t.Parallel()
	needFuse(t)
	dir := t.TempDir()
	victim := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	victim.Env = testEnviron(victimEnv+"=1", "TMPDIR="+dir, programEnv+"="+program)
	p := start(t, victim)
	p.wantLines("two daemons and three readers")
	p.signal(syscall.SIGKILL)
	p.wait()
	until(t, "nothing is left", func() bool {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		left, err := oracle.CleanBelow(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(files) == 0 && left == ""
	})
}

// beKilled has a test do what tests do, and waits for its end.
func beKilled(t *testing.T) {
	m := mountStore(t)
	m.mkdir("t")
	m.start(`echo one >> t/append; exec cat t/stream`).wantLines("one")
	store, dir := newPlace(t)
	p := start(t, exec.Command("bash", "-c", fmt.Sprintf(`set -e
		purofs mount --daemon %s %s
		mkdir %[2]s/t; echo one >> %[2]s/t/append; exec cat %[2]s/t/stream`, store, dir)))
	p.wantLines("one")
	fifo := filepath.Join(t.TempDir(), "fifo") // which has an end only if nobody has it open to write
	start(t, exec.Command("bash", "-c", `mkfifo $1; echo one; read -r <> $1`, "bash", fifo)).
		wantLines("one")
	fmt.Println("two daemons and three readers")
	<-t.Context().Done()
}
