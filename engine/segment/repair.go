package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"purofs/engine/disk"
)

// LostDir is the directory of a store in which the bytes that repairs removed are kept.
const LostDir = "lost"

// Repair removes a torn tail: what is behind pos, the end of the last sound block. Its bytes are
// first copied to a new file in LostDir, whose name within the store is returned. The caller holds
// the producer's lock.
func (s *Segment) Repair(dir *disk.Dir, pos int64) (kept string, err error) {
	kept, err = s.keep(dir, pos)
	if err != nil {
		return "", fmt.Errorf("keeping the torn tail of %s: %w", Name(s.order), err)
	}
	if err := s.file.Truncate(pos); err != nil {
		return kept, fmt.Errorf("removing the torn tail of %s: %w", Name(s.order), err)
	}
	// Without this a power cut could bring the tail back behind what is appended now.
	return kept, s.Sync()
}

// keep copies the bytes behind pos to a file that a power cut cannot take away.
func (s *Segment) keep(dir *disk.Dir, pos int64) (name string, err error) {
	if err := dir.Mkdir(LostDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
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
	if _, err := io.Copy(file, io.NewSectionReader(s, pos, NoLimit-pos)); err != nil {
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

// lostFilesMax is how many torn tails of one place are kept.
const lostFilesMax = 10_000

// createLost makes a new file for the bytes from pos on of a segment.
func createLost(dir *disk.Dir, order uint32, pos int64) (*disk.File, string, error) {
	for i := range lostFilesMax {
		name := fmt.Sprintf("%s/%s-%d.%d", LostDir, Name(order), pos, i)
		file, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return file, name, err
		}
	}
	return nil, "", fmt.Errorf("%s holds %d tails of this place already: move them away",
		LostDir, lostFilesMax)
}
