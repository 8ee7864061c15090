package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"purofs/engine/disk"
)

// A script is a Hook that notes each operation and asks the test what to do with it.
type script struct {
	noted  []string
	before func(op *disk.Op) error
}

func (s *script) Before(op *disk.Op) error {
	if s.before == nil {
		return nil
	}
	return s.before(op)
}

func (s *script) After(op *disk.Op, n int, err error) {
	note := fmt.Sprintf("%v %s", op.Kind, filepath.Base(op.Path))
	switch op.Kind {
	case disk.OpWrite, disk.OpRead:
		note += fmt.Sprintf(" %d at %d", n, op.At)
	case disk.OpTruncate:
		note += fmt.Sprintf(" to %d", op.At)
	case disk.OpRename:
		note += " to " + filepath.Base(op.To)
	}
	if err != nil {
		note += fmt.Sprintf(": %v", cause(err))
	}
	s.noted = append(s.noted, note)
}

// cause is the error without the names around it.
func cause(err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}

func openDir(t *testing.T, hook disk.Hook) *disk.Dir {
	t.Helper()
	d, err := disk.OpenDir(t.TempDir(), hook)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func create(t *testing.T, d *disk.Dir, name string) *disk.File {
	t.Helper()
	f, err := d.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// Every method of a Dir and a File, with a hook and without one: both do the same, and the hook
// sees each of them.
func TestHookSeesEverything(t *testing.T) {
	seen := &script{}
	for _, hook := range []disk.Hook{nil, seen} {
		d := openDir(t, hook)
		seen.noted = nil
		useAll(t, d)
	}
	want := strings.Fields(`mkdir:sub open:sub fsync_of_the_directory:sub open:sub open:f
		write:f_5_at_0 write:f_6_at_5 write:f_6_at_20 lseek:f stat:f stat:f read:f_4_at_3 fdatasync:f
		truncate:f_to_8 fsync:f rename:f_to_g stat:g stat:DIR readdir:DIR stat:DIR stat:DIR open:g
		read:g_8_at_0:_EOF close:g close:f remove:g open:none:_no_such_file_or_directory close:sub`)
	var got []string
	for _, note := range seen.noted {
		kind, rest, _ := strings.Cut(note, " ")
		if strings.HasPrefix(note, "fsync of the directory") {
			kind, rest = "fsync of the directory", strings.TrimPrefix(note, "fsync of the directory ")
		}
		if strings.HasPrefix(rest, "00") {
			rest = "DIR" // the name that t.TempDir has chosen
		}
		got = append(got, strings.ReplaceAll(kind+":"+rest, " ", "_"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func useAll(t *testing.T, d *disk.Dir) {
	t.Helper()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	must("Mkdir", d.Mkdir("sub", 0o700))
	sub, err := d.OpenDir("sub")
	must("OpenDir", err)
	must("Sync", sub.Sync())
	must("Close", sub.Close())
	self, err := d.Open("sub")
	must("Open", err)
	defer self.Close()
	f := create(t, d, "f")
	_, err = f.Write([]byte("hello"))
	must("Write", err)
	_, err = f.Write([]byte(" world"))
	must("Write", err)
	must("WriteAllAt", f.WriteAllAt([][]byte{[]byte("a"), nil, []byte("bcd"), []byte("ef")}, 20))
	if size, err := f.Size(); size != 26 || err != nil {
		t.Fatalf("Size: got %d, %v", size, err)
	}
	info, err := f.Info()
	if err != nil || info.Size() != 26 {
		t.Fatalf("Info: got %v, %v", info, err)
	}
	if has, err := d.Has("f", info); !has || err != nil {
		t.Fatalf("Has: got %t, %v", has, err)
	}
	part := make([]byte, 4)
	if n, err := f.ReadAt(part, 3); n != 4 || string(part) != "lo w" || err != nil {
		t.Fatalf("ReadAt: got %q, %v", part[:n], err)
	}
	must("Datasync", f.Datasync())
	must("Truncate", f.Truncate(8))
	must("Sync", f.Sync())
	must("Rename", d.Rename("f", "g"))
	if info, err := d.Lstat("g"); err != nil || info.Size() != 8 {
		t.Fatalf("Lstat: got %v, %v", info, err)
	}
	if info, err := d.Stat(); err != nil || !info.IsDir() {
		t.Fatalf("Stat: got %v, %v", info, err)
	}
	if entries, err := d.ReadDir(); err != nil || len(entries) != 2 {
		t.Fatalf("ReadDir: got %v, %v", entries, err)
	}
	kind, err := d.FSType()
	if err != nil || kind == 0 || !d.Writable() {
		t.Fatalf("FSType, Writable: got %d, %v", kind, err)
	}
	if b, err := d.ReadFile("g", 8); err != nil || string(b) != "hello wo" {
		t.Fatalf("ReadFile: got %q, %v", b, err)
	}
	must("Close", f.Close())
	must("Remove", d.Remove("g"))
	if _, err := d.Open("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Open: got %v", err)
	}
}

// What a hook lets fail fails with that error, is not done, and leaves no file open.
func TestHookMakesItFail(t *testing.T) {
	hook := &script{}
	d := openDir(t, hook)
	f := create(t, d, "f")
	if err := f.WriteAllAt([][]byte{[]byte("sound")}, 0); err != nil {
		t.Fatal(err)
	}
	hook.before = func(op *disk.Op) error { return syscall.EIO }
	var p [1]byte
	_, readErr := f.ReadAt(p[:], 0)
	n, writeErr := f.WriteAt([]byte("x"), 0)
	_, openErr := d.OpenFile("new", os.O_CREATE|os.O_WRONLY, 0o600)
	_, dirErr := d.OpenDir(".")
	_, rootErr := disk.OpenDir(d.Path(), hook)
	for name, err := range map[string]error{
		"ReadAt": readErr, "WriteAt": writeErr, "OpenFile": openErr, "OpenDir": dirErr,
		"disk.OpenDir": rootErr, "WriteAllAt": f.WriteAllAt([][]byte{p[:], p[:]}, 0),
		"Truncate": f.Truncate(0), "Sync": f.Sync(), "Datasync": f.Datasync(), "Mkdir": d.Mkdir("m", 0),
		"Rename": d.Rename("f", "g"), "Remove": d.Remove("f"), "Dir.Sync": d.Sync(), "Close": f.Close(),
	} {
		var named *fs.PathError
		if !errors.Is(err, syscall.EIO) || !errors.As(err, &named) {
			t.Errorf("%s: got %v, want a *fs.PathError with EIO", name, err)
		}
	}
	if n != 0 || p[0] != 0 {
		t.Errorf("got %d bytes written, %q read, want none", n, p)
	}
	entries, err := os.ReadDir(d.Path())
	b, readErr := os.ReadFile(filepath.Join(d.Path(), "f"))
	if len(entries) != 1 || string(b) != "sound" || err != nil || readErr != nil {
		t.Errorf("got %v, %q, %v, %v, want nothing done", entries, b, err, readErr)
	}
	hook.before = nil
	if _, err := f.Size(); !errors.Is(err, syscall.EBADF) {
		t.Errorf("got %v, want the file closed although that failed", err)
	}
}

// A write that is cut short goes on behind what was written, in as many operations as it takes, and
// an error in the middle leaves what was written before.
func TestShortWrites(t *testing.T) {
	pieces := [][]byte{[]byte("abc"), []byte("d"), nil, []byte("efghij")}
	for at := range 11 {
		for _, then := range []error{nil, syscall.ENOSPC} {
			hook := &script{}
			d := openDir(t, hook)
			f := create(t, d, "f")
			writes := 0
			hook.before = func(op *disk.Op) error {
				if op.Kind != disk.OpWrite {
					return nil
				}
				if writes++; writes > 1 {
					return then
				}
				op.Limit = at
				return nil
			}
			err := f.WriteAllAt(pieces, 2)
			wrote := max(1, at)
			want := "abcdefghij"
			if then != nil && wrote < len(want) {
				want = want[:wrote]
			} else {
				then = nil
			}
			b, _ := os.ReadFile(filepath.Join(d.Path(), "f"))
			if !errors.Is(err, then) || string(bytes.TrimLeft(b, "\x00")) != want {
				t.Errorf("short after %d, then %v: got %v and %q, want %q", at, then, err, b, want)
			}
		}
	}
}

func TestReadFileIsBounded(t *testing.T) {
	d := openDir(t, nil)
	if _, err := create(t, d, "f").Write([]byte("12345")); err != nil {
		t.Fatal(err)
	}
	if b, err := d.ReadFile("f", 4); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("got %q, %v, want EFBIG", b, err)
	}
}

// What is no file is an error, and nothing to wait for.
func TestReadFileOfAPipe(t *testing.T) {
	d := openDir(t, nil)
	if err := syscall.Mkfifo(filepath.Join(d.Path(), "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := d.ReadFile("pipe", 4); !errors.Is(err, syscall.ESPIPE) {
		t.Errorf("got %q, %v, want ESPIPE", b, err)
	}
}

func TestOpenDirOfAFile(t *testing.T) {
	d := openDir(t, nil)
	create(t, d, "f")
	if _, err := disk.OpenDir(filepath.Join(d.Path(), "f"), nil); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("got %v, want ENOTDIR", err)
	}
}

// More pieces than one pwritev(2) takes.
func TestManyPieces(t *testing.T) {
	d := openDir(t, nil)
	f := create(t, d, "f")
	var pieces [][]byte
	var want bytes.Buffer
	for i := range 2500 {
		pieces = append(pieces, fmt.Appendf(nil, "%d,", i))
		want.Write(pieces[i])
	}
	if err := f.WriteAllAt(pieces, 0); err != nil {
		t.Fatal(err)
	}
	if got, err := d.ReadFile("f", 1<<20); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, want.Len())
	}
}

func TestNothingIsAllocated(t *testing.T) {
	d := openDir(t, nil)
	f := create(t, d, "f")
	p := []byte("x")
	pieces := [][]byte{p}
	for name, do := range map[string]func(){
		"WriteAt":    func() { _, _ = f.WriteAt(p, 0) },
		"WriteAllAt": func() { _ = f.WriteAllAt(pieces, 0) },
		"ReadAt":     func() { _, _ = f.ReadAt(p, 0) },
		"Size":       func() { _, _ = f.Size() },
		"Truncate":   func() { _ = f.Truncate(1) },
	} {
		if got := testing.AllocsPerRun(100, do); got != 0 {
			t.Errorf("%s: got %v allocations, want none", name, got)
		}
	}
}
