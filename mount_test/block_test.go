package mount_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// aligned returns memory that begins with a page: the kernel cuts a write of the most that a
// request carries in two if its first page is not whole.
func aligned(t *testing.T, size int) []byte {
	t.Helper()
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(memory); err != nil {
			t.Error(err)
		}
	})
	return memory
}

// All whole lines of one write(2) become one block: they become visible together, or not at all.
func TestOneWriteIsOneBlock(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", 63) + "\n"
	tests := []struct {
		name  string
		write func(t *testing.T) []byte
	}{
		{"one line", func(*testing.T) []byte { return []byte(line) }},
		{"three lines", func(*testing.T) []byte { return []byte("a\nb\n\n") }},
		{"lines and a half", func(*testing.T) []byte { return []byte("a\nb\nhalf") }},
		{"1 MiB", func(t *testing.T) []byte {
			memory := aligned(t, 1<<20)
			copy(memory, strings.Repeat(line, len(memory)/len(line)))
			return memory
		}},
		{"1 MiB of empty lines", func(t *testing.T) []byte {
			memory := aligned(t, 1<<20)
			copy(memory, strings.Repeat("\n", len(memory)))
			return memory
		}},
		{"1020 KiB, from the last byte of a page on", func(t *testing.T) []byte {
			memory := aligned(t, 1<<20)[4095:]
			return memory[:copy(memory, strings.Repeat(line, (1020<<10)/len(line)))]
		}},
		{"1 MiB less a page, anywhere", func(t *testing.T) []byte {
			return []byte(strings.Repeat(line, (1<<20-4096)/len(line)+1)[37:])
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := mountStore(t)
			m.mkdir("t")
			file, err := os.OpenFile(m.path("t/append"), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			before, text := m.verify(), test.write(t)
			mustWriteAll(t, file, text)
			after := m.verify()
			if got := after.Blocks - before.Blocks; got != 1 {
				t.Errorf("%d blocks, want 1", got)
			}
			lines := int64(bytes.Count(text, []byte("\n")))
			if got := after.Records - before.Records; got != lines {
				t.Errorf("%d records, want %d", got, lines)
			}
			m.want("t/log", string(text[:bytes.LastIndexByte(text, '\n')+1]))
		})
	}
}

// A line over max_record is refused, and with it all that came with it, whether it comes at once or
// in pieces. What stood before is there, and what comes after it is stored.
func TestLinesOverTheLimit(t *testing.T) {
	t.Parallel()
	const limit = 1000
	fits, over := strings.Repeat("f", limit)+"\n", strings.Repeat("o", limit+1)
	tests := []struct {
		name   string
		writes []string // a "!" in front: refused with EMSGSIZE
		want   string
	}{
		{"the longest", []string{fits}, fits},
		{"too long", []string{"!" + over + "\n", "next\n"}, "next\n"},
		{"among others", []string{"one\n", "!two\n" + over + "\nthree\n", "four\n"}, "one\nfour\n"},
		{"the last of a write", []string{"!one\n" + over, "!more of it\n", "two\n"}, "two\n"},
		{"in pieces", []string{over[:limit], "!" + over[limit:] + "\n", "next\n"}, "next\n"},
		{"in pieces that do not end", []string{over[:500], over[:500], "!o", "!o", "!o\n", "next\n"},
			"next\n"},
		{"ended by the close", []string{"one\n", over[:limit], "!o"}, "one\n"},
		{"much of it", []string{"!" + strings.Repeat(over, 3000), "!\n", "next\n"}, "next\n"},
	}
	m := mountStore(t, "max_record=1000")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := m.in(t)
			topic := strings.ReplaceAll(test.name, " ", "-")
			m.mkdir(topic)
			fd, err := syscall.Open(m.path(topic+"/append"), syscall.O_WRONLY|syscall.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range test.writes {
				var want error
				if rest, refused := strings.CutPrefix(text, "!"); refused {
					text, want = rest, syscall.EMSGSIZE
				}
				if _, err := syscall.Write(fd, []byte(text)); !errors.Is(err, want) {
					t.Errorf("write of %s: %v, want %v", brief(text), err, want)
				}
			}
			if err := syscall.Close(fd); err != nil {
				t.Error(err)
			}
			m.want(topic+"/log", test.want)
		})
	}
	if text := m.read(".puro/errors"); !strings.Contains(text, "option max_record") {
		t.Errorf(".puro/errors does not tell what to do: %s", brief(text))
	}
	m.verify()
}

// A write(2) of more than a request can carry comes in pieces. If a later one is refused then the
// call tells how much was taken, and every program comes back with the rest, which begins within a
// line: that must be refused again, or half a line would pass for a record.
func TestRestOfARefusedWrite(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	text := []byte(strings.Repeat("x", 10<<20) + "the end of a line that is too long\nnext\n")
	file, err := os.OpenFile(m.path("t/append"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n, err := file.Write(text) // which comes back with the rest by itself
	if !errors.Is(err, syscall.EMSGSIZE) || n == 0 {
		t.Errorf("a write of %d bytes took %d: %v, want some and EMSGSIZE", len(text), n, err)
	}
	if _, err := file.Write(text[n:]); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("the rest, once more: %v, want EMSGSIZE", err)
	}
	if _, err := file.WriteString("good\n"); err != nil {
		t.Errorf("another line: %v", err)
	}
	m.want("t/log", "good\n")
}

// A tool tells the person what was wrong.
func TestToolsReportLinesOverTheLimit(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "max_record=1000")
	m.mkdir("t")
	tests := []struct{ name, script string }{
		{"printf", `printf '%02000d\n' 1 >> append`},
		{"printf without newline", `printf '%02000d' 1 >> append`},
		{"cat", `head -c 5000 /dev/zero | cat >> append`},
		{"dd in pieces", `dd if=/dev/zero of=append bs=7 count=1000 status=none`},
		{"cp", `head -c 3000000 /dev/zero > $tmp/f; cp $tmp/f append`},
		{"tee", `head -c 5000 /dev/zero | tee -a append > /dev/null`},
		{"python", `python3 -c 'open("append", "ab", buffering=0).write(b"x" * 2000)'`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := m.in(t)
			p := m.start("cd t; tmp=" + t.TempDir() + "\n" + test.script)
			p.in.Close()
			if status := p.wait(); status == 0 || !strings.Contains(p.errors(), "Message too long") {
				t.Errorf("exit status %d, and on standard error %s", status, brief(p.errors()))
			}
			m.want("t/log", "")
		})
	}
}
