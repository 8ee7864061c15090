package fs

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrPlace is matched by the errors that are about the mount point itself.
var ErrPlace = errors.New("unsuitable mount point")

// A badPlace says in full what is wrong, so it does not repeat ErrPlace's text.
type badPlace struct{ reason error }

func placeError(format string, args ...any) error { return badPlace{fmt.Errorf(format, args...)} }

func (e badPlace) Error() string   { return e.reason.Error() }
func (e badPlace) Unwrap() []error { return []error{ErrPlace, e.reason} }

// findPlace returns the config with its paths as checkPlace makes them. It ends with ctx: a hung
// daemon on the way to one of the paths does not answer.
func findPlace(ctx context.Context, config Config) (Config, error) {
	checked := make(chan error, 1)
	found := config
	go func() { checked <- checkPlace(&found) }()
	select {
	case err := <-checked:
		return found, err
	case <-ctx.Done():
		return config, placeError("%s, or what is mounted there, does not answer: %w",
			config.Mountpoint, ctx.Err())
	}
}

// checkPlace makes the paths absolute and free of links, and refuses a place where no mount should
// be. What a dead mount of ours left there is removed.
func checkPlace(config *Config) (err error) {
	if config.Store, err = resolveStore(config.Store); err != nil {
		return err
	}
	if config.Mountpoint, err = resolveMountpoint(config.Mountpoint); err != nil {
		return err
	}
	point := config.Mountpoint
	if err := checkFree(point); err != nil {
		return err
	}
	names, err := os.ReadDir(point)
	if err != nil {
		return placeError("%w", err)
	}
	if len(names) > 0 {
		return placeError("%s is not empty: it holds %.64q, which a mount would hide (make a new "+
			"directory for it)", point, names[0].Name())
	}
	return checkApart(config.Store, point)
}

// checkFree refuses a directory on which a store is mounted.
func checkFree(point string) error {
	entries, err := readMountTable()
	if err != nil {
		return err
	}
	if top, ok := topMount(entries, point); ok && top.fsType == fsType {
		return placeError("a store is mounted on %s already (end that with: purofs umount %[1]s)",
			point)
	}
	return nil
}

// claimPlace keeps other processes from mounting a store on a directory, until the claim is closed:
// without it two that mount at the same time would both find it free, and one store hide the other.
func claimPlace(point string) (claim *os.File, err error) {
	fd, err := unix.Open(point, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, placeError("open %s: %w", point, err)
	}
	claim = os.NewFile(uintptr(fd), point)
	// Where the file system has no locks the moment between the check and the mount is left open.
	if err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		err = placeError("another process is mounting on %s, or holds a lock on it", point)
	} else {
		err = checkFree(point)
	}
	if err != nil {
		claim.Close()
		return nil, err
	}
	return claim, nil
}

// resolveStore resolves a path whose last element may not exist yet.
func resolveStore(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	resolved, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, iofs.ErrNotExist) {
		return resolved, err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("%w (make the directory that the store shall be in first)", err)
	}
	return filepath.Join(parent, filepath.Base(path)), nil
}

// resolveMountpoint resolves the path of a directory. One that a dead mount has left is cleaned up.
func resolveMountpoint(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for {
		resolved, err := followLinks(path)
		var info os.FileInfo
		if err == nil {
			info, err = os.Stat(resolved)
		}
		if err == nil {
			// The kernel may remember of a dead mount all that stat asks for, but never this.
			err = unix.Statfs(resolved, &unix.Statfs_t{})
		}
		switch {
		case errors.Is(err, unix.ENOTCONN):
			if err := cleanUp(resolved); err != nil {
				return "", err
			}
		case errors.Is(err, iofs.ErrNotExist):
			return "", placeError("%w (make it with: mkdir %s)", err, path)
		case err != nil:
			return "", placeError("%w", err)
		case !info.IsDir():
			return "", placeError("%s is not a directory", path)
		default:
			return resolved, nil
		}
	}
}

// followLinks returns a path without links. If it leads to a dead mount then the error matches
// ENOTCONN, and the path is that of the mount.
func followLinks(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	var at *iofs.PathError
	if errors.Is(err, unix.ENOTCONN) && errors.As(err, &at) {
		return at.Path, err
	}
	return resolved, err
}

// cleanUp unmounts one dead mount: its daemon is gone.
func cleanUp(point string) error {
	entries, err := readMountTable()
	if err != nil {
		return err
	}
	if top, ok := topMount(entries, point); !ok || top.fsType != fsType {
		return placeError("the mount on %s is dead, and none of purofs (unmount it with: "+
			"umount -l %[1]s)", point)
	}
	if err := detach(point); err != nil {
		return placeError("the mount on %s is dead and cannot be removed: %w", point, err)
	}
	return nil
}

// checkApart refuses a store and a mount point of which one contains the other: the log would be
// kept in the file system that shows it, or be hidden by it.
func checkApart(store, point string) error {
	within, err := isWithin(store, point)
	if err != nil {
		return err
	}
	if within {
		return placeError("the store %s is inside the mount point %s", store, point)
	}
	if within, err = isWithin(point, store); err != nil {
		return err
	}
	if within {
		return placeError("the mount point %s is inside the store %s", point, store)
	}
	return nil
}

// isWithin tells whether a path is a directory or below it, by whatever name.
func isWithin(path, dir string) (bool, error) {
	want, err := os.Stat(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return false, nil // nothing can be in it
	}
	if err != nil {
		return false, err
	}
	for {
		info, err := os.Stat(path)
		if err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return false, err
		}
		if err == nil && os.SameFile(info, want) {
			return true, nil
		}
		parent := filepath.Dir(path)
		if parent == path {
			return false, nil
		}
		path = parent
	}
}
