package codec_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"purofs/nodes/codec"
)

var (
	someTime = time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)
	formats  = []codec.Format{codec.Plain, codec.JSONL, codec.TSV, codec.Raw}
)

// render returns the whole text of a record.
func render(f codec.Format, key, value string) string {
	text := codec.NewText(f)
	text.Set(42, someTime, []byte(key), []byte(value))
	return copyAll(text, 64<<10)
}

// copyAll copies a text from its beginning to its end, so many bytes at a time.
func copyAll(text *codec.Text, size int) string {
	var all bytes.Buffer
	dst := make([]byte, size)
	for {
		n := text.Copy(dst, uint64(all.Len()))
		all.Write(dst[:n])
		if n < size {
			return all.String()
		}
	}
}

func TestText(t *testing.T) {
	const head = `{"offset":42,"time":"2026-11-22T10:00:00.123456789Z",`
	tests := []struct {
		format     codec.Format
		key, value string
		want       string
	}{
		{codec.Plain, "k", "a\nb", "a\nb\n"},
		{codec.Raw, "k", "a\nb", "a\nb"},
		{codec.Raw, "k", "", ""},
		{codec.TSV, "k", "v", "k\tv\n"},
		{codec.TSV, "", "", "\t\n"},
		{codec.TSV, "a\tb", "\\n\r\n\x00\xff", `a\tb` + "\t" + `\\n\r\n` + "\x00\xff\n"},
		{codec.JSONL, "k", "v", head + `"key":"k","value":"v"}` + "\n"},
		{codec.JSONL, "", "", head + `"key":"","value":""}` + "\n"},
		{codec.JSONL, `"`, "\\/\b\f\n\r\t\x00\x1f\x7f<é\u2028",
			head + `"key":"\"","value":"\\/\b\f\n\r\t\u0000\u001f` + "\x7f<é\u2028\"}\n"},
		{codec.JSONL, "\xff", "a\xffb", head + `"key_base64":"/w==","value_base64":"Yf9i"}` + "\n"},
		{codec.JSONL, "k", "\xed\xa0\x80", head + `"key":"k","value_base64":"7aCA"}` + "\n"},
	}
	for _, test := range tests {
		if got := render(test.format, test.key, test.value); got != test.want {
			t.Errorf("%s of %q, %q: got\n%s, want\n%s",
				test.format.Suffix(), test.key, test.value, got, test.want)
		}
	}
}

// Times are always in UTC and of one width, so that they sort as text.
func TestTimesOfJSONL(t *testing.T) {
	text := codec.NewText(codec.JSONL)
	for _, at := range []time.Time{
		time.Unix(0, 0), someTime, someTime.In(time.FixedZone("", 3600)), someTime.Add(1),
	} {
		text.Set(0, at, nil, nil)
		want := at.UTC().Format(`"time":"2006-01-02T15:04:05.000000000Z"`)
		if got := copyAll(text, 1000); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// From whatever byte it is copied, and however little at a time, a text is the same.
func TestTextFromAnywhere(t *testing.T) {
	for _, format := range formats {
		for _, value := range []string{"plain", "\t\n\\\x00\"é", "\xff\xfe\xfd\xfc", ""} {
			whole := render(format, "ke\ny", value)
			text := codec.NewText(format)
			text.Set(42, someTime, []byte("ke\ny"), []byte(value))
			for skip := len(whole); skip >= 0; skip-- { // backwards, so that it has to begin again
				for size := range 12 {
					dst := make([]byte, size)
					n := text.Copy(dst, uint64(skip))
					want := whole[skip:min(skip+size, len(whole))]
					if string(dst[:n]) != want || text.Place() != uint64(skip+n) ||
						text.AtEnd() != (skip+n == len(whole)) {
						t.Fatalf("%s from %d, %d bytes: got %q at %d, end %v, want %q",
							format.Suffix(), skip, size, dst[:n], text.Place(), text.AtEnd(), want)
					}
				}
			}
			if n := text.Len(); n != uint64(len(whole)) {
				t.Errorf("%s: length %d of a text of %d bytes", format.Suffix(), n, len(whole))
			}
			if n := text.Copy(make([]byte, 1), uint64(len(whole)+1)); n != 0 {
				t.Errorf("%s: %d bytes behind the end", format.Suffix(), n)
			}
		}
	}
}

// Reads of a large record that come in another order than that of the file get the same bytes:
// those that a kernel makes ahead, and any others.
func TestTextInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	value := strings.Repeat("\"\t\u00e9\x00abc\\", 1000)
	for _, format := range formats {
		whole := render(format, "key", value)
		text := codec.NewText(format)
		text.Set(42, someTime, []byte("key"), []byte(value))
		for i := range 3000 {
			size := random.IntN(100)
			skip := i/3*9 + random.IntN(300) // nearly in order
			if i%50 == 0 {
				skip = random.IntN(len(whole))
			}
			skip = min(skip, len(whole))
			dst := make([]byte, size)
			n := text.Copy(dst, uint64(skip))
			want := whole[skip:min(skip+size, len(whole))]
			if string(dst[:n]) != want || text.Place() != uint64(skip+n) {
				t.Fatalf("%s: %d bytes at %d: got %q at %d, want %q",
					format.Suffix(), size, skip, dst[:n], text.Place(), want)
			}
		}
		again := render(format, "key", "short")
		text.Set(42, someTime, []byte("key"), []byte("short"))
		if got := copyAll(text, 3); got != again || text.Len() != uint64(len(again)) {
			t.Errorf("%s: the next record reads %q, length %d", format.Suffix(), got, text.Len())
		}
	}
}

// What is made of a record, whatever its bytes are, gives the record again, however it is cut.
func FuzzText(f *testing.F) {
	f.Add([]byte("k"), []byte("v"), []byte{1, 2, 3})
	f.Add([]byte("a\tb"), []byte("\\n\r\n\x00\xff\""), []byte{5})
	f.Add([]byte("\xff"), []byte("é\u2028"), []byte{})
	f.Fuzz(func(t *testing.T, key, value, cuts []byte) {
		for _, format := range formats[1:] {
			text := codec.NewText(format)
			text.Set(42, someTime, key, value)
			whole := copyAll(text, 7)
			if again := copyAll(text, 64<<10); again != whole || text.Len() != uint64(len(whole)) {
				t.Fatalf("%s: %q of %d bytes, then %q", format.Suffix(), whole, text.Len(), again)
			}
			var got pairs
			got.written(t, codec.NewSplitter(format, len(value)), []byte(whole+whole), cuts)
			if format == codec.Raw {
				want := pairs{{"", string(value) + string(value)}}
				if len(value) > 0 && fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("raw: got %q, want %q", got, want)
				}
				continue
			}
			one := pair{string(key), string(value)}
			if want := (pairs{one, one}); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: got %q, want %q", format.Suffix(), got, want)
			}
			if format == codec.JSONL {
				checkJSON(t, whole, key, value)
			}
		}
	})
}

type pair struct{ key, value string }

// Pairs is a Sink that keeps copies.
type pairs []pair

func (p *pairs) Add(key, head, tail []byte) {
	*p = append(*p, pair{string(key), string(head) + string(tail)})
}

// written writes a text in pieces and ends it.
func (p *pairs) written(t *testing.T, s codec.Splitter, text, cuts []byte) {
	t.Helper()
	if whole, ok := s.(*codec.Whole); ok {
		*whole = *codec.NewSplitter(codec.Raw, len(text)).(*codec.Whole)
	}
	for len(text) > 0 {
		n := len(text)
		if len(cuts) > 0 {
			n, cuts = min(n, int(cuts[0])), cuts[1:]
		}
		if err := s.Split(text[:n], p); err != nil {
			t.Fatal(err)
		}
		s.Keep()
		text = text[n:]
	}
	if _, err := s.End(p); err != nil {
		t.Fatal(err)
	}
	s.Drop()
}

// checkJSON reads a line as others do.
func checkJSON(t *testing.T, line string, key, value []byte) {
	t.Helper()
	var got struct {
		Offset      uint64
		Time        time.Time
		Key, Value  *string
		KeyBase64   *string `json:"key_base64"`
		ValueBase64 *string `json:"value_base64"`
	}
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if got.Offset != 42 || !got.Time.Equal(someTime) || strings.Count(line, "\n") != 1 {
		t.Errorf("%q: offset %d, time %v", line, got.Offset, got.Time)
	}
	check := func(text, coded *string, want []byte) {
		if utf8.Valid(want) {
			if text == nil || coded != nil || *text != string(want) {
				t.Errorf("%q: want %q", line, want)
			}
		} else if coded == nil || text != nil ||
			*coded != base64.StdEncoding.EncodeToString(want) {
			t.Errorf("%q: want %q", line, want)
		}
	}
	check(got.Key, got.KeyBase64, key)
	check(got.Value, got.ValueBase64, value)
}

func TestTextAllocatesNothing(t *testing.T) {
	for _, format := range formats {
		text := codec.NewText(format)
		key, value, dst := []byte("key"), []byte("a value\n\xff"), make([]byte, 1000)
		got := testing.AllocsPerRun(100, func() {
			text.Set(1, someTime, key, value)
			text.Copy(dst[:7], 0)
			text.Copy(dst, 7)
		})
		if got > 0 {
			t.Errorf("%s: %v allocations", format.Suffix(), got)
		}
	}
}
