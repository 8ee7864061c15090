package codec_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"purofs/nodes/codec"
)

var goodLines = []struct {
	name   string
	format codec.Format
	line   string
	want   string // key=value, or value
}{
	{"key and value", codec.JSONL, `{"key":"k","value":"v"}`, "k=v"},
	{"value alone", codec.JSONL, `{"value":"v"}`, "v"},
	{"empty", codec.JSONL, `{"key":"","value":""}`, ""},
	{"as log.jsonl has it", codec.JSONL,
		`{"offset":42,"time":"2026-11-22T10:00:00.123456789Z","key":"k","value":"v"}`, "k=v"},
	{"as Python has it", codec.JSONL, `{"offset": 42, "key": "k", "value": "v"}`, "k=v"},
	{"white space", codec.JSONL, " { \"value\"\t: \"v\" , \"key\" : \"k\" } \r", "k=v"},
	{"escapes", codec.JSONL, `{"key":"\u006b\n","value":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`,
		"k\n=\"\\/\b\f\n\r\té😀"},
	{"an escaped name", codec.JSONL, `{"\u0076alue":"v"}`, "v"},
	{"more than ASCII", codec.JSONL, `{"key":"schlüssel","value":"😀"}`, "schlüssel=😀"},
	{"NUL", codec.JSONL, `{"value":"a\u0000b"}`, "a\x00b"},
	{"base64", codec.JSONL, `{"key_base64":"//4=","value_base64":"AAEC"}`, "\xff\xfe=\x00\x01\x02"},
	{"empty base64", codec.JSONL, `{"value_base64":""}`, ""},
	{"both spellings of different members", codec.JSONL,
		`{"key":"k","value_base64":"/w=="}`, "k=\xff"},
	{"number", codec.JSONL, `{"value": 1.50e+2}`, "1.50e+2"},
	{"number beyond every type", codec.JSONL, `{"value":-1e999999}`, "-1e999999"},
	{"true", codec.JSONL, `{"value":true}`, "true"},
	{"null", codec.JSONL, `{"value":null}`, "null"},
	{"object", codec.JSONL, `{"value":{ "b" : [ 1 , 2.0 ], "a":"\u0041 x", "b" : {} }}`,
		`{"b":[1,2.0],"a":"\u0041 x","b":{}}`},
	{"array", codec.JSONL, `{"value":[ ]}`, "[]"},
	{"offset and time are ignored", codec.JSONL,
		`{"offset":{"a":-1},"time":[null],"value":"v"}`, "v"},

	{"key and value", codec.TSV, "k\tv", "k=v"},
	{"no key", codec.TSV, "\tv", "v"},
	{"nothing", codec.TSV, "\t", ""},
	{"escapes", codec.TSV, `\tk\\` + "\t" + `\n\r\\n`, "\tk\\=\n\r\\n"},
	{"other bytes", codec.TSV, "\xff\x00\t\"\r\x7f", "\xff\x00=\"\r\x7f"},
}

func TestGoodLines(t *testing.T) {
	for _, test := range goodLines {
		t.Run(test.format.Suffix()+" "+test.name, func(t *testing.T) {
			for _, ended := range []string{"\n", ""} {
				l := codec.NewSplitter(test.format, 1000)
				got, err := writeCut(l, []byte(test.line+ended), nil)
				if err != nil || !slices.Equal(got, list{test.want}) {
					t.Errorf("got %q, %v, want %q", got, err, test.want)
				}
			}
		})
	}
}

var badLines = []struct {
	name   string
	format codec.Format
	line   string
	want   string // of the reason
}{
	{"no object", codec.JSONL, `"v"`, "a string where an object is expected"},
	{"array", codec.JSONL, `["k","v"]`, "an array where an object is expected"},
	{"number", codec.JSONL, `42`, "a number where an object is expected"},
	{"text", codec.JSONL, `hello`, "invalid character 'h'"},
	{"cut short", codec.JSONL, `{"key":"k","val`, "no end"},
	{"cut short behind a member", codec.JSONL, `{"key":"k",`, "no end"},
	{"no value", codec.JSONL, `{"key":"k"}`, `no member "value"`},
	{"empty object", codec.JSONL, `{}`, `no member "value"`},
	{"unknown member", codec.JSONL, `{"value":"v","colour":"red"}`, `unknown member "colour"`},
	{"name in capitals", codec.JSONL, `{"Value":"v"}`, `unknown member "Value"`},
	{"value twice", codec.JSONL, `{"value":"v","value":"v"}`, `more than one member "value"`},
	{"offset twice", codec.JSONL, `{"offset":1,"offset":1,"value":"v"}`, `"offset"`},
	{"value in two spellings", codec.JSONL, `{"value":"v","value_base64":""}`, "both"},
	{"key in two spellings", codec.JSONL, `{"key_base64":"","key":"","value":"v"}`, "both"},
	{"key is no string", codec.JSONL, `{"key":1,"value":"v"}`, `"key" is a number`},
	{"key is null", codec.JSONL, `{"key":null,"value":"v"}`, `"key" is null`},
	{"base64 is no string", codec.JSONL, `{"value_base64":[]}`, `"value_base64" is an array`},
	{"no base64", codec.JSONL, `{"value_base64":"%"}`, "base64"},
	{"base64 without padding", codec.JSONL, `{"value_base64":"/w"}`, "base64"},
	{"base64 with bits behind it", codec.JSONL, `{"value_base64":"/x=="}`, "base64"},
	{"base64 of URLs", codec.JSONL, `{"value_base64":"_w=="}`, "base64"},
	{"base64 in lines", codec.JSONL, `{"value_base64":"AAEC\nAAEC"}`, "line end"},
	{"behind the object", codec.JSONL, `{"value":"v"}x`, "after the object"},
	{"two objects", codec.JSONL, `{"value":"v"} {"value":"v"}`, "after the object"},
	{"a comma at the end", codec.JSONL, `{"value":"v",}`, "','"},
	{"single quotes", codec.JSONL, `{'value':'v'}`, `'\''`},
	{"invalid UTF-8", codec.JSONL, "{\"value\":\"\xff\"}", "UTF-8"},
	{"invalid UTF-8 in a name", codec.JSONL, "{\"\xff\":\"\"}", "UTF-8"},
	{"invalid UTF-8 within a value", codec.JSONL, "{\"value\":[\"\xff\"]}", "UTF-8"},
	{"a surrogate alone", codec.JSONL, `{"value":"\ud83d"}`, `surrogate`},
	{"surrogates in disorder", codec.JSONL, `{"value":"\ude00\ud83d"}`, `surrogate`},
	{"a surrogate within a value", codec.JSONL, `{"value":["\ud83d"]}`, `surrogate`},
	{"unknown escape", codec.JSONL, `{"value":"\x41"}`, `escape`},
	{"a control character", codec.JSONL, "{\"value\":\"a\tb\"}", `'\t'`},
	{"NaN", codec.JSONL, `{"value":NaN}`, `'N'`},
	{"a zero before a number", codec.JSONL, `{"offset":01,"value":"v"}`, `'1'`},
	{"a byte order mark", codec.JSONL, "\ufeff{\"value\":\"v\"}", "invalid"},

	{"no TAB", codec.TSV, "value", "no TAB"},
	{"empty", codec.TSV, "", "no TAB"},
	{"two TABs", codec.TSV, "k\tv\t", "more than one TAB"},
	{"unknown escape", codec.TSV, `k` + "\t" + `\x41`, `unknown escape "\\x"`},
	{"backslash at the end", codec.TSV, "k\tv\\", "backslash at the end"},
	{"backslash at the end of a key", codec.TSV, "k\\\tv", "backslash at the end"},
}

// A bad line is told by its number and the reason, whatever stands before and behind it, and
// however it is written; and then the handle is as good as new.
func TestBadLines(t *testing.T) {
	good := map[codec.Format]string{codec.JSONL: `{"value":"v"}`, codec.TSV: "\tv"}
	for _, test := range badLines {
		t.Run(test.format.Suffix()+" "+test.name, func(t *testing.T) {
			g := good[test.format] + "\n"
			tests := []struct {
				writes []string
				line   uint64
			}{
				{[]string{test.line + "\n"}, 1},
				{[]string{g + g, g + test.line + "\n" + g}, 4},
				{[]string{g + test.line, "\n"}, 2},
			}
			for _, placed := range tests {
				l := codec.NewSplitter(test.format, 1000)
				last := len(placed.writes) - 1
				for _, data := range placed.writes[:last] {
					if _, err := write(l, data); err != nil {
						t.Fatalf("write of %q: %v", data, err)
					}
				}
				_, err := write(l, placed.writes[last])
				wantLineError(t, err, placed.line, test.want)
				if got, err := write(l, g); err != nil || !slices.Equal(got, list{"v"}) {
					t.Errorf("after it: got %q, %v", got, err)
				}
			}
			if test.line == "" {
				return // nothing that could be ended
			}
			_, err := writeCut(codec.NewSplitter(test.format, 1000), []byte(g+test.line), nil)
			wantLineError(t, err, 2, test.want)
		})
	}
}

func wantLineError(t *testing.T, err error, line uint64, reason string) {
	t.Helper()
	var bad *codec.LineError
	if !errors.As(err, &bad) || !errors.Is(err, codec.ErrSyntax) {
		t.Fatalf("got %v, want a LineError", err)
	}
	if bad.Line != line || !strings.Contains(bad.Reason, reason) {
		t.Errorf("got line %d: %s, want line %d: ... %s", bad.Line, bad.Reason, line, reason)
	}
	if len(bad.Reason) > 300 {
		t.Errorf("a reason of %d bytes", len(bad.Reason))
	}
}

func TestBlankLinesOfJSONL(t *testing.T) {
	l := codec.NewSplitter(codec.JSONL, 1000)
	got, err := writeCut(l, []byte("\n \t\n{\"value\":\"v\"}\n\r\n\n  "), nil)
	if err != nil || !slices.Equal(got, list{"v"}) {
		t.Errorf("got %q, %v, want one record", got, err)
	}
}

// The rest of a line of which a part was refused is no record, though it looks like one.
func TestHalfABadLine(t *testing.T) {
	l := codec.NewSplitter(codec.TSV, 1000)
	if _, err := write(l, "bad\na\tb"); !errors.Is(err, codec.ErrSyntax) {
		t.Fatalf("got %v, want ErrSyntax", err)
	}
	_, err := write(l, "c\n\td\n")
	wantLineError(t, err, 1, "no TAB")
	if got, err := write(l, "\te\n"); err != nil || !slices.Equal(got, list{"e"}) {
		t.Errorf("after it: got %q, %v", got, err)
	}
	_, err = write(l, "bad\n")
	wantLineError(t, err, 5, "no TAB")
}

// The limit is one of the value, however it is written.
func TestValueLimit(t *testing.T) {
	const limit = 20000
	for _, test := range []struct {
		format      codec.Format
		begin, unit string // unit is one byte of the value
		end         string
	}{
		{codec.JSONL, `{"value":"`, "v", `"}`},
		{codec.JSONL, `{"value":"`, `\u0000`, `"}`},
		{codec.JSONL, `{"key":"k","value":[`, "0", "]}"},
		{codec.TSV, "\t", "v", ""},
		{codec.TSV, "\t", `\n`, ""},
	} {
		room := limit
		if test.end == "]}" {
			room -= 2 // the value's own brackets
			test.unit = "1"
		}
		l := codec.NewSplitter(test.format, limit)
		line := test.begin + strings.Repeat(test.unit, room) + test.end + "\n"
		if got, err := write(l, line); err != nil || len(got) != 1 {
			t.Errorf("%.30s: %v at the limit", line, err)
		}
		line = test.begin + strings.Repeat(test.unit, room+1) + test.end + "\n"
		if _, err := write(l, line); !errors.Is(err, codec.ErrTooLong) {
			t.Errorf("%.30s: got %v over the limit, want ErrTooLong", line, err)
		}
	}
}

// What is carried of a line is bounded, whether the line has an end or not.
func TestCarryLimit(t *testing.T) {
	for _, format := range []codec.Format{codec.JSONL, codec.TSV} {
		l := codec.NewSplitter(format, 1000)
		var err error
		carried := 0
		for range 1000 {
			carried = l.Carried()
			if _, err = write(l, strings.Repeat(" ", 1000)); err != nil {
				break
			}
		}
		if !errors.Is(err, codec.ErrTooLong) || carried < 6000 || carried > 100_000 {
			t.Errorf("%s: %v after %d bytes", format.Suffix(), err, carried)
		}
	}
}

func TestCutSuffix(t *testing.T) {
	for name, want := range map[string]codec.Format{
		"log": codec.Plain, "log.jsonl": codec.JSONL, "a.tsv": codec.TSV, "10m.raw": codec.Raw,
		".jsonl.json": codec.Plain,
	} {
		stem, format := codec.CutSuffix(name)
		if format != want || stem+format.Suffix() != name {
			t.Errorf("%s: got %q and %q", name, stem, format.Suffix())
		}
	}
}
