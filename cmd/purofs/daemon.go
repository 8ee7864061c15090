package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// noReadyFD says that nobody waits for a report.
	noReadyFD = -1
	// childReadyFD is where a daemon finds the pipe to the process that started it: the first
	// descriptor after the three standard ones.
	childReadyFD = 3
	// readyReport is all that is ever written to that pipe. A daemon that fails writes its error to
	// the standard error it shares with its parent, and the pipe just ends.
	readyReport = "ready\n"
)

// startDaemon runs this mount in a process and session of its own, with / as its directory, and
// returns when the mount answers. Until then the daemon shares standard error, so that whatever
// goes wrong at the start is seen, a crash included.
func (c *mountCommand) startDaemon(store, mountpoint string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	arguments, err := c.daemonArguments(store, mountpoint)
	if err != nil {
		return err
	}
	fromDaemon, toParent, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	defer fromDaemon.Close()

	daemon := exec.Command(program, arguments...)
	daemon.Args[0] = os.Args[0]
	daemon.Dir = "/"
	daemon.Stderr = c.env.err
	daemon.ExtraFiles = []*os.File{toParent}
	daemon.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = daemon.Start()
	toParent.Close()
	if err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	return awaitDaemon(daemon, fromDaemon)
}

// daemonArguments is the command line of the daemon: this one's, with absolute paths.
func (c *mountCommand) daemonArguments(store, mountpoint string) ([]string, error) {
	arguments := []string{"mount", "--ready-fd=" + strconv.Itoa(childReadyFD)}
	if c.env.logLevel != "" {
		arguments = append(arguments, "--log-level="+c.env.logLevel)
	}
	if c.logFile != "" {
		logFile, err := filepath.Abs(c.logFile)
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, "--log-file="+logFile)
	}
	for _, list := range c.options {
		arguments = append(arguments, "-o", list)
	}
	return append(arguments, "--", store, mountpoint), nil
}

// awaitDaemon waits until the daemon is ready, and lets it go, or has failed.
func awaitDaemon(daemon *exec.Cmd, fromDaemon io.Reader) error {
	report, err := io.ReadAll(fromDaemon)
	if err != nil {
		return fmt.Errorf("wait for the daemon: %w", err)
	}
	if string(report) == readyReport {
		return daemon.Process.Release()
	}
	err = daemon.Wait()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && failed.Exited() {
		return errReported
	}
	return fmt.Errorf("the daemon ended before the mount answered: %w; "+
		"mount without --daemon to watch it", err)
}

// reportToParent is the daemon's side of awaitDaemon. It takes standard error away from the
// terminal first, so that nothing waits for its end: what Go prints of a crash goes to the log file
// from here on, if there is one.
func reportToParent(readyFD int, logFile string) error {
	if logFile == "" {
		logFile = os.DevNull
	}
	file, err := openLogFile(logFile)
	if err != nil {
		return fmt.Errorf("open the log file: %w", err)
	}
	defer file.Close()
	if err := unix.Dup3(int(file.Fd()), unix.Stderr, 0); err != nil {
		return fmt.Errorf("redirect standard error: %w", err)
	}
	parent := os.NewFile(uintptr(readyFD), "ready pipe")
	defer parent.Close()
	if _, err := parent.WriteString(readyReport); err != nil {
		return fmt.Errorf("the process that asked for the mount is gone: %w", err)
	}
	return nil
}
