package codec

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestScanJSON(t *testing.T) {
	for line, want := range map[string]bool{
		`{"key":"k","value":"v"}`:                         true,
		`{"value":"v"}`:                                   true,
		`{"value": "v", "key": "k"}`:                      true,
		`{"offset":0,"time":"now","key":"k","value":"é"}`: true,
		`{"offset":00,"key":"k","value":"v"}`:             false,
		`{"offset":-1,"key":"k","value":"v"}`:             false,
		`{"value":"v","value":"v"}`:                       false,
		`{"key":"k"}`:                                     false,
		`{"value":"\n"}`:                                  true,
		`{"value":"v"} `:                                  false,
		`{"value":"v",}`:                                  false,
		`{"value":"v"`:                                    false,
		`{"value":`:                                       false,
		`{"value`:                                         false,
		`{`:                                               false,
		``:                                                false,
		`{"value":"\\"}`:                                  true,
		`{"value":"\"}`:                                   false,
		`{"value":"\`:                                     false,
		`{"value":"\"`:                                    false,
		`{"val\u0075e":"v"}`:                              false,
		`{"time":"\q","value":"v"}`:                       false,
		`{"value":"` + "\xff" + `"}`:                      false,
		`{"value":"` + "\x1f" + `"}`:                      false,
		`{"value_base64":"AAAA"}`:                         false,
		`{"value":"` + strings.Repeat("long ", 100) + `"}`: true,
	} {
		if _, _, ok := scanJSON([]byte(line)); ok != want {
			t.Errorf("%s: got %v, want %v", line, ok, want)
		}
	}
}

// FuzzScanJSON checks the fast way against the other: what it takes, that takes too, and makes the
// same of it.
func FuzzScanJSON(f *testing.F) {
	f.Add([]byte(`{"key":"k","value":"v"}`))
	f.Add([]byte(`{"offset": 42, "time": "now", "key": "k", "value": "v"}`))
	f.Add([]byte(`{"key":"\"","value":"\u00e9\\\n"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var fast, slow decoder
		slow.json = jsontext.NewDecoder(new(bytes.Buffer))
		key, value, ok := scanJSON(line)
		if !ok || !fast.unescape(key, value) {
			return
		}
		err := slow.decode(line)
		if err != nil || string(fast.key) != string(slow.key) ||
			string(fast.value) != string(slow.value) {
			t.Errorf("%q: %q and %q, but %q and %q, %v",
				line, fast.key, fast.value, slow.key, slow.value, err)
		}
	})
}
