package fs_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"purofs/engine"
	"purofs/fs"
)

func TestMountServesAndEnds(t *testing.T) {
	config := newConfig(t)
	mounted := mount(t, config)
	got := shell(t, config, `mkdir $M/t && echo hello >> $M/t/append && cat $M/t/log`)
	if got != "hello\n" {
		t.Errorf("got %q, want hello", got)
	}
	table := shell(t, config, `grep " $M " /proc/self/mountinfo`)
	for _, want := range []string{"nosuid", "nodev", "noexec", " fuse.purofs " + config.Store} {
		if !strings.Contains(table, want) {
			t.Errorf("%s is not in %q", want, table)
		}
	}
	if strings.Contains(table, "allow_other") {
		t.Errorf("others may enter: %q", table)
	}
	unmount(t, mounted)
	if err := mounted.Wait(); err != nil {
		t.Errorf("Wait: %v", err)
	}
	if isMounted(t, config.Mountpoint) {
		t.Error("it is still mounted")
	}
	// What was written is there for the next one.
	mount(t, config)
	if got := shell(t, config, `cat $M/t/log`); got != "hello\n" {
		t.Errorf("after another mount: got %q", got)
	}
}

// waitingReaders are cats that have read one record and wait for the next.
func waitingReaders(t *testing.T, config fs.Config, n int) []*program {
	t.Helper()
	shell(t, config, `mkdir -p $M/t && echo first >> $M/t/append`)
	cats := make([]*program, n)
	for i := range cats {
		cats[i] = start(t, config, `exec cat $M/t/stream`)
	}
	return cats
}

func TestEndLetsReadersGo(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, mounted *fs.Mounted, point string){
		"unmount": func(t *testing.T, mounted *fs.Mounted, _ string) { unmount(t, mounted) },
		"unmount by path": func(t *testing.T, _ *fs.Mounted, point string) {
			if err := fs.UnmountPath(point); err != nil {
				t.Error(err)
			}
		},
		"lazy unmount by somebody": func(t *testing.T, _ *fs.Mounted, point string) {
			if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(t)
			mounted := mount(t, config)
			cats := waitingReaders(t, config, 100)
			began := time.Now()
			end(t, mounted, config.Mountpoint)
			for _, cat := range cats {
				if err := cat.Wait(); err != nil {
					t.Errorf("a reader did not see the end of the file: %v", err)
				}
			}
			if err := mounted.Wait(); err != nil {
				t.Errorf("Wait: %v", err)
			}
			t.Logf("it took %v", time.Since(began))
			if isMounted(t, config.Mountpoint) {
				t.Error("it is still mounted")
			}
		})
	}
}

func TestUnmountBySomebodyElse(t *testing.T) {
	config := newConfig(t)
	mounted := mount(t, config)
	shell(t, config, `umount $M`)
	if err := mounted.Wait(); err != nil {
		t.Errorf("Wait: %v", err)
	}
	unmount(t, mounted)
}

// A mount that was given another name, or moved to one, leaves nothing dead there.
func TestUnmountUnderOtherNames(t *testing.T) {
	for name, rename := range map[string]string{
		"bind": `mount --bind $M $OTHER`,
		"move": `mount --move $M $OTHER`,
	} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(t)
			needRoot(t)
			// What is below a mount that is shared with others cannot be moved.
			dir := filepath.Dir(config.Mountpoint)
			private := unix.Mount(dir, dir, "", unix.MS_BIND, "")
			if err := errors.Join(private, unix.Mount("", dir, "", unix.MS_PRIVATE, "")); err != nil {
				t.Skip(err)
			}
			t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
			other := filepath.Join(dir, "other")
			mounted := mount(t, config)
			shell(t, config, `OTHER=$(dirname $M)/other; mkdir $OTHER; `+rename)
			unmount(t, mounted)
			if isMounted(t, other) || isMounted(t, config.Mountpoint) {
				t.Error("it is still mounted")
			}
		})
	}
}

// Who has a file open and does not let go is cut off.
func TestUnmountWhileInUse(t *testing.T) {
	config := newConfig(t)
	mounted := mount(t, config)
	holder := start(t, config, `mkdir $M/t && cd $M/t && exec 3>> append && echo whole >&3 &&
		echo open && read -r && ! echo more >&3 && echo cut off`)
	unmount(t, mounted)
	if isMounted(t, config.Mountpoint) {
		t.Error("it is still mounted")
	}
	if _, err := io.WriteString(holder.stdin, "go on\n"); err != nil {
		t.Error(err)
	}
	if line, err := holder.output.ReadString('\n'); line != "cut off\n" {
		t.Errorf("who held a file open said %q, %v; want cut off", line, err)
	}
	if err := holder.Wait(); err != nil {
		t.Error(err)
	}
	log, err := engine.Open(context.Background(), config.Store, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if info, err := log.Topic("t"); err != nil || info.Next != 1 {
		t.Errorf("the store has %+v, %v; want one record", info, err)
	}
}

func TestDeadMountIsCleanedUp(t *testing.T) {
	needRoot(t)
	config := newConfig(t)
	d := startDaemon(t, config.Store, config.Mountpoint, nil)
	shell(t, config, `mkdir $M/t && echo hello >> $M/t/append`)
	d.kill(t)
	var st unix.Stat_t
	if err := unix.Stat(config.Mountpoint, &st); err != unix.ENOTCONN {
		t.Fatalf("stat of a dead mount: got %v, want ENOTCONN", err)
	}
	mount(t, config)
	if got := shell(t, config, `cat $M/t/log`); got != "hello\n" {
		t.Errorf("got %q, want hello", got)
	}
}

// A dead mount cannot be asked for its name, so links to it are followed without.
func TestDeadMountBehindALink(t *testing.T) {
	needRoot(t)
	for name, link := range map[string]struct{ to, path string }{
		"to it":          {"mnt", "link"},
		"to where it is": {".", "link/mnt"},
	} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(t)
			dir := filepath.Dir(config.Mountpoint)
			if err := os.Symlink(link.to, filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			linked := config
			linked.Mountpoint = filepath.Join(dir, link.path)

			startDaemon(t, config.Store, config.Mountpoint, nil).kill(t)
			if err := fs.UnmountPath(linked.Mountpoint); err != nil {
				t.Errorf("unmount: %v", err)
			}
			startDaemon(t, config.Store, config.Mountpoint, nil).kill(t)
			mount(t, linked)
			if got := shell(t, config, `ls -A $M`); got != ".puro\n" {
				t.Errorf("got %q, want .puro", got)
			}
		})
	}
}
