package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/segment"
)

const (
	// cursorsDir is the directory of the store that holds a directory of cursors for each topic.
	cursorsDir = "cursors"
	// cursorNew is the name of a cursor's file while it is made, which no cursor can have.
	cursorNew = ".new"
	// cursorHashed begins the name of a directory that is named by a hash.
	cursorHashed = "%%"
	// cursorHalf is what there is to say of a cursor of which only one slot is sound.
	cursorHalf = "half of its file is damaged, or a power cut stopped its writing: it is where the " +
		"other half says, a step earlier perhaps"
	// cursorReads is how often a file is read that is perhaps just being written.
	cursorReads = 8
)

// cursorDir is the directory of a topic's cursors. A file's name cannot be all that a topic's can:
// '%', '/', NUL and a dot at the beginning are percent-encoded, and what is too long then, which
// takes dozens of them, is named by its hash.
func cursorDir(topic string) string {
	var b strings.Builder
	for i := range len(topic) {
		switch c := topic[i]; {
		case c == '%', c == '/', c == 0, c == '.' && i == 0:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	name := b.String()
	if len(name) > TopicNameBytesMax {
		sum := sha256.Sum256([]byte(topic))
		name = cursorHashed + hex.EncodeToString(sum[:])
	}
	return path.Join(cursorsDir, name)
}

func cursorPath(topic, name string) string { return path.Join(cursorDir(topic), name) }

// A cursorFile is the open file of a cursor.
type cursorFile struct {
	*disk.File
	inode uint64
	slot  format.CursorSlot // the newest one
	buf   [format.CursorSlotBytes]byte

	// closed and syncing are guarded by cursorSyncs.mu.
	closed  bool // but still to be synced
	syncing bool
}

// openCursorFile opens the file at a path of the store.
func openCursorFile(dir *disk.Dir, name string, flag int) (*cursorFile, error) {
	// A link would make two cursors of one, and a pipe none.
	if info, err := dir.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file (move it away): %w", name, ErrCursorDamaged)
	}
	file, err := dir.OpenFile(name, flag, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoCursor
	}
	if err != nil {
		return nil, err
	}
	return &cursorFile{File: file}, nil
}

// named tells whether the file is the one that has that name, and notes which one it is.
func (f *cursorFile) named(dir *disk.Dir, name string) (bool, error) {
	info, err := f.Info()
	if err != nil {
		return false, err
	}
	f.inode = info.Sys().(*syscall.Stat_t).Ino
	return dir.Has(name, info)
}

// lockCursorFile opens a cursor's file with its lock.
func lockCursorFile(dir *disk.Dir, name string) (*cursorFile, error) {
	for {
		f, err := openCursorFile(dir, name, os.O_RDWR)
		if err != nil {
			return nil, err
		}
		locked, err := segment.LockFile(f.File)
		named := false
		if locked {
			// Only who has the lock takes the name away: now that it is ours, it stays.
			named, err = f.named(dir, name)
		}
		switch {
		case err != nil:
		case !locked:
			err = ErrCursorHeld
		case named:
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
}

// slots reads the newest slot, and tells how many of the two are sound, and what is wrong with the
// first one that is not.
func (f *cursorFile) slots() (sound int, why, err error) {
	for i := range uint64(2) {
		n, err := f.ReadAt(f.buf[:], format.CursorSlotPos(i))
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, nil, err
		}
		slot, err := format.ParseCursorSlot(f.buf[:n])
		if err == nil && slot.Sequence%2 != i {
			err = format.ErrLength
		}
		if err != nil {
			if why == nil || errors.Is(err, format.ErrVersion) {
				why = err
			}
			continue
		}
		if sound == 0 || slot.Sequence > f.slot.Sequence {
			f.slot = slot
		}
		sound++
	}
	return sound, why, nil
}

// slotsShared is slots for a file whose lock somebody else may have: a slot that looks damaged may
// just be being written.
func (f *cursorFile) slotsShared() (sound int, why, err error) {
	for range cursorReads {
		sound, why, err = f.slots()
		if sound == 2 || err != nil {
			break
		}
	}
	return sound, why, err
}

// read reads the newest slot, and tells how many of the two are sound.
func (f *cursorFile) read() (sound int, err error) { return f.readable(f.slots()) }

// readShared is read for a file whose lock somebody else may have.
func (f *cursorFile) readShared() error {
	_, err := f.readable(f.slotsShared())
	return err
}

// readable makes an error of a file without any sound slot.
func (f *cursorFile) readable(sound int, why, err error) (int, error) {
	if err == nil && sound == 0 {
		err = fmt.Errorf("%w: neither half of %s can be read: %w (remove the cursor, make it "+
			"again, and set its position)", ErrCursorDamaged, f.Name(), why)
	}
	return sound, err
}

// write writes the slot behind the newest one; an error leaves that one.
func (f *cursorFile) write(slot *format.CursorSlot) error {
	b := format.AppendCursorSlot(f.buf[:0], slot)
	if _, err := f.WriteAt(b, format.CursorSlotPos(slot.Sequence)); err != nil {
		return err
	}
	f.slot = *slot
	return nil
}

// makeCursorFile makes the file of a cursor at the start of its topic. It has all its bytes, and
// they are on the disk, when it gets its name. The producer's lock is held, so that nobody else
// makes one.
func (l *Log) makeCursorFile(topic, name string) error {
	dir := cursorDir(topic)
	if err := l.makeCursorDir(dir); err != nil {
		return err
	}
	if _, err := l.dir.Lstat(path.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = ErrCursorExists
		}
		return err
	}
	making := path.Join(dir, cursorNew)
	file, err := l.dir.OpenFile(making, os.O_RDWR|os.O_CREATE|os.O_TRUNC, l.table.filePerm())
	if err != nil {
		return err
	}
	f := &cursorFile{File: file}
	for sequence := range uint64(2) {
		err = errors.Join(err, f.write(&format.CursorSlot{Sequence: sequence, BootID: l.bootID}))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := l.dir.Rename(making, path.Join(dir, name)); err != nil {
		return err
	}
	return l.syncDir(dir)
}

// makeCursorDir makes the directory of a topic's cursors, and the one above it.
func (l *Log) makeCursorDir(dir string) error {
	perm := fs.FileMode(l.table.mode&0o777) | 0o700
	for _, d := range []string{cursorsDir, dir} {
		err := l.dir.Mkdir(d, perm)
		if err == nil {
			err = l.syncDir(path.Dir(d))
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

func (l *Log) readDir(name string) ([]fs.DirEntry, error) { return readDir(l.dir, name) }

// readDir returns the entries of a directory of the store.
func readDir(dir *disk.Dir, name string) ([]fs.DirEntry, error) {
	d, err := dir.OpenDir(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir()
}

// syncDir forces the names in a directory of the store to the disk.
func (l *Log) syncDir(name string) error {
	d, err := l.dir.OpenDir(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
