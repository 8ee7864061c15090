package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// keeperEnv names, in a process that is a keeper, the directory that it keeps.
const keeperEnv = "PUROFS_KEEPER"

// keeperPatience bounds how long a keeper waits for what is ending.
const keeperPatience = 5 * time.Minute

// RunKept runs tests and returns their exit status. All that they make stands below one directory:
// it is that for temporary files of everybody, named after name, and it is removed in the end. If
// the tests are killed, a process that stays cleans up behind them: a dead daemon leaves its mount,
// and a daemon in the background does not die with those who started it. prepare, if there is one,
// comes before the tests. TestMain has to call RunJob first.
func RunKept(m *testing.M, name string, prepare func(dir string) error) (status int) {
	status, err := runKept(m, name, prepare)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

func runKept(m *testing.M, name string, prepare func(dir string) error) (status int, err error) {
	dir, err := os.MkdirTemp("", name+".")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	// Users without rights have to get at what is in it, too.
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		return 0, err
	}
	if prepare != nil {
		if err := prepare(dir); err != nil {
			return 0, err
		}
	}
	if err := os.Setenv("TMPDIR", dir); err != nil {
		return 0, err
	}
	keeper, err := startKeeper(dir)
	if err != nil {
		return 0, err
	}
	heedSignals()
	status = m.Run()
	return status, keeper.dismiss()
}

// heedSignals has SIGHUP and SIGINT end the programs that tests start, also where the tests were
// started by nohup(1), or in the background by a script. A signal that is caught here is at its
// default there; one that is ignored would stay so, see execve(2).
func heedSignals() {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
}

// A keeper is the process that stays.
type keeper struct {
	word io.WriteCloser
	wait func() error
}

// allIsWell is the word at which a keeper has nothing to do. Without it the tests have been killed.
const allIsWell = "well"

// startKeeper starts the keeper of a directory.
func startKeeper(dir string) (*keeper, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", keeperEnv+"="+dir)
	cmd.Stderr = os.Stderr
	// Whoever interrupts the tests from a terminal must not interrupt the keeper too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	word, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// Not by Spawn: it is there to outlive us.
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

// keep is what a keeper does.
func keep(dir string) error {
	if word, err := io.ReadAll(os.Stdin); string(word) == allIsWell {
		return err
	}
	// Programs that were mounting at the time may come to their end, or to a mount.
	for deadline := time.Now().Add(keeperPatience); ; time.Sleep(10 * time.Millisecond) {
		left, err := CleanBelow(dir)
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

// CleanBelow unmounts what is mounted below a directory, at which its daemons end, and returns what
// is left to wait for: a mount, or a process that was started with the name of a file in there.
func CleanBelow(dir string) (left string, err error) {
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
	commands, err := CommandsBelow(dir)
	for _, command := range commands {
		left = command
	}
	return left, err
}

// CommandsBelow returns the command lines of all processes but this one that name a file in a
// directory, by the numbers of the processes.
func CommandsBelow(dir string) (map[int]string, error) {
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
