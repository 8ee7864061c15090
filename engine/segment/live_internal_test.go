package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"purofs/engine/format"
)

// A livingFile shows one content to so many reads, and another one to those after them: a producer
// was at work in between.
type livingFile struct {
	before, after []byte
	reads         int
}

func (f *livingFile) ReadAt(p []byte, at int64) (int, error) {
	content := f.after
	if f.reads > 0 {
		content = f.before
	}
	f.reads--
	return bytes.NewReader(content).ReadAt(p, at)
}

// liveBlock is a block of one record.
func liveBlock(time int64, offset uint64, raised bool) []byte {
	record := format.AppendRecord(nil, []byte("t"), nil, fmt.Appendf(nil, "value %d", offset))
	header := format.AppendHeader(nil, time,
		[]format.Run{{Offset: offset, Records: 1, ValueBytes: uint64(len(record))}}, record)
	length := format.StartBytes + len(header) + len(record)
	b := format.AppendStart(nil, length)
	if raised {
		b[format.SignalOffset] = 1
	}
	return format.AppendEnd(append(append(b, header...), record...), length)
}

// TestScannerBesideAProducer: a block that is finished, and followed by another, between two reads
// of a scanner is not damaged. The demo of the first day found this: the block had been seen low,
// and the one behind it was there already when the scanner looked whether the low one was the
// last.
func TestScannerBesideAProducer(t *testing.T) {
	first, low, raised := liveBlock(1, 0, true), liveBlock(2, 1, false), liveBlock(2, 1, true)
	next := liveBlock(3, 2, true)
	befores := map[string][]byte{
		"low":               append(bytes.Clone(first), low...),
		"low, half written": append(bytes.Clone(first), low[:len(low)/2]...),
		"torn, by another":  append(bytes.Clone(first), liveBlock(2, 1, false)[:20]...),
		"zeros":             append(bytes.Clone(first), make([]byte, 100)...),
	}
	after := bytes.Join([][]byte{first, raised, next}, nil)
	for name, before := range befores {
		for reads := range 12 {
			t.Run(fmt.Sprintf("%s/%d", name, reads), func(t *testing.T) {
				file := &livingFile{before, after, reads}
				scan := &Scanner{seg: file, limit: NoLimit, win: window{file: file, ahead: windowBytesMin}}
				blocks := 0
				for tries := 0; blocks < 3 && tries < 20; {
					block, err := scan.Next()
					switch {
					case err == nil:
						if block.Runs[0].Offset != uint64(blocks) {
							t.Fatalf("block %d has offset %d", blocks, block.Runs[0].Offset)
						}
						blocks++
					case errors.Is(err, ErrLow), errors.Is(err, ErrTorn), errors.Is(err, io.EOF):
						tries++ // not yet
					default:
						t.Fatalf("after %d blocks: %v", blocks, err)
					}
				}
				if blocks != 3 {
					t.Errorf("found %d blocks, want 3", blocks)
				}
			})
		}
	}
}
