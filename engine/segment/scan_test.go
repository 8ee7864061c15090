package segment_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/segment"
)

const vectors = "../format/testdata/vectors"

// readVector returns a segment of the test data and the values of the records in it.
func readVector(t testing.TB, name string) (bytes []byte, values []string) {
	t.Helper()
	bytes, err := os.ReadFile(filepath.Join(vectors, name+".puro"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(vectors, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var records []struct{ Value []byte }
	if err := json.Unmarshal(text, &records); err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		values = append(values, string(r.Value))
	}
	return bytes, values
}

func TestVectors(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(vectors, "*.puro"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	ends := map[string]error{"low_tail": segment.ErrLow, "partial_tail": segment.ErrLow}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".puro")
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/full=%t", name, full), func(t *testing.T) {
				bytes, values := readVector(t, name)
				_, s := openImage(t, bytes)
				want := ends[name]
				if want == nil {
					want = io.EOF
				}
				w := walkAll(t, s, full, segment.NoLimit)
				requireWalk(t, w, values, want)
				if sealed := name == "tombstone9_tail"; w.sealed != sealed {
					t.Errorf("got sealed %t, want %t", w.sealed, sealed)
				}
			})
		}
	}
}

var bareTombstone = []byte{0xAE, 0x03, 0x01, 0x00, 0x00}

// Each way a segment can end.
func TestTailStates(t *testing.T) {
	a, b, c := block(1, "t", "a"), block(2, "t", "b"), lowBlock(3, "t", "c")
	zeros := make([]byte, 5000)
	damaged := func(b []byte, at int) []byte {
		b = append([]byte(nil), b...)
		b[at] ^= 0x40
		return b
	}
	tests := []struct {
		name   string
		bytes  []byte
		values []string
		end    error
		sealed bool
	}{
		{"empty file", nil, nil, io.EOF, false},
		{"magic only", image(), nil, io.EOF, false},
		{"half a magic", image()[:5], nil, segment.ErrTorn, false},
		{"clean", image(a, b), []string{"a", "b"}, io.EOF, false},
		{"clean, of Puro", join(bareBlock("t", "a"), bareBlock("t", "b")),
			[]string{"a", "b"}, io.EOF, false},
		{"low", image(a, c), []string{"a"}, segment.ErrLow, false},
		{"low, first of all", image(c), nil, segment.ErrLow, false},
		{"low, cut in its records", image(a, c[:len(c)-12]), []string{"a"}, segment.ErrLow, false},
		{"cut in its start", image(a, b[:9]), []string{"a"}, segment.ErrTorn, false},
		{"raised, cut", image(a, b[:len(b)-1]), []string{"a"}, segment.ErrTorn, false},
		{"zeros", image(a, zeros), []string{"a"}, segment.ErrTorn, false},
		{"one zero", image(a, zeros[:1]), []string{"a"}, segment.ErrTorn, false},
		{"zeros only", zeros, nil, segment.ErrTorn, false},
		{"garbage", image(a, []byte("this is no block")), []string{"a"}, segment.ErrDamaged, false},
		{"garbage only", []byte("this is no segment"), nil, segment.ErrDamaged, false},
		{"zeros, then garbage", image(a, zeros, []byte("x")), []string{"a"}, segment.ErrDamaged, false},
		{"damaged, then sound", image(damaged(a, 30), b), []string{"b"}, io.EOF, false},
		{"a start damaged, then sound", image(damaged(a, 2), b), []string{"b"}, io.EOF, false},
		{"an end damaged, then sound", image(damaged(a, len(a)-7), b), []string{"b"}, io.EOF, false},
		{"low, then sound", image(c, b), []string{"b"}, io.EOF, false},
		{"zeros, then sound", image(zeros, b), []string{"b"}, io.EOF, false},
		{"sealed", image(a, tombstoneBlock(2)), []string{"a"}, io.EOF, true},
		{"sealed by a bare record", image(a, bareTombstone), []string{"a"}, io.EOF, true},
		{"nothing counts behind a tombstone", image(a, tombstoneBlock(2), b),
			[]string{"a"}, io.EOF, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, s := openImage(t, tt.bytes)
			w := walkAll(t, s, true, segment.NoLimit)
			w2 := w
			if strings.Contains(tt.name, "then sound") {
				if len(w.damage) != 1 {
					t.Errorf("got damage %v, want one place", w.damage)
				}
				w2.damage = nil
			}
			requireWalk(t, w2, tt.values, tt.end)
			if w.sealed != tt.sealed {
				t.Errorf("got sealed %t, want %t", w.sealed, tt.sealed)
			}
			requireProgress(t, s)
		})
	}
}

// requireProgress checks that a scanner with a limit, as a reader of a complete segment has, gets
// to the end of the file whatever stands there, and tells of no place twice.
func requireProgress(t *testing.T, s *segment.Segment) {
	t.Helper()
	size, err := s.Size()
	if err != nil {
		t.Fatal(err)
	}
	w := walkAll(t, s, false, size)
	if !errors.Is(w.end, io.EOF) {
		t.Errorf("with a limit: got the end %v at byte %d of %d, want io.EOF", w.end, w.pos, size)
	}
	told := make(map[int64]bool)
	for _, d := range w.damage {
		if told[d.Pos] {
			t.Fatalf("with a limit: byte %d is told of again", d.Pos)
		}
		told[d.Pos] = true
	}
}

// What stood low is read again once it was raised, and what was cut off once it was written anew.
func TestScannerGoesOnWhenTheFileChanges(t *testing.T) {
	dir, s := openImage(t, image(block(1, "t", "a"), lowBlock(2, "t", "b")))
	scan := segment.NewScanner(s, 0, segment.NoLimit)
	requireWalk(t, walkOn(t, scan), []string{"a"}, segment.ErrLow)
	file, err := os.OpenFile(filepath.Join(dir.Path(), segment.Name(0)), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte{1}, scan.Pos()+format.SignalOffset); err != nil {
		t.Fatal(err)
	}
	requireWalk(t, walkOn(t, scan), []string{"b"}, io.EOF)

	torn := lowBlock(3, "t", strings.Repeat("torn", 20))
	at := scan.Pos()
	if _, err := file.WriteAt(torn[:60], at); err != nil {
		t.Fatal(err)
	}
	requireWalk(t, walkOn(t, scan), nil, segment.ErrLow)
	if _, err := s.Repair(dir, at); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(at, [][]byte{lowBlock(3, "t", "c")}, 0, false); err != nil {
		t.Fatal(err)
	}
	requireWalk(t, walkOn(t, scan), []string{"c"}, io.EOF)
}

// What a producer that died has left is looked at and removed, and something else is written there
// before the scanner looks again: nothing of it is taken for what stands there now.
func TestScannerForgetsATornTail(t *testing.T) {
	tombstone := tombstoneBlock(2)
	// As long as the tombstone, and with the same length in its start record.
	torn := bareBlock("t", strings.Repeat("x", len(tombstone)-len(bareBlock("t", ""))))
	tests := []struct {
		name                 string
		sound, torn, instead []byte
		values               []string
	}{
		{"the tombstone in its place", image(block(1, "t", "a")), torn[:len(torn)-1], tombstone, nil},
		{"another block in its place", image(block(1, "t", "a")), torn[:20], block(2, "t", "b"),
			[]string{"b"}},
		{"one of Puro's, in an empty segment", nil, bareBlock("t", "never")[:28],
			image(block(2, "t", "b")), []string{"b"}},
		{"one of ours, in an empty segment", nil, image(lowBlock(1, "t", "never")),
			image(block(2, "t", "b")), []string{"b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, s := openImage(t, join(tt.sound, tt.torn))
			scan := segment.NewScanner(s, 0, segment.NoLimit)
			before := walkOn(t, scan)
			if !errors.Is(before.end, segment.ErrTorn) && !errors.Is(before.end, segment.ErrLow) {
				t.Fatalf("got the end %v, want a torn one", before.end)
			}
			writeFile(t, dir, segment.Name(0), join(tt.sound, tt.instead))
			requireWalk(t, walkOn(t, scan), tt.values, io.EOF)
		})
	}
}

// Whatever the window's size and wherever in it a block starts, the same is read: small blocks
// around one that reaches over the edges of pages and windows.
func TestScannerAtEveryAlignment(t *testing.T) {
	const page = 4096
	for _, size := range []int{1, 100, page, 600 << 10} {
		t.Run(fmt.Sprintf("block of %d", size), func(t *testing.T) {
			dir, s := openImage(t, nil)
			step := 7
			if size > page {
				step = 211
			}
			for shift := 0; shift < page; shift += step {
				checkAlignment(t, dir, s, shift, size)
			}
		})
	}
}

func checkAlignment(t *testing.T, dir *disk.Dir, s *segment.Segment, shift, size int) {
	t.Helper()
	big := strings.Repeat("v", size)
	values := []string{strings.Repeat("s", shift), "between", big, "behind"}
	var blocks [][]byte
	for i, v := range values {
		blocks = append(blocks, block(int64(i+1), "t", v))
	}
	writeFile(t, dir, segment.Name(0), image(blocks...))
	for _, full := range []bool{false, true} {
		w := walkAll(t, s, full, segment.NoLimit)
		if !slices.Equal(w.values, values) || !errors.Is(w.end, io.EOF) {
			t.Fatalf("shift %d, full %t: got %d records, %v, %v",
				shift, full, len(w.values), w.damage, w.end)
		}
	}
}

// A block of many topics, more than are looked through one by one.
func TestScannerOfManyTopics(t *testing.T) {
	const topics, rounds = 40, 3
	var body []byte
	runs := make([]format.Run, topics)
	for range rounds {
		for i := range topics {
			body = format.AppendRecord(body, fmt.Appendf(nil, "topic-%d", i), nil, make([]byte, i))
			runs[i].Records++
			runs[i].ValueBytes += uint64(i)
		}
	}
	for i := range runs {
		runs[i].Offset = uint64(1000 * i)
	}
	with := raise(frame(format.AppendHeader(nil, 1, runs, body), body))
	without := raise(frame(body))
	for name, bytes := range map[string][]byte{"header": image(with), "of Puro": without} {
		t.Run(name, func(t *testing.T) {
			_, s := openImage(t, bytes)
			scan := segment.NewScanner(s, 0, segment.NoLimit)
			b, err := scan.Next()
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Runs) != topics {
				t.Fatalf("got %d runs, want %d", len(b.Runs), topics)
			}
			for i, run := range b.Runs {
				want := runs[i]
				if !b.Header {
					want.Offset = 0
				}
				got := format.Run{Offset: run.Offset, Records: run.Records, ValueBytes: run.ValueBytes}
				if string(run.Topic) != fmt.Sprintf("topic-%d", i) || got != want {
					t.Errorf("run %d: got %q %+v, want %+v", i, run.Topic, got, want)
				}
			}
		})
	}
}
