package segment_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purofs/engine/segment"
)

func TestRepairKeepsWhatItRemoves(t *testing.T) {
	sound := image(block(1, "t", "a"))
	torn := lowBlock(2, "t", strings.Repeat("b", 10_000))[:7000]
	dir, s := openImage(t, join(sound, torn))
	requireLock(t, s, "the lock")
	kept, err := s.Repair(dir, int64(len(sound)))
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, dir); !bytes.Equal(got, sound) {
		t.Errorf("got a segment of %d bytes, want the %d sound ones", len(got), len(sound))
	}
	if got := readFile(t, dir, kept); !bytes.Equal(got, torn) {
		t.Errorf("%s: got %d bytes, want the %d torn ones", kept, len(got), len(torn))
	}
	if !strings.HasPrefix(kept, segment.LostDir+"/") {
		t.Errorf("kept in %s, want it in %s", kept, segment.LostDir)
	}
}

// Who may write to the store must be able to keep what a producer of another user left.
func TestLostIsAsOpenAsTheStore(t *testing.T) {
	sound := image(block(1, "t", "a"))
	dir, s := openImage(t, join(sound, []byte("torn")))
	like := filepath.Join(t.TempDir(), "like")
	if err := errors.Join(os.Chmod(dir.Path(), 0o775), os.Mkdir(like, 0o775)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Repair(dir, int64(len(sound))); err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(like)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := dir.Lstat(segment.LostDir); err != nil || got.Mode() != want.Mode() {
		t.Errorf("got %v, %v, want %v", got.Mode(), err, want.Mode())
	}
}

// A second tail at the same place, and a repair of what needs none, take away nothing.
func TestRepairAgain(t *testing.T) {
	sound := image(block(1, "t", "a"))
	at := int64(len(sound))
	dir, s := openImage(t, sound)
	names := make(map[string]string)
	for _, torn := range []string{"first", "second", ""} {
		writeFile(t, dir, segment.Name(0), join(sound, []byte(torn)))
		kept, err := s.Repair(dir, at)
		if err != nil {
			t.Fatal(err)
		}
		names[kept] = torn
	}
	if len(names) != 3 {
		t.Fatalf("got the names %v, want three", names)
	}
	for name, torn := range names {
		if got := readFile(t, dir, name); string(got) != torn {
			t.Errorf("%s: got %q, want %q", name, got, torn)
		}
	}
	if got := contents(t, dir); !bytes.Equal(got, sound) {
		t.Errorf("the sound bytes have changed")
	}
}

// What cannot be kept is not removed.
func TestRepairKeepsOrRefuses(t *testing.T) {
	before := image(block(1, "t", "a"), lowBlock(2, "t", "b"))
	dir, s := openImage(t, before)
	writeFile(t, dir, segment.LostDir, nil) // a file is in the way
	if _, err := s.Repair(dir, int64(len(image(block(1, "t", "a"))))); err == nil {
		t.Fatal("got no error")
	}
	if got := contents(t, dir); !bytes.Equal(got, before) {
		t.Error("the segment was changed")
	}
}

func TestCreateIsExclusive(t *testing.T) {
	dir, _ := openImage(t, nil)
	s, err := segment.Create(dir, 7, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Order() != 7 {
		t.Errorf("got number %d, want 7", s.Order())
	}
	if _, err := segment.Create(dir, 7, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("got %v, want fs.ErrExist", err)
	}
	if _, err := segment.Open(dir, 8, true); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want fs.ErrNotExist", err)
	}
}

func TestSymbolicLinkIsNoSegment(t *testing.T) {
	dir, _ := openImage(t, nil)
	if err := os.Symlink(segment.Name(0), filepath.Join(dir.Path(), segment.Name(1))); err != nil {
		t.Fatal(err)
	}
	if s, err := segment.Open(dir, 1, true); err == nil {
		s.Close()
		t.Fatal("a symbolic link was opened as a segment")
	}
}

func TestParseName(t *testing.T) {
	tests := []struct {
		name  string
		order uint32
		ok    bool
	}{
		{"stream0.puro", 0, true},
		{"stream10.puro", 10, true},
		{"stream4294967295.puro", 1<<32 - 1, true},
		{"stream4294967296.puro", 0, false},
		{"stream01.puro", 0, false},
		{"stream+1.puro", 0, false},
		{"stream-1.puro", 0, false},
		{"stream.puro", 0, false},
		{"stream1.puro.broken", 0, false},
		{"1", 0, false},
		{"stream1", 0, false},
	}
	for _, tt := range tests {
		order, ok := segment.ParseName(tt.name)
		if ok != tt.ok || ok && (order != tt.order || segment.Name(order) != tt.name) {
			t.Errorf("%q: got %d, %t, want %d, %t", tt.name, order, ok, tt.order, tt.ok)
		}
	}
}

func TestAppendRaisesWhatItWrote(t *testing.T) {
	low := lowBlock(2, "t", "b", "c")
	tests := []struct {
		name   string
		pieces [][]byte
	}{
		{"one piece", [][]byte{low}},
		{"three pieces", [][]byte{low[:3], low[3:20], low[20:]}},
		{"a piece for each byte", split(low)},
		{"more pieces than a writev takes", split(lowBlock(2, "t", "b", strings.Repeat("c", 3000)))},
	}
	for _, tt := range tests {
		for _, first := range []bool{false, true} {
			dir, s := openImage(t, image(block(1, "t", "a")))
			at, err := s.Size()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Append(at, tt.pieces, 0, first); err != nil {
				t.Fatal(err)
			}
			want := join(image(block(1, "t", "a")), raise(join(tt.pieces...)))
			if got := contents(t, dir); !bytes.Equal(got, want) {
				t.Errorf("%s, sync first %t: the file is not what was to be written", tt.name, first)
			}
		}
	}
}

func split(b []byte) (pieces [][]byte) {
	for i := range b {
		pieces = append(pieces, b[i:i+1])
	}
	return pieces
}

// The start record need not be first: a new segment's magic is written with it.
func TestAppendBehindAMagic(t *testing.T) {
	dir, s := openImage(t, nil)
	pieces := [][]byte{join(image(), lowBlock(1, "t", "a"))}
	if err := s.Append(0, pieces, int64(len(image())), false); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, dir); !bytes.Equal(got, image(block(1, "t", "a"))) {
		t.Error("the file is not a magic and a raised block")
	}
	requireWalk(t, walkAll(t, s, true, segment.NoLimit), []string{"a"}, io.EOF)
}
