package codec_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"purofs/nodes/codec"
)

// A list is a Sink that keeps copies: of the value, with the key and an equals sign before it if
// there is one.
type list []string

func (l *list) Add(key, head, tail []byte) {
	record := string(head) + string(tail)
	if len(key) > 0 {
		record = string(key) + "=" + record
	}
	*l = append(*l, record)
}

// writeCut writes a text in pieces whose sizes cuts tells, and ends it.
func writeCut(l codec.Splitter, text, cuts []byte) (list, error) {
	var got list
	for rest := text; len(rest) > 0; {
		n := len(rest)
		if len(cuts) > 0 {
			n, cuts = min(n, int(cuts[0])), cuts[1:]
		}
		records, err := write(l, string(rest[:n]))
		if err != nil {
			return got, err
		}
		got, rest = append(got, records...), rest[n:]
	}
	_, err := l.End(&got)
	l.Drop()
	return got, err
}

// write does what a handle does with data; its bytes are overwritten afterwards, as a request's
// are.
func write(l codec.Splitter, data string) (list, error) {
	var got list
	buf := []byte(data)
	err := l.Split(buf, &got)
	if err == nil {
		l.Keep()
	}
	for i := range buf {
		buf[i] = '#'
	}
	return got, err
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 10)
	tests := []struct {
		name   string
		writes []string
		want   []string // the records of each write, joined by commas; "!" if it is refused
		rest   string   // what End adds
	}{
		{"one line", []string{"a\n"}, []string{"a"}, ""},
		{"several", []string{"a\nb\nc\n"}, []string{"a,b,c"}, ""},
		{"empty lines", []string{"\n\n"}, []string{","}, ""},
		{"in pieces", []string{"a", "b", "c\nd"}, []string{"", "", "abc"}, "d"},
		{"a lone newline ends it", []string{"a", "\n"}, []string{"", "a"}, ""},
		{"nothing", []string{""}, []string{""}, ""},
		{"nothing in between", []string{"a", "", "b\n"}, []string{"", "", "ab"}, ""},
		{"carriage return and NUL", []string{"a\r\n\x00\n"}, []string{"a\r,\x00"}, ""},
		{"at the limit", []string{long + "\n"}, []string{long}, ""},
		{"at the limit, carried", []string{long}, []string{""}, long},
		{"over the limit", []string{long + "y\n", "ok\n"}, []string{"!", "ok"}, ""},
		{"over it among others", []string{"a\n" + long + "y\nb\n", "ok\n"},
			[]string{"!", "ok"}, ""},
		{"over it by its carry", []string{long, "y\n", "ok\n"}, []string{"", "!", "ok"}, ""},
		{"over it without an end", []string{long + "y", "z", "z\n", "ok\n"},
			[]string{"!", "!", "!", "ok"}, ""},
		{"half a line is no record", []string{long + "y", "z\nabc", "def\n", "ok\n"},
			[]string{"!", "!", "!", "ok"}, ""},
		{"over it behind a good line", []string{"a\n" + long + "y", "z\n", "ok"},
			[]string{"!", "!", ""}, "ok"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := codec.NewLines(10)
			for i, data := range test.writes {
				got, err := write(l, data)
				switch {
				case test.want[i] == "!":
					if !errors.Is(err, codec.ErrTooLong) {
						t.Fatalf("write %d: got %q, %v, want ErrTooLong", i, got, err)
					}
				case err != nil:
					t.Fatalf("write %d: %v", i, err)
				case strings.Join(got, ",") != test.want[i]:
					t.Fatalf("write %d: got %q, want %q", i, got, test.want[i])
				}
			}
			var rest list
			ended, err := l.End(&rest)
			if err != nil || ended != (test.rest != "") || strings.Join(rest, ",") != test.rest {
				t.Errorf("End added %q, %v, want %q", rest, err, test.rest)
			}
		})
	}
}

func TestLinesEndEndsARefusedLine(t *testing.T) {
	l := codec.NewLines(3)
	if _, err := write(l, "abcd"); !errors.Is(err, codec.ErrTooLong) {
		t.Fatalf("got %v, want ErrTooLong", err)
	}
	var rest list
	if ended, err := l.End(&rest); ended || err != nil || len(rest) > 0 {
		t.Errorf("End added %q, %v of a refused line", rest, err)
	}
	if got, err := write(l, "ok\n"); err != nil || !slices.Equal(got, list{"ok"}) {
		t.Errorf("after End: got %q, %v", got, err)
	}
}

// A write(2) of more than the kernel passes on in one piece is refused in its second piece. Who
// wrote it is told how much was taken, and comes again with the rest, which begins within a line.
func TestLinesRefusesTheRestAgain(t *testing.T) {
	const limit = 100 << 10
	first := strings.Repeat("x", limit)
	tests := []struct {
		name   string
		first  string
		rest   string
		second string // what is written then
		want   bool   // it is taken
	}{
		{"the same", first, "tail\n", "tail\n", false},
		{"the same and more", first, "tail\nb\n", "tail\nb\nc\n", false},
		{"a shorter rest of it", first, "tail\nb\n", "tail\n", false},
		{"something else", first, "tail\n", "other\n", true},
		{"small writes are never parts of larger ones", "x\n", first + "tail\n", "tail\n", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := codec.NewLines(limit)
			if _, err := write(l, test.first); err != nil {
				t.Fatal(err)
			}
			if _, err := write(l, test.rest); !errors.Is(err, codec.ErrTooLong) {
				t.Fatalf("got %v, want ErrTooLong", err)
			}
			for range 2 {
				got, err := write(l, test.second)
				if test.want != (err == nil) {
					t.Errorf("the second time: %q, %v", got, err)
				}
			}
			if got, err := write(l, "new\n"); err != nil || !slices.Equal(got, list{"new"}) {
				t.Errorf("a new line: %q, %v", got, err)
			}
		})
	}
}

func TestLinesForgetsAWriteThatIsNotKept(t *testing.T) {
	l := codec.NewLines(100)
	if _, err := write(l, "begun "); err != nil {
		t.Fatal(err)
	}
	var lost list
	if err := l.Split([]byte("lost\nlost too"), &lost); err != nil {
		t.Fatal(err)
	}
	if l.Carried() != len("begun ") || l.Pending() != len("lost too") {
		t.Errorf("carries %d, then %d", l.Carried(), l.Pending())
	}
	got, err := write(l, "and ended\n")
	if err != nil || !slices.Equal(got, list{"begun and ended"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestLinesAllocatesNothing(t *testing.T) {
	l := codec.NewLines(1000)
	data := bytes.Repeat([]byte("a line of some length\n"), 1000)
	var sink discard
	got := testing.AllocsPerRun(100, func() {
		if err := l.Split(data, &sink); err != nil {
			t.Fatal(err)
		}
		l.Keep()
	})
	if got > 0 {
		t.Errorf("%v allocations in 1000 lines", got)
	}
}

type discard struct{ bytes int }

func (d *discard) Add(_, head, tail []byte) { d.bytes += len(head) + len(tail) }

func TestCopyLine(t *testing.T) {
	const text = "value\n"
	for skip := range len(text) {
		for room := range 8 {
			dst := make([]byte, room)
			n := codec.CopyLine(dst, []byte("value"), uint64(skip))
			want := text[skip:min(skip+room, len(text))]
			if string(dst[:n]) != want {
				t.Errorf("skip %d, room %d: got %q, want %q", skip, room, dst[:n], want)
			}
		}
	}
	if codec.LineBytes([]byte("value")) != uint64(len(text)) {
		t.Errorf("LineBytes is %d", codec.LineBytes([]byte("value")))
	}
}

// FuzzLines cuts a text into writes at places that the input chooses: whatever they are, the
// records are the lines.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc"), []byte{1, 2, 3})
	f.Add([]byte("\n"), []byte{0})
	f.Add([]byte("no end"), []byte{255, 1})
	f.Fuzz(func(t *testing.T, text, cuts []byte) {
		l := codec.NewLines(len(text))
		got, err := writeCut(l, text, cuts)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(string(text), "\n")
		if want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		if !slices.Equal(got, list(want)) {
			t.Errorf("got %q, want %q", got, want)
		}
		if l.Carried() != 0 {
			t.Errorf("carries %d bytes after Drop", l.Carried())
		}
	})
}
