package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/index"
	"purofs/engine/segment"
)

// An aside is a file below index or cursors that is not as it should be.
type aside struct {
	kind  asideKind
	file  string // name within the store
	found string // what is wrong, a sentence that begins with "it"
	left  string // why a repair leaves it as it is, if so
}

// An asideKind says what can be done about an aside.
type asideKind uint8

const (
	asideNote   asideKind = iota // nothing, and nothing has to be
	asideNoFile                  // something else stands where a file, or a directory, belongs
	asideIndex                   // an index that does not fit to its segment, which costs time only
	asideCursor                  // the position of a cursor cannot be read
)

// asides look at the index files and the cursors of a store, for Verify and for Repair.
type asides struct {
	dir     *disk.Dir
	tell    func(a aside) error
	cursors int
}

func (a *asides) run(ctx context.Context) error {
	if err := a.each(ctx, indexDir, a.indexFile); err != nil {
		return err
	}
	return a.each(ctx, cursorsDir, func(ctx context.Context, name string, e fs.DirEntry) error {
		if !e.IsDir() || !isCursorDir(e.Name()) {
			return a.note(name, "it is not the directory of a topic's cursors: move it away")
		}
		return a.each(ctx, name, a.cursor)
	})
}

// each calls do for each entry of a directory of the store, if there is one, in the order of their
// names.
func (a *asides) each(
	ctx context.Context, name string, do func(ctx context.Context, name string, e fs.DirEntry) error,
) error {
	info, err := a.dir.Lstat(name)
	if err == nil && !info.IsDir() {
		return a.tell(aside{kind: asideNoFile, file: name, found: "it is not a directory"})
	}
	var entries []fs.DirEntry
	if err == nil {
		entries, err = readDir(a.dir, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			break
		}
		err = do(ctx, path.Join(name, e.Name()), e)
	}
	return err
}

func (a *asides) note(name, found string) error {
	return a.tell(aside{kind: asideNote, file: name, found: found})
}

// indexFile looks at what stands in the directory of the indexes.
func (a *asides) indexFile(ctx context.Context, name string, e fs.DirEntry) error {
	order, isIndex := parseIndexName(e.Name())
	switch {
	case !isIndex:
		return a.note(name, "it is not an index: move it away")
	case !e.Type().IsRegular():
		return a.tell(aside{kind: asideNoFile, file: name, found: "it is not a regular file"})
	}
	flaw, err := a.indexFlaw(ctx, order)
	switch {
	case ctx.Err() != nil || errors.Is(err, fs.ErrNotExist):
		return ctx.Err()
	case err != nil:
		return a.note(name, fmt.Sprintf("it cannot be read, so nobody uses it: %v", err))
	case flaw != nil:
		return a.tell(aside{kind: asideIndex, file: name,
			found: fmt.Sprintf("it is of no use, and will be made again: %v", flaw)})
	}
	return nil
}

// indexFlaw tells what is wrong with an index that nobody is writing to.
func (a *asides) indexFlaw(ctx context.Context, order uint32) (flaw, err error) {
	file, err := a.dir.Open(indexName(order))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if flaw, err = checkIndex(ctx, a.dir, file, order); flaw == nil || err != nil {
		return nil, err
	}
	busy, err := segment.FileLocked(file)
	if busy || err != nil {
		return nil, err
	}
	// What was half written at the first look is whole now.
	return checkIndex(ctx, a.dir, file, order)
}

// checkIndex reads an index, and tells what is wrong with it.
func checkIndex(
	ctx context.Context, dir *disk.Dir, file *disk.File, order uint32,
) (flaw, err error) {
	seg, err := segment.Open(dir, order, false)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return fmt.Errorf("there is no %s", segment.Name(order)), nil
	}
	if err != nil {
		return nil, err
	}
	defer seg.Close()
	at := int64(0)
	size, err := file.Size()
	for before := (index.Header{}); at < size && err == nil; {
		if before.Last {
			return fmt.Errorf("it goes on behind its last chunk, at byte %d", at), nil
		}
		if err = ctx.Err(); err != nil {
			break
		}
		var s sealedChunk
		if s, err = checkChunk(file, at, size, seg, before.To); err == nil {
			before, at = s.Header, at+s.Size()
		}
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: it, or the segment, ends before it should", index.ErrUnsound)
	}
	if errors.Is(err, index.ErrUnsound) {
		return fmt.Errorf("its chunk at byte %d: %w", at, err), nil
	}
	return nil, err
}

// checkChunk reads the chunk at a place of an index, which covers the segment from a place of that.
func checkChunk(
	file *disk.File, at, size int64, seg *segment.Segment, from int64,
) (s sealedChunk, err error) {
	s, err = fittingHeader(file, at, seg, seg.Order(), from)
	if err == nil && at+s.Size() > size {
		err = fmt.Errorf("%w: it is cut off", index.ErrUnsound)
	}
	if err != nil {
		return s, err
	}
	c, err := loadChunk(file, &s)
	if err == nil {
		err = c.Each(func([]byte, index.Point, index.Point) {})
	}
	return s, err
}

// isCursorDir tells whether a directory can be that of some topic's cursors.
func isCursorDir(name string) bool {
	if hash, found := strings.CutPrefix(name, cursorHashed); found {
		return len(hash) == hex.EncodedLen(sha256.Size)
	}
	topic, err := url.PathUnescape(name)
	return err == nil && path.Base(cursorDir(topic)) == name
}

// cursor looks at what stands in the directory of a topic's cursors.
func (a *asides) cursor(_ context.Context, name string, e fs.DirEntry) error {
	switch {
	case e.Name() == cursorNew:
		return a.note(name, "it was never finished, or is being made; the next cursor of the topic "+
			"takes its place")
	case CheckCursorName(e.Name()) != nil:
		return a.note(name, "no cursor can have that name: move it away")
	case !e.Type().IsRegular():
		a.cursors++
		return a.tell(aside{kind: asideCursor, file: name, found: "it is not a regular file"})
	}
	f, err := openCursorFile(a.dir, name, os.O_RDONLY)
	if errors.Is(err, ErrNoCursor) {
		return nil // it was removed meanwhile
	}
	if err != nil {
		return err
	}
	defer f.Close()
	a.cursors++
	sound, why, err := f.slotsShared()
	switch {
	case err != nil || sound == 2:
		return err
	case sound == 1:
		return a.note(name, cursorHalf)
	}
	held, err := segment.FileLocked(f.File)
	if err != nil {
		return err
	}
	d := aside{kind: asideCursor, file: name,
		found: fmt.Sprintf("neither half of it can be read: %v", why)}
	switch {
	case errors.Is(why, format.ErrVersion):
		d.left = "only a newer version of purofs can tell what to do about it"
	case held:
		d.left = cursorInUse
	}
	return a.tell(d)
}

// cursorInUse is why a repair leaves a damaged cursor alone: its holder writes on.
const cursorInUse = "somebody reads by it: end that, and repair again"
