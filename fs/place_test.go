package fs_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"purofs/fs"
)

func TestPlacesThatAreRefused(t *testing.T) {
	needRoot(t)
	for name, c := range map[string]struct {
		prepare func(t *testing.T, config *fs.Config)
		want    string
	}{
		"missing": {func(t *testing.T, c *fs.Config) {
			remove(t, c.Mountpoint)
		}, "make it with: mkdir"},
		"file": {func(t *testing.T, c *fs.Config) {
			remove(t, c.Mountpoint)
			write(t, c.Mountpoint)
		}, "is not a directory"},
		"not empty": {func(t *testing.T, c *fs.Config) {
			write(t, filepath.Join(c.Mountpoint, "x"))
		}, "is not empty"},
		"mounted already": {func(t *testing.T, c *fs.Config) {
			other := newConfig(t)
			other.Mountpoint = c.Mountpoint
			mount(t, other)
		}, "is mounted on"},
		"store inside": {func(_ *testing.T, c *fs.Config) {
			c.Store = filepath.Join(c.Mountpoint, "store")
		}, "inside the mount point"},
		"the same": {func(_ *testing.T, c *fs.Config) {
			c.Store = c.Mountpoint
		}, "inside the mount point"},
		"inside the store": {func(_ *testing.T, c *fs.Config) {
			c.Store = filepath.Dir(c.Mountpoint)
		}, "inside the store"},
		"inside by a link": {func(t *testing.T, c *fs.Config) {
			link := filepath.Join(filepath.Dir(c.Mountpoint), "link")
			if err := os.Symlink(c.Mountpoint, link); err != nil {
				t.Fatal(err)
			}
			c.Store = filepath.Join(link, "store")
		}, "inside the mount point"},
	} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(t)
			c.prepare(t, &config)
			mounted, err := fs.Mount(context.Background(), config)
			if err == nil {
				unmount(t, mounted)
				t.Fatal("it was mounted")
			}
			if !errors.Is(err, fs.ErrPlace) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want an ErrPlace with %q", err, c.want)
			}
		})
	}
}

// Of two stores that are mounted on one directory at the same time one is refused: none hides the
// other.
func TestMountsAtTheSameTime(t *testing.T) {
	needRoot(t)
	for range 20 {
		config := newConfig(t)
		other := config
		other.Store += "2"
		var mounts [2]*fs.Mounted
		var errs [2]error
		var both sync.WaitGroup
		for i, c := range []fs.Config{config, other} {
			both.Go(func() { mounts[i], errs[i] = fs.Mount(context.Background(), c) })
		}
		both.Wait()
		refused := 0
		for i, err := range errs {
			switch {
			case err == nil:
				unmount(t, mounts[i])
			case errors.Is(err, fs.ErrPlace):
				refused++
			default:
				t.Error(err)
			}
		}
		if refused != 1 {
			t.Fatalf("%d of two were refused, want one", refused)
		}
	}
}

// A daemon that hangs does not hang who would mount over it for good.
func TestPlaceThatDoesNotAnswer(t *testing.T) {
	needRoot(t)
	config := newConfig(t)
	d := startDaemon(t, config.Store, config.Mountpoint, nil)
	if err := d.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(d.Process.Pid, nil, unix.WUNTRACED, nil); err != nil {
		t.Fatal(err) // until all of its threads have stopped
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	mounted, err := fs.Mount(ctx, config)
	if err == nil {
		unmount(t, mounted)
	}
	if !errors.Is(err, fs.ErrPlace) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want an ErrPlace with the end of the context", err)
	}
	if err := d.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(name, nil, 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestUnmountPathRefuses(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := fs.UnmountPath(dir); !errors.Is(err, fs.ErrPlace) {
		t.Errorf("nothing mounted: got %v, want ErrPlace", err)
	}
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	err := fs.UnmountPath(dir)
	if !errors.Is(err, fs.ErrPlace) || !strings.Contains(err.Error(), "tmpfs") {
		t.Errorf("another file system: got %v, want ErrPlace with its type", err)
	}
}
