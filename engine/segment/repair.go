package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"purofs/engine/disk"
	"purofs/engine/format"
)

// LostDir is the directory of a store in which the bytes that repairs removed are kept.
const LostDir = "lost"

// Repair removes a torn tail: what is behind pos, the end of the last sound block. Its bytes are
// first copied to a new file in LostDir, whose name within the store is returned. The caller holds
// the producer's lock.
func (s *Segment) Repair(dir *disk.Dir, pos int64) (kept string, err error) {
	kept, err = s.keep(dir, pos, NoLimit)
	if err != nil {
		return "", fmt.Errorf("keeping the torn tail of %s: %w", Name(s.order), err)
	}
	if err := s.file.Truncate(pos); err != nil {
		return kept, fmt.Errorf("removing the torn tail of %s: %w", Name(s.order), err)
	}
	// Without this a power cut could bring the tail back behind what is appended now.
	return kept, s.Sync()
}

// Replace puts blocks that say so in the place of bytes that are not sound, from pos to end, which
// have to be a size that format.CanFill. The bytes are first copied to a new file in LostDir, whose
// name within the store is returned. Nothing else moves or changes, so whoever reads or follows the
// segment meanwhile is not disturbed. The caller holds the producer's lock.
//
// At every moment the place is either not sound or holds such blocks, whatever reaches the disk of
// it: a block's signal is raised when all of it is there. A repair that ends on the way is simply
// done again.
func (s *Segment) Replace(dir *disk.Dir, pos, end int64) (kept string, err error) {
	kept, err = s.keep(dir, pos, end)
	if err != nil {
		return "", fmt.Errorf("keeping damaged bytes of %s: %w", Name(s.order), err)
	}
	if err := s.fill(pos, end, kept); err != nil {
		return kept, fmt.Errorf("replacing damaged bytes of %s: %w", Name(s.order), err)
	}
	return kept, nil
}

// fill writes the blocks of Replace. The last one comes first: then what stands before them goes on
// being damage with something behind it, and never looks like a torn tail.
func (s *Segment) fill(pos, end int64, note string) error {
	magic := pos == 0 && magicFits(end)
	from := pos
	if magic {
		from = int64(len(format.Magic))
	}
	for end > from {
		n := min(end-from, format.LostBytesMax)
		if rest := end - from - n; rest > 0 && !format.CanFill(rest) {
			n -= format.LostBytesMin
		}
		if err := s.fillOne(end-n, int(n), note); err != nil {
			return err
		}
		end -= n
	}
	if !magic {
		return nil
	}
	if _, err := s.file.WriteAt(format.Magic[:], 0); err != nil {
		return err
	}
	return s.Sync()
}

// magicFits tells whether a segment whose first bytes up to end are lost can begin with a magic.
func magicFits(end int64) bool {
	rest := end - int64(len(format.Magic))
	return rest == 0 || rest > 0 && format.CanFill(rest)
}

// CanReplace tells whether Replace can fill that place.
func CanReplace(pos, end int64) bool {
	return format.CanFill(end-pos) || pos == 0 && magicFits(end)
}

func (s *Segment) fillOne(pos int64, n int, note string) error {
	block := format.AppendLost(nil, n, note)
	if _, err := s.file.WriteAt(block, pos); err != nil {
		return err
	}
	// These bytes are not appended, so no file system orders them before the signal by itself.
	if err := s.Sync(); err != nil {
		return err
	}
	if _, err := s.file.WriteAt(raised[:], pos+format.SignalOffset); err != nil {
		return err
	}
	return s.Sync()
}

// keep copies the bytes from pos to end to a file that a power cut cannot take away.
func (s *Segment) keep(dir *disk.Dir, pos, end int64) (name string, err error) {
	if err := makeLost(dir); err != nil {
		return "", err
	}
	file, name, err := createLost(dir, s.order, pos)
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			err = errors.Join(err, dir.Remove(name)) // half a copy would only mislead
		}
	}()
	if _, err := io.Copy(file, io.NewSectionReader(s, pos, end-pos)); err != nil {
		return name, err
	}
	if err := file.Sync(); err != nil {
		return name, err
	}
	lost, err := dir.OpenDir(LostDir)
	if err != nil {
		return name, err
	}
	defer lost.Close()
	return name, errors.Join(lost.Sync(), dir.Sync())
}

// makeLost makes LostDir, unless it is there. Who may write to the store may have to put something
// there.
func makeLost(dir *disk.Dir) error {
	store, err := dir.Stat()
	if err != nil {
		return err
	}
	err = dir.Mkdir(LostDir, store.Mode().Perm()|0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// MoveToLost moves a file of the store to LostDir, and returns its new name within the store. That
// of a file in a directory has dashes instead of slashes, and is cut to what a name can hold.
func MoveToLost(dir *disk.Dir, name string) (kept string, err error) {
	if err := makeLost(dir); err != nil {
		return "", err
	}
	lost, err := dir.OpenDir(LostDir)
	if err != nil {
		return "", err
	}
	defer lost.Close()
	flat := strings.ReplaceAll(name, "/", "-")
	flat = flat[:min(len(flat), lostNameBytesMax)]
	for i := range lostFilesMax {
		kept := fmt.Sprintf("%s.%d", flat, i)
		if _, err := lost.Lstat(kept); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		kept = LostDir + "/" + kept
		if err := dir.Rename(name, kept); err != nil {
			return "", err
		}
		return kept, errors.Join(lost.Sync(), syncParent(dir, name), dir.Sync())
	}
	return "", lostFull(name)
}

// syncParent forces to the disk that a name is gone from a directory in the store.
func syncParent(dir *disk.Dir, name string) error {
	if path.Dir(name) == "." {
		return nil
	}
	parent, err := dir.OpenDir(path.Dir(name))
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.Sync()
}

func lostFull(of string) error {
	return fmt.Errorf("%s holds %d files of %s already: move them away", LostDir, lostFilesMax, of)
}

// lostFilesMax is how many files of one place are kept.
const lostFilesMax = 10_000

// lostNameBytesMax leaves room for a number in a name of 255 bytes.
const lostNameBytesMax = 240

// createLost makes a new file for the bytes from pos on of a segment.
func createLost(dir *disk.Dir, order uint32, pos int64) (*disk.File, string, error) {
	for i := range lostFilesMax {
		name := fmt.Sprintf("%s/%s-%d.%d", LostDir, Name(order), pos, i)
		file, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return file, name, err
		}
	}
	return nil, "", lostFull(fmt.Sprintf("byte %d of %s", pos, Name(order)))
}
