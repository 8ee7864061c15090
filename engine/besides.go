package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/segment"
)

// besides looks at what a store holds besides segments.
func (v *verifier) besides(ctx context.Context, root *disk.Dir) error {
	entries, err := root.ReadDir()
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		_, isSegment := segment.ParseName(name)
		switch {
		case name == checkpointName:
			if err := checkCheckpoint(root); err != nil {
				v.note("the checkpoint is of no use and will be made again: %v", err)
			}
		case isNewCheckpoint(name):
			v.note("%s was never finished, or is being written", name)
		case name == segment.LostDir:
			v.besidesLost(root)
		case !isSegment && takenForSegment(name):
			v.note("%.64q is no segment but Puro would take it for one: move it away", name)
		}
	}
	look := asides{dir: root, tell: v.aside}
	err = look.run(ctx)
	v.report.Cursors = look.cursors
	return err
}

// aside takes note of an index file, or a cursor.
func (v *verifier) aside(a aside) error {
	if a.kind != asideCursor {
		v.note("%q: %s", a.file, a.found)
	} else if len(v.report.CursorDamage) < verifyDamageMax {
		v.report.CursorDamage = append(v.report.CursorDamage, CursorDamage{a.file, a.found})
	}
	return nil
}

// takenForSegment tells whether Puro takes a file of that name for a segment.
func takenForSegment(name string) bool {
	return strings.HasPrefix(name, "stream") || strings.Trim(name, "0123456789") == ""
}

// checkCheckpoint tells what is wrong with a store's checkpoint.
func checkCheckpoint(root *disk.Dir) error {
	b, err := root.ReadFile(checkpointName, checkpointBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, err = format.ParseCheckpoint(b)
	}
	return err
}

// besidesLost says how much repairs have kept.
func (v *verifier) besidesLost(root *disk.Dir) {
	files, bytes, err := lostBytes(root)
	switch {
	case err != nil:
		v.note("%s cannot be looked into: %v", segment.LostDir, err)
	case files > 0:
		plural := ""
		if files > 1 {
			plural = "s"
		}
		v.note("%s has %d bytes in %d file%s, which repairs put there",
			segment.LostDir, bytes, files, plural)
	}
}

// lostBytes counts the files that repairs made, and their bytes.
func lostBytes(root *disk.Dir) (files int, bytes int64, err error) {
	lost, err := root.OpenDir(segment.LostDir)
	if err != nil {
		return 0, 0, err
	}
	defer lost.Close()
	entries, err := lost.ReadDir()
	for _, e := range entries {
		if info, err := lost.Lstat(e.Name()); err == nil && info.Mode().IsRegular() {
			files++
			bytes += info.Size()
		}
	}
	return files, bytes, err
}

func (v *verifier) note(format string, args ...any) {
	if len(v.report.Notes) < verifyDamageMax {
		v.report.Notes = append(v.report.Notes, fmt.Sprintf(format, args...))
	}
}
