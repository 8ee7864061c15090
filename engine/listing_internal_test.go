package engine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"purofs/engine/disk"
	"purofs/engine/segment"
)

// What a listing missed, because it was made meanwhile, is found; what is not there is not.
func TestListingMissesASegment(t *testing.T) {
	path := t.TempDir()
	for _, order := range []uint32{3, 4, 5, 6, 9, 5000} {
		if err := os.WriteFile(filepath.Join(path, segment.Name(order)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := disk.OpenDir(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, tt := range []struct{ listed, want []uint32 }{
		{nil, []uint32{}},
		{[]uint32{3}, []uint32{3}},
		{[]uint32{3, 4, 5, 6}, []uint32{3, 4, 5, 6}},
		{[]uint32{3, 6}, []uint32{3, 4, 5, 6}},
		{[]uint32{3, 5, 6, 9}, []uint32{3, 4, 5, 6, 9}},
		{[]uint32{4, 9, 5000}, []uint32{4, 5, 6, 9, 5000}},
		{[]uint32{9, 5000, 1<<32 - 1}, []uint32{9, 5000, 1<<32 - 1}},
	} {
		if got := withMissed(dir, tt.listed); !slices.Equal(got, tt.want) {
			t.Errorf("listed %d: got %d, want %d", tt.listed, got, tt.want)
		}
	}
}
