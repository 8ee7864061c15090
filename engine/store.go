package engine

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"purofs/engine/disk"
	"purofs/engine/segment"
)

// checkpointName is the file that says up to where the log needs no second look.
const checkpointName = "checkpoint"

// storeFiles are the names besides segments that a store may hold; see FORMAT.md, "Files of a
// store". lost+found belongs to the file system when a store is a disk of its own.
var storeFiles = []string{
	checkpointName, unsyncedName, indexDir, "cursors", segment.LostDir, "lost+found",
}

// openStore opens the store's directory, which is made if it does not exist, and sets in t who owns
// topics that nobody made.
func openStore(path string, readOnly bool, hook disk.Hook, t *table) (*disk.Dir, error) {
	dir, err := disk.OpenDir(path, hook)
	if errors.Is(err, fs.ErrNotExist) && !readOnly {
		if err = makeStore(path, hook); err == nil {
			dir, err = disk.OpenDir(path, hook)
		}
	}
	if errors.Is(err, syscall.ENOTDIR) {
		err = fmt.Errorf("%w: it is a file, not a directory", ErrNotStore)
	}
	if err != nil {
		return nil, err
	}
	if err := checkStore(dir, t); err != nil {
		dir.Close()
		return nil, err
	}
	dir.GiveTo(t.uid, t.gid)
	if !readOnly && !dir.Writable() {
		dir.Close()
		return nil, fmt.Errorf("%w: you may not write to it (open it read-only, option ro, or "+
			"change its owner)", fs.ErrPermission)
	}
	return dir, nil
}

// makeStore makes the store's directory if there is none, and forces its name to the disk.
func makeStore(path string, hook disk.Hook) error {
	parent, err := disk.OpenDir(filepath.Dir(path), hook)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (make the directory that it shall be in first)", err)
	}
	if err != nil {
		return err
	}
	defer parent.Close()
	err = parent.Mkdir(filepath.Base(path), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return parent.Sync()
}

// checkStore refuses a directory that is not a store or cannot be one.
func checkStore(dir *disk.Dir, t *table) error {
	info, err := dir.Stat()
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	t.uid, t.gid = owner.Uid, owner.Gid
	t.mode = uint32(info.Mode().Perm()) & 0o777
	if err := refuseNetwork(dir); err != nil {
		return err
	}
	entries, err := dir.ReadDir()
	if err != nil {
		return err
	}
	foreign := ""
	for _, e := range entries {
		if _, ok := segment.ParseName(e.Name()); ok {
			return nil
		}
		if !strings.HasPrefix(e.Name(), ".") && !isNewCheckpoint(e.Name()) &&
			!slices.Contains(storeFiles, e.Name()) {
			foreign = e.Name()
		}
	}
	if foreign != "" {
		return fmt.Errorf("%w: it holds %.64q but no segment", ErrNotStore, foreign)
	}
	return nil
}

// networkFS are the file systems whose locks are lost with a connection; see statfs(2) and
// fcntl(2).
var networkFS = map[int64]string{
	unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB",
	unix.CIFS_SUPER_MAGIC: "CIFS", unix.AFS_SUPER_MAGIC: "AFS", unix.CODA_SUPER_MAGIC: "Coda",
	unix.V9FS_MAGIC: "9P", unix.CEPH_SUPER_MAGIC: "Ceph", unix.NCP_SUPER_MAGIC: "NCP",
}

func refuseNetwork(dir *disk.Dir) error {
	kind, err := dir.FSType()
	if err != nil {
		return fmt.Errorf("asking for the kind of file system: %w", err)
	}
	if name, found := networkFS[kind]; found {
		return fmt.Errorf("%w: this one is on %s; put it on a disk of this machine", ErrNetworkFS, name)
	}
	return nil
}

// segmentsOf returns the numbers of the segments in dir, ascending.
func segmentsOf(dir *disk.Dir) ([]uint32, error) {
	entries, err := dir.ReadDir()
	if err != nil {
		return nil, err
	}
	var orders []uint32
	for _, e := range entries {
		if order, ok := segment.ParseName(e.Name()); ok {
			orders = append(orders, order)
		}
	}
	slices.Sort(orders)
	return withMissed(dir, orders), nil
}

// listedGapMax is how many segments can be started, by whatever many producers, while a directory
// is read. A larger gap is one that another program left.
const listedGapMax = 1024

// withMissed adds the segments that a listing has missed. Of files that are made while a directory
// is read it may tell of a later one and not of an earlier one, see readdir(3); but a segment is
// there before the next one is made.
func withMissed(dir *disk.Dir, orders []uint32) []uint32 {
	all := make([]uint32, 0, len(orders))
	for i, order := range orders {
		if i > 0 && order-orders[i-1] <= listedGapMax {
			for missed := orders[i-1] + 1; missed < order; missed++ {
				if _, err := dir.Lstat(segment.Name(missed)); err == nil {
					all = append(all, missed)
				}
			}
		}
		all = append(all, order)
	}
	return all
}

func newStoreID() (id [16]byte) {
	_, _ = rand.Read(id[:]) // never fails, see crypto/rand
	return id
}

// readBootID returns what changes with each boot of the machine, see random(4). Where it cannot be
// read, a fresh value makes every opening look like the first one after a boot, which is safe.
func readBootID() (id [16]byte) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	digits := strings.ReplaceAll(strings.TrimSpace(string(text)), "-", "")
	if b, decodeErr := hex.DecodeString(digits); err == nil && decodeErr == nil && len(b) == len(id) {
		return [16]byte(b)
	}
	return newStoreID()
}
