package engine_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"purofs/engine"
	"purofs/engine/format"
)

// inspect returns all pieces of a file from a byte position on, which must join without a gap and
// cover the rest of the file.
func inspect(t testing.TB, path string, from int64) (pieces []*engine.Piece) {
	t.Helper()
	in, err := engine.Inspect(path, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	at := from
	for {
		p, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Pos != at || p.End <= p.Pos {
			t.Fatalf("a %s at %d to %d, the one before ended at %d", p.Kind, p.Pos, p.End, at)
		}
		at = p.End
		pieces = append(pieces, p)
		for _, err := range p.Records() { // must end, whatever stands there
			if err != nil && !engine.IsNoRecord(err) {
				t.Fatal(err)
			}
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if at != max(from, info.Size()) {
		t.Fatalf("the pieces end at %d of %d bytes", at, info.Size())
	}
	return pieces
}

// kinds is what the pieces are.
func kinds(pieces []*engine.Piece) (kinds []engine.PieceKind) {
	for _, p := range pieces {
		kinds = append(kinds, p.Kind)
	}
	return kinds
}

// An inspector makes pieces of everything: each of a segment's bytes changed, and a start at each.
func TestInspectAnything(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "a", "first", "second")
	appendTo(t, l, "b", "third")
	closeLog(t, l)
	path := segmentPath(dir, 0)
	whole := readFile(t, path)
	for at := range whole {
		inspect(t, path, int64(at))
		changed := slices.Clone(whole)
		changed[at] ^= 0xff
		path := filepath.Join(t.TempDir(), "stream7.puro-12.0")
		writeFile(t, path, changed)
		inspect(t, path, 0)
		writeFile(t, path, whole[:at])
		inspect(t, path, 0)
	}
}

// Segments that Puro wrote, with and without headers of ours, sound and cut off.
func TestInspectVectors(t *testing.T) {
	files, err := filepath.Glob("format/testdata/vectors/*.puro")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got := kinds(inspect(t, file, 0))
			if slices.Contains(got, engine.PieceUnsound) {
				t.Errorf("got %v, want nothing unsound", got)
			}
		})
	}
}

// What stands in a damaged block is shown as far as it can be made out, each record with its own
// check; the blocks around it are what they are.
func TestInspectADamagedBlock(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	appendTo(t, l, "t", "before")
	appendTo(t, l, "t", "sound", "spoilt", "sound too")
	appendTo(t, l, "t", "after")
	closeLog(t, l)
	path := segmentPath(dir, 0)
	bytes := readFile(t, path)
	bytes[strings.Index(string(bytes), "spoilt")] = 'X'
	writeFile(t, path, bytes)
	pieces := inspect(t, path, 0)
	want := []engine.PieceKind{
		engine.PieceMagic, engine.PieceBlock, engine.PieceUnsound, engine.PieceBlock,
	}
	if got := kinds(pieces); !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	damaged := pieces[2]
	if !damaged.HasHeader || damaged.Header.CRCOK || damaged.Reason == "" {
		t.Errorf("got %+v, want its header, a wrong CRC and a reason", damaged)
	}
	var got []string
	for r, err := range damaged.Records() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d %s %t", r.Offset, r.Value, r.Check))
	}
	wantRecords := []string{"1 sound true", "2 Xpoilt false", "3 sound too true"}
	if !slices.Equal(got, wantRecords) {
		t.Errorf("got %q, want %q", got, wantRecords)
	}
}

// Every kind of control record is told of, and a tombstone outside of any block.
func TestInspectControlRecords(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: engine.SegmentBytesMin})
	if err := l.SetTopic(t.Context(), "t", engine.TopicAttr{Mode: 0o640, UID: 7}); err != nil {
		t.Fatal(err)
	}
	fill(t, l, 2)
	closeLog(t, l)
	var seen []int
	for _, p := range inspect(t, segmentPath(dir, 0), 0) {
		for r, err := range p.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if r.Control >= 0 {
				seen = append(seen, r.Control)
			}
			if r.Change != nil && (r.Change.Name != "t" || r.Change.Attr.Mode != 0o640) {
				t.Errorf("got %+v, want the change of topic t", r.Change)
			}
		}
	}
	want := []int{format.TopicSegmentHeader, format.TopicTopic, format.TopicTombstone}
	if !slices.Equal(seen, want) {
		t.Errorf("got control records %v, want %v", seen, want)
	}
	next := inspect(t, segmentPath(dir, 1), 0)
	for r := range next[1].Records() {
		if r.Segment == nil || r.Segment.Order != 1 || len(r.Segment.Topics) != 1 {
			t.Errorf("got %+v, want a header of segment 1 with topic t", r.Segment)
		}
		break
	}
	bare := filepath.Join(t.TempDir(), "stream0.puro")
	writeFile(t, bare, append(slices.Clone(format.Magic[:]), 0xae, 3, 1, 0, 0))
	if got := kinds(inspect(t, bare, 0)); got[len(got)-1] != engine.PieceTombstone {
		t.Errorf("got %v, want a tombstone at the end", got)
	}
}
