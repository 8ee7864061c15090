package fs

import (
	"slices"
	"strings"
	"testing"
)

func TestParseMountTable(t *testing.T) {
	const table = `22 28 0:21 / /proc rw,nosuid - proc proc rw
36 28 0:45 / /mnt/with\040blank rw shared:7 master:1 - fuse.purofs /srv/a\134b rw,user_id=0
37 28 0:46 / /mnt/with\040blank rw - ext4 /dev/vda rw
too short
38 28 0:47 / /mnt/odd\ rw - tmpfs none rw
`
	got, err := parseMountTable(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	want := []mountEntry{
		{"0:21", "/proc", "proc"},
		{"0:45", "/mnt/with blank", "fuse.purofs"},
		{"0:46", "/mnt/with blank", "ext4"},
		{"0:47", `/mnt/odd\`, "tmpfs"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if top, ok := topMount(got, "/mnt/with blank"); !ok || top != want[2] {
		t.Errorf("topmost: got %v, want %v", top, want[2])
	}
	if top, ok := topMount(got, "/mnt"); ok {
		t.Errorf("nothing is mounted on /mnt, got %v", top)
	}
}

func TestEscapeOption(t *testing.T) {
	if got, want := escapeOption(`/srv/a,b\c`), `/srv/a\,b\\c`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
