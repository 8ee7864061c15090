package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"purofs/engine/format"
	"purofs/engine/segment"
)

// besides looks at what a store holds besides segments.
func (v *verifier) besides(root *os.Root) error {
	entries, err := readDir(root)
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
		case name == checkpointNew:
			v.note("%s was never finished, or is being written", checkpointNew)
		case name == segment.LostDir:
			v.besidesLost(root)
		case !isSegment && takenForSegment(name):
			v.note("%.64q is no segment but Puro would take it for one: move it away", name)
		}
	}
	return nil
}

// takenForSegment tells whether Puro takes a file of that name for a segment.
func takenForSegment(name string) bool {
	return strings.HasPrefix(name, "stream") || strings.Trim(name, "0123456789") == ""
}

// checkCheckpoint tells what is wrong with a store's checkpoint.
func checkCheckpoint(root *os.Root) error {
	b, err := readBounded(root, checkpointName, checkpointBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, err = format.ParseCheckpoint(b)
	}
	return err
}

// besidesLost says how much repairs have kept.
func (v *verifier) besidesLost(root *os.Root) {
	files, bytes := 0, int64(0)
	err := fs.WalkDir(root.FS(), segment.LostDir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files++
			bytes += info.Size()
		}
		return err
	})
	switch {
	case err != nil:
		v.note("%s cannot be looked into: %v", segment.LostDir, err)
	case files > 0:
		plural := ""
		if files > 1 {
			plural = "s"
		}
		v.note("%s has %d bytes in %d file%s, which repairs removed from the log",
			segment.LostDir, bytes, files, plural)
	}
}

func (v *verifier) note(format string, args ...any) {
	if len(v.report.Notes) < verifyDamageMax {
		v.report.Notes = append(v.report.Notes, fmt.Sprintf(format, args...))
	}
}
