package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"purofs/nodes/codec"
)

// FuzzJSONL reads any line. What is taken must be what others make of it; encoding/json, which is
// more lenient in some points, is the judge.
func FuzzJSONL(f *testing.F) {
	for _, test := range goodLines {
		f.Add([]byte(test.line))
	}
	for _, test := range badLines {
		f.Add([]byte(test.line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.IndexByte(line, '\n') >= 0 {
			return
		}
		var got pairs
		l := codec.NewSplitter(codec.JSONL, len(line))
		err := l.Split(append(line, '\n'), &got)
		if err != nil {
			wantLineError(t, err, 1, "")
			return
		}
		if len(got) == 0 {
			if len(bytes.TrimSpace(line)) > 0 {
				t.Errorf("%q is no record", line)
			}
			return
		}
		checkObject(t, line, got[0])
	})
}

// checkObject compares a record with what encoding/json makes of its line.
func checkObject(t *testing.T, line []byte, got pair) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil || !utf8.Valid(line) {
		t.Fatalf("%q was taken: %v", line, err)
	}
	for name, text := range members {
		var want string
		var coded []byte
		var err error
		switch name {
		case "key", "value":
			if err = json.Unmarshal(text, &want); err != nil && name == "value" {
				var compact bytes.Buffer
				err = json.Compact(&compact, text)
				want = compact.String()
			} else if string(text) == "null" {
				want = "null"
			}
		case "key_base64", "value_base64":
			err = json.Unmarshal(text, &coded)
			want = string(coded)
		case "offset", "time":
			continue
		default:
			t.Fatalf("%q was taken, with a member %q", line, name)
		}
		have := got.value
		if strings.HasPrefix(name, "key") {
			have = got.key
		}
		if err != nil || have != want {
			t.Errorf("%q: %s is %q, want %q (%v)", line, name, have, want, err)
		}
	}
}

// FuzzTSV compares with a simple reader.
func FuzzTSV(f *testing.F) {
	for _, test := range goodLines {
		f.Add(test.line)
	}
	for _, test := range badLines {
		f.Add(test.line)
	}
	unescaper := strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\r`, "\r", `\\`, `\`)
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "\n") {
			return
		}
		var got pairs
		err := codec.NewSplitter(codec.TSV, len(line)).Split([]byte(line+"\n"), &got)
		columns := strings.Split(line, "\t")
		good := len(columns) == 2
		for _, text := range columns {
			left := strings.NewReplacer(`\\`, "", `\t`, "", `\n`, "", `\r`, "").Replace(text)
			good = good && !strings.Contains(left, `\`)
		}
		if good != (err == nil) {
			t.Fatalf("%q: %v", line, err)
		}
		if err != nil {
			wantLineError(t, err, 1, "")
			return
		}
		want := pair{unescaper.Replace(columns[0]), unescaper.Replace(columns[1])}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	})
}

// FuzzCuts writes any text in one piece and in several. If it is taken in several then the records
// are the same; if it is refused in one piece then it is refused in several, at the same line.
func FuzzCuts(f *testing.F) {
	f.Add([]byte("{\"value\":\"v\"}\n\n{\"key\":\"k\",\"value\":[1]}"), []byte{1, 2, 3})
	f.Add([]byte("k\tv\n\tw\n\\"), []byte{3, 3})
	f.Fuzz(func(t *testing.T, text, cuts []byte) {
		for _, format := range formats {
			whole, err := writeCut(codec.NewSplitter(format, len(text)), text, nil)
			pieces, errCut := writeCut(codec.NewSplitter(format, len(text)), text, cuts)
			if err == nil && errCut == nil {
				if !slices.Equal(whole, pieces) {
					t.Errorf("%s: %q in one piece, %q in several", format.Suffix(), whole, pieces)
				}
				continue
			}
			var line, lineCut *codec.LineError
			if !errors.As(err, &line) || !errors.As(errCut, &lineCut) || *line != *lineCut {
				t.Errorf("%s: %v in one piece, %v in several", format.Suffix(), err, errCut)
			}
		}
	})
}
