package engine

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/segment"
)

// A PieceKind says what a piece of a segment file is.
type PieceKind string

// Kinds of pieces.
const (
	PieceMagic     PieceKind = "magic"     // the bytes that tell what the file is
	PieceBlock     PieceKind = "block"     // a sound block
	PieceTombstone PieceKind = "tombstone" // one outside any block, as Puro would write it
	PieceLow       PieceKind = "low"       // the last block, which was not finished, or not yet
	PieceTorn      PieceKind = "torn"      // the beginning of a block that is cut off, or zeros
	PieceUnsound   PieceKind = "unsound"   // bytes that are not what was written
)

// A Piece is what an Inspector found at one place of a segment file. It reads from that file until
// the Inspector is closed.
type Piece struct {
	Kind     PieceKind
	Pos, End int64  // bytes from Pos to before End
	Reason   string // why it is not sound; empty if it is
	// HasHeader tells whether the block has a header, which Header then is. Of a piece that is not
	// sound it is what the header seems to be.
	HasHeader bool
	Header    BlockHeader

	file io.ReaderAt
}

// A BlockHeader is what a block says of itself.
type BlockHeader struct {
	Time   time.Time
	CRC    uint32
	CRCOK  bool // it is the CRC-32C of what stands there
	Sparse bool // compaction took records out of it
	Runs   []HeaderRun
}

// A HeaderRun is what a header says of one of the block's topics, in order of first appearance.
type HeaderRun struct {
	Offset, Records, ValueBytes uint64
}

// An Inspector walks over one segment file piece by piece: whatever state it is in, also one of
// another program, one that no store has, and what a repair kept in lost. It takes no locks and
// changes nothing. It holds one block in memory at a time. It is not safe for concurrent use.
type Inspector struct {
	file  *disk.File
	scan  *segment.Scanner
	next  []*Piece // found already
	magic bool     // was told of, or is not asked for
	ended bool
}

// segmentInName finds the number of the segment in the name of a file that may be in lost.
var segmentInName = regexp.MustCompile(`^stream(\d+)\.puro`)

// Inspect opens a segment file, from a byte position on: 0, or any other one; if no block starts
// there the first piece is what stands before the next one. The error is that of the file system.
func Inspect(path string, from int64) (*Inspector, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	dir, err := disk.OpenDir(filepath.Dir(path), nil)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	// A pipe, say, would have its opener wait for a writer.
	if info, err := dir.Lstat(filepath.Base(path)); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no segment file: it is not a regular file", path)
	}
	file, err := dir.Open(filepath.Base(path))
	if err != nil {
		return nil, err
	}
	order := uint64(0)
	if m := segmentInName.FindStringSubmatch(filepath.Base(path)); m != nil {
		order, _ = strconv.ParseUint(m[1], 10, 32) // 0 is as good as another for a strange name
	}
	i := &Inspector{file: file, magic: from > 0}
	i.scan = segment.NewScannerOf(file, uint32(order), from, segment.NoLimit)
	i.scan.Full = true
	return i, nil
}

// SegmentFiles returns the names of a store's segment files, in their order. The error is
// ErrNotStore if there is none, or that of the file system.
func SegmentFiles(dir string) ([]string, error) {
	root, err := disk.OpenDir(dir, nil)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	orders, err := segmentsOf(root)
	if err != nil {
		return nil, err
	}
	if len(orders) == 0 {
		return nil, fmt.Errorf("%s: %w: it holds no segment", dir, ErrNotStore)
	}
	names := make([]string, len(orders))
	for i, order := range orders {
		names[i] = segment.Name(order)
	}
	return names, nil
}

// Close closes the file.
func (i *Inspector) Close() error {
	i.scan.Release()
	return i.file.Close()
}

// Next returns the next piece; at the end of the file the error is io.EOF. The pieces join without
// a gap.
func (i *Inspector) Next() (*Piece, error) {
	if len(i.next) == 0 {
		if i.ended {
			return nil, io.EOF
		}
		if err := i.find(); err != nil {
			return nil, err
		}
	}
	if len(i.next) == 0 {
		return nil, io.EOF
	}
	p := i.next[0]
	i.next = i.next[1:]
	return p, nil
}

// find looks for the next pieces.
func (i *Inspector) find() error {
	pos := i.scan.Pos()
	b, err := i.scan.Next()
	if start := i.scan.Start(); start > 0 && !i.magic {
		i.found(PieceMagic, 0, start, "")
		pos = start
	}
	i.magic = true
	var damage *DamageError
	switch {
	case err == nil:
		i.found(PieceBlock, b.Pos, b.End, "")
		return nil
	case errors.As(err, &damage) && damage.End >= 0:
		i.found(PieceUnsound, damage.Pos, damage.End, damage.Reason)
		return nil
	}
	i.ended = true
	size, sizeErr := i.file.Size()
	if sizeErr != nil {
		return sizeErr
	}
	size = max(pos, size)
	switch {
	case errors.Is(err, io.EOF) && i.scan.Sealed() && pos < i.scan.Pos():
		i.found(PieceTombstone, pos, size, "")
	case errors.Is(err, io.EOF) && pos < size:
		i.found(PieceUnsound, pos, size, "nothing is valid behind a tombstone")
	case errors.Is(err, io.EOF):
	case errors.Is(err, segment.ErrLow):
		i.found(PieceLow, pos, size, err.Error())
	case errors.Is(err, segment.ErrTorn):
		i.found(PieceTorn, pos, size, err.Error())
	case damage != nil:
		i.found(PieceUnsound, pos, size, damage.Reason)
	default:
		return err
	}
	return nil
}

// found notes a piece, and reads the header of one that has room for it.
func (i *Inspector) found(kind PieceKind, pos, end int64, reason string) {
	p := &Piece{Kind: kind, Pos: pos, End: end, Reason: reason, file: i.file}
	if p.mayHaveRecords() {
		if inside, err := p.inside(); err == nil {
			p.readHeader(inside)
		}
	}
	i.next = append(i.next, p)
}

// ReadAt reads bytes of the piece; at counts from its beginning.
func (p *Piece) ReadAt(b []byte, at int64) (int, error) {
	return io.NewSectionReader(p.file, p.Pos, p.End-p.Pos).ReadAt(b, at)
}

func (p *Piece) mayHaveRecords() bool {
	return p.Kind != PieceMagic && p.Kind != PieceTombstone
}

// inside returns the bytes behind what is, or should be, the start record, up to the end record;
// fewer if the piece ends before.
func (p *Piece) inside() ([]byte, error) {
	n := min(p.End-p.Pos, format.BlockBytesMax)
	b := make([]byte, n)
	got, err := p.file.ReadAt(b, p.Pos)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the bytes from %d on: %w", p.Pos, err)
	}
	b = b[:got]
	if len(b) < format.StartBytes {
		return nil, nil
	}
	if start, err := format.ParseStart(b); err == nil && start.Length < len(b) {
		b = b[:start.Length]
	}
	return b[format.StartBytes:], nil
}

// seemingHeader decodes the header record, if one seems to be there, of n bytes: whatever its check
// says.
func seemingHeader(inside []byte) (h format.Header, n int, found bool) {
	r, n, err := format.ParseRecord(inside)
	if err != nil {
		return h, 0, false
	}
	if kind, control := r.Control(); !control || kind != format.TopicHeader {
		return h, 0, false
	}
	h, err = format.ParseHeader(r.Value)
	return h, n, err == nil
}

// readHeader decodes the header record, if there is one.
func (p *Piece) readHeader(inside []byte) {
	h, n, found := seemingHeader(inside)
	if !found {
		return
	}
	p.HasHeader = true
	p.Header = BlockHeader{
		Time: time.Unix(0, h.Time), CRC: h.CRC, Sparse: h.Sparse,
		CRCOK: h.CheckCRC(inside[n:]) == nil,
	}
	for range h.Topics {
		run, err := h.NextRun()
		if err != nil {
			return
		}
		p.Header.Runs = append(p.Header.Runs, HeaderRun(run))
	}
}
