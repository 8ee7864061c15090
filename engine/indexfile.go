package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"purofs/engine/disk"
	"purofs/engine/index"
	"purofs/engine/segment"
)

// indexDir holds the topic indexes, each a file of chunks, one behind the other in the order of
// the segment. Who adds to one holds its lock, for which nobody ever waits. What a crash of a
// process or a power cut leaves of a chunk is recognised by its checks; so nothing is synced, and
// the directory may be removed at any time.
const indexDir = "index"

func indexName(order uint32) string {
	return indexDir + "/segment" + strconv.FormatUint(uint64(order), 10)
}

// parseIndexName returns the number of the segment whose index has that file name, and whether it
// is one.
func parseIndexName(name string) (order uint32, ok bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(name, "segment"), 10, 32)
	return uint32(n), err == nil && indexName(uint32(n)) == indexDir+"/"+name
}

// openIndex opens the file of an index. A link could lead to a segment.
func (l *Log) openIndex(order uint32, flag int) (*disk.File, error) {
	name := indexName(order)
	if info, err := l.dir.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("opening a topic index: %s is not a regular file (remove it): %w",
			name, fs.ErrInvalid)
	}
	return l.dir.OpenFile(name, flag, l.table.filePerm())
}

// fileEnd is where the next chunk comes in the file.
func (x *segmentIndex) fileEnd() int64 {
	n := len(x.sealed)
	if n == 0 {
		return 0
	}
	return x.sealed[n-1].at + x.sealed[n-1].Size()
}

// list takes over the chunks that the file has behind those that are known, and tells whether there
// are any. What does not fit to the segment is left to be overwritten.
func (x *segmentIndex) list(h *handle) bool {
	n := len(x.sealed)
	if x.noFile || n > 0 && !x.sealed[n-1].saved {
		return false
	}
	file, err := x.log.openIndex(x.order, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return false
	}
	for !x.complete() {
		s, err := fittingHeader(file, x.fileEnd(), h, x.order, x.sealedTo())
		if err != nil || s.at+s.Size() > size {
			break
		}
		x.sealed = append(x.sealed, s)
	}
	return len(x.sealed) > n
}

func readHeader(file *disk.File, at int64) (sealedChunk, error) {
	var b [index.HeaderBytes]byte
	if _, err := file.ReadAt(b[:], at); err != nil {
		return sealedChunk{}, err
	}
	h, err := index.ParseHeader(b[:])
	return sealedChunk{Header: h, at: at, saved: true}, err
}

// fittingHeader reads the header of the chunk at a place of the file, which has to be of that
// segment from a place of it on, and to fit to what stands there. The error is io.EOF if the file,
// or the segment, is too short, or index.ErrUnsound, or that of the file system.
func fittingHeader(
	file *disk.File, at int64, seg io.ReaderAt, order uint32, from int64,
) (s sealedChunk, err error) {
	if s, err = readHeader(file, at); err != nil {
		return s, err
	}
	if s.Order != order || s.From != from {
		return s, fmt.Errorf("%w: a chunk is of another place of the log", index.ErrUnsound)
	}
	head, tail, err := proofs(seg, s.From, s.To)
	if err == nil && (head != s.Head || tail != s.Tail) {
		err = fmt.Errorf("%w: a chunk does not fit to its segment", index.ErrUnsound)
	}
	return s, err
}

// load reads a chunk from the file.
func (x *segmentIndex) load(s *sealedChunk) (*index.Chunk, error) {
	if !s.saved {
		return nil, fmt.Errorf("%w: a chunk is not in memory any more", index.ErrUnsound)
	}
	file, err := x.log.openIndex(x.order, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return loadChunk(file, s)
}

// loadChunk reads a chunk whose header is known.
func loadChunk(file *disk.File, s *sealedChunk) (*index.Chunk, error) {
	b := make([]byte, s.Size())
	if _, err := file.ReadAt(b, s.at); err != nil {
		return nil, err
	}
	c, err := index.ParseChunk(b)
	if err == nil && c.Header != s.Header {
		err = fmt.Errorf("%w: a chunk has been replaced", index.ErrUnsound)
	}
	return c, err
}

// save adds to the file what it does not have yet. What cannot be written now is tried again with
// the next chunk; until then, or if the log is read-only, it is in memory as long as there is room.
func (x *segmentIndex) save() {
	if x.noFile || x.log.opts.ReadOnly {
		return
	}
	if err := x.saveAll(); err != nil {
		x.noFile = true
		x.log.opts.Logger.Info().Err(err).Uint32("segment", x.order).
			Msg("the topic index cannot be stored; this process builds its own")
	}
}

func (x *segmentIndex) saveAll() error {
	file, err := x.log.openIndex(x.order, os.O_RDWR|os.O_CREATE)
	if errors.Is(err, fs.ErrNotExist) {
		perm := fs.FileMode(x.log.table.mode&0o777) | 0o700
		if err = x.log.dir.Mkdir(indexDir, perm); err == nil || errors.Is(err, fs.ErrExist) {
			file, err = x.log.openIndex(x.order, os.O_RDWR|os.O_CREATE)
		}
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if locked, err := segment.LockFile(file); err != nil || !locked {
		return err // another process is at it, probably with the same chunk
	}
	for i := range x.sealed {
		s := &x.sealed[i]
		if s.saved {
			continue
		}
		c := x.log.places.cached(place{x.order, s.From})
		if c == nil || c.Header != s.Header {
			return nil
		}
		if err := saveChunk(file, s, c); err != nil {
			return err
		}
	}
	return nil
}

// saveChunk writes a chunk, unless the file has it already. The file is locked.
func saveChunk(file *disk.File, s *sealedChunk, c *index.Chunk) error {
	size, err := file.Size()
	if err != nil {
		return err
	}
	if size < s.at {
		return fmt.Errorf("%w: the file was cut off or replaced", index.ErrUnsound)
	}
	there, err := readHeader(file, s.at)
	if err == nil && there.Header == s.Header && size >= s.at+s.Size() {
		s.saved = true
		return nil
	}
	if err := file.Truncate(s.at); err != nil {
		return err
	}
	if _, err := file.WriteAt(c.Bytes(), s.at); err != nil {
		return errors.Join(err, file.Truncate(s.at))
	}
	s.saved = true
	return nil
}

// removeFile removes the file, so that it is not taken for sound again.
func (x *segmentIndex) removeFile() {
	if x.log.opts.ReadOnly {
		x.noFile = true
		return
	}
	err := x.log.dir.Remove(indexName(x.order))
	x.noFile = err != nil && !errors.Is(err, fs.ErrNotExist)
}
