package mount_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A keeper is a process that stays when the tests are killed, to clean up behind them: a dead
// daemon leaves its mount, and a daemon in the background does not die with those who started it.
// All that the tests make stands below one directory, so that is what the keeper looks at.
type keeper struct {
	word io.WriteCloser
	wait func() error
}

// allIsWell is the word at which a keeper has nothing to do. Without it the tests have been killed.
const allIsWell = "well"

// startKeeper starts the keeper of a directory.
func startKeeper(dir string) (*keeper, error) {
	cmd := child("keep", dir)
	cmd.Stderr = os.Stderr
	// Whoever interrupts the tests from a terminal must not interrupt the keeper too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	word, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// Not by oracle.Spawn: it is there to outlive us.
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &keeper{word, cmd.Wait}, nil
}

// dismiss ends the keeper: the tests have cleaned up themselves.
func (k *keeper) dismiss() error {
	_, err := io.WriteString(k.word, allIsWell)
	return errors.Join(err, k.word.Close(), k.wait())
}

// childKeep is the keeper of a directory: DIRECTORY
func childKeep(args []string) error {
	dir := args[0]
	if word, err := io.ReadAll(os.Stdin); string(word) == allIsWell {
		return err
	}
	// Programs that were mounting at the time may come to their end, or to a mount.
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		left, err := cleanBelow(dir)
		if err != nil {
			return err
		}
		if left == "" {
			return os.RemoveAll(dir)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the tests were killed, and this is left of them: %s", left)
		}
	}
}

// cleanBelow unmounts what is mounted below a directory, at which its daemons end, and returns what
// is left to wait for: a mount, or a process that was started with the name of a file in there.
func cleanBelow(dir string) (left string, err error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(table)) {
		point := strings.Fields(line)[4]
		if strings.HasPrefix(point, dir+"/") {
			left = point
			_ = unix.Unmount(point, unix.MNT_DETACH) // tried again as long as it is there
		}
	}
	commands, err := commandsBelow(dir)
	for _, command := range commands {
		left = command
	}
	return left, err
}

// commandsBelow returns the command lines of all processes but this one that name a file in a
// directory, by the numbers of the processes.
func commandsBelow(dir string) (map[int]string, error) {
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	commands := make(map[int]string)
	for _, name := range names {
		line, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(line, []byte(dir+"/")) {
			continue // it has ended, or has nothing to do with us
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			return nil, err
		}
		commands[pid] = string(bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
	}
	delete(commands, os.Getpid())
	return commands, nil
}

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
		left, err := cleanBelow(dir)
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
