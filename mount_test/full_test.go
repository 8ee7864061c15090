package mount_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk that is full costs nothing but what cannot be stored: that append fails and leaves no
// trace, readers go on, and so do writers when there is room again.
func TestFullDisk(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	small := func(kind *fileSystem) *fileSystem {
		s := *kind
		s.bytes = 16 << 20
		return &s
	}
	tests := []struct {
		name  string
		mount func(t *testing.T, dir string)
	}{
		{"ext4", func(t *testing.T, dir string) {
			kind := small(fileSystems[0])
			image := filepath.Join(t.TempDir(), "image")
			kind.format(t, image)
			mountImage(t, image, kind, dir)
		}},
		{"tmpfs of 64 KiB", func(t *testing.T, dir string) {
			if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unmountImage(t, dir) })
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, mode := range []string{"none", "always", "flip"} {
				t.Run(mode, func(t *testing.T) {
					dir := newDir(t, "small")
					tt.mount(t, dir)
					fillAndGoOn(t, dir, mode)
				})
			}
		})
	}
}

// fillAndGoOn fills the disk through a mount, with a ballast and with lines, and then makes room.
func fillAndGoOn(t *testing.T, disk, mode string) {
	m := mountOn(t, filepath.Join(disk, "store"), "segment_size=1m", "sync="+mode)
	m.sh(`mkdir t; echo first >> t/append`)
	reader := m.start(`exec cat t/stream`)
	reader.wantLines("first")
	ballast := filepath.Join(disk, "ballast")
	fillDisk(t, ballast)
	want := "first\n"
	for n := 3000; n > 0; n /= 2 { // each time a smaller one fits, or none at all
		line := strings.Repeat("x", n)
		for writeLine(t, m, line) {
			want += line + "\n"
			reader.wantLines(line)
		}
		// A line that comes in pieces, as from a buffer, is not there either when its end was refused.
		m.sh(`! { printf begun; echo ` + line + `; } 2> /dev/null >> t/append`)
		m.want("t/log", want)
	}
	if out := m.sh(`! echo ` + strings.Repeat("y", 5000) + ` 2>&1 >> t/append`); !strings.Contains(
		out, "No space left on device") {
		t.Errorf("echo says %q", out)
	}

	// A daemon that starts on a full disk has to do, too.
	reader.signal(syscall.SIGKILL)
	reader.wait()
	m.unmount()
	m = mountAt(t, m.store, m.dir, "segment_size=1m", "sync="+mode)
	m.want("t/log", want)

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("z", 5000)
	if !writeLine(t, m, line) {
		t.Fatal("there is room, and no line can be written")
	}
	want += line + "\n"
	m.want("t/log", want)
	m.unmount()
	if report := m.verify(); report.Tail != "clean" {
		t.Errorf("the log ends %s", report.Tail)
	}
}

// writeLine appends a line, and tells whether there was room for it.
func writeLine(t *testing.T, m *mount, line string) bool {
	t.Helper()
	file, err := os.OpenFile(m.path("t/append"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n, err := file.WriteString(line + "\n")
	if err != nil && (n > 0 || !errors.Is(err, syscall.ENOSPC)) {
		t.Fatalf("writing a line: %d, %v", n, err)
	}
	return err == nil
}

// fillDisk makes a file that takes all the room there is, to the last byte that a file can have.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for n := 1 << 20; n > 0; n /= 2 {
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, n))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	if err := file.Sync(); err != nil {
		t.Fatal(err)
	}
}
