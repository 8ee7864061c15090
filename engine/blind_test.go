package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"purofs/engine"
)

// A process that gets no inotify instance, of which a user may have 128, is told of what others
// append all the same.
func TestFollowingWithoutInotify(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	// Limits can be set in a user namespace without touching those of anybody else.
	alone := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	if err := (&exec.Cmd{Path: "/bin/true", SysProcAttr: alone}).Run(); err != nil {
		t.Skip("no user namespace can be made here: ", err)
	}
	blind := startChildFrom(t, os.Args[0], alone, "blind", dir)
	for i := range 2 {
		blind.expect(t, "waiting")
		value := fmt.Sprint("record", i)
		appendTo(t, l, "t", value)
		blind.expect(t, value)
	}
}

// childBlind says the records of topic t of a store, without inotify, until it is killed. Before
// each it says that it waits: what was there by then it would have seen without being told.
func childBlind(args []string) error {
	err := os.WriteFile("/proc/sys/user/max_inotify_instances", []byte("0"), 0)
	if err != nil {
		return err
	}
	if _, err := unix.InotifyInit1(unix.IN_CLOEXEC); !errors.Is(err, unix.EMFILE) {
		return fmt.Errorf("inotify_init1: %w, want EMFILE", err)
	}
	l, err := engine.Open(context.Background(), args[0], engine.Options{})
	if err != nil {
		return err
	}
	r, err := l.OpenReader("t", engine.Start())
	if err != nil {
		return err
	}
	for {
		woken := make(chan struct{})
		l.Watch("t", r.Next(), func() { close(woken) })
		fmt.Println("waiting")
		<-woken
		record, err := r.TryNext()
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", record.Value)
	}
}
