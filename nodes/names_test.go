package nodes_test

import (
	"errors"
	"strings"
	"testing"

	"purofs/engine"
	"purofs/nodes"
)

func TestShownName(t *testing.T) {
	tests := []struct{ name, shown string }{
		{"orders", "orders"},
		{"100%", "100%"},
		{"%2f", "%2f"}, // not one of the three codes
		{"a/b", "a%2Fb"},
		{"a\x00b", "a%00b"},
		{"a%/b", "a%25%2Fb"},
		{"a%2Fb", "a%252Fb"}, // or it could not be told from a/b
		{"%25", "%2525"},
		{".", "%2E"},
		{"..", "%2E%2E"},
		{"%2E", "%252E"},
		{"a.b..", "a.b.."},
		{"tab\tnewline\n\xff", "tab\tnewline\n\xff"},
	}
	for _, test := range tests {
		shown, ok := nodes.ShownName(test.name)
		if shown != test.shown || !ok {
			t.Errorf("%q is shown as %q, %v, want %q", test.name, shown, ok, test.shown)
		}
		back, err := nodes.TopicName(shown)
		if back != test.name || err != nil {
			t.Errorf("%q is read back as %q, %v, want %q", shown, back, err, test.name)
		}
	}
	for _, hidden := range []string{"", ".puro", ".puro2", strings.Repeat("/", 400)} {
		if shown, ok := nodes.ShownName(hidden); ok {
			t.Errorf("%q is shown as %q, want it hidden", hidden, shown)
		}
	}
}

func TestTopicNameErrors(t *testing.T) {
	tests := []struct {
		shown string
		want  error
	}{
		{strings.Repeat("x", 256), nodes.ErrNameTooLong},
		{strings.Repeat("%2F", 256), nodes.ErrNameTooLong},
		{".puro", engine.ErrInvalidTopic},
		{"%2", nil},
		{"%2Ea", engine.ErrInvalidTopic},  // .a is shown as it is
		{"a%25b", engine.ErrInvalidTopic}, // a%b is shown as it is
	}
	for _, test := range tests {
		if name, err := nodes.TopicName(test.shown); !errors.Is(err, test.want) {
			t.Errorf("%.20q: got %q, %v, want %v", test.shown, name, err, test.want)
		}
	}
	if _, err := nodes.TopicName(strings.Repeat("%2F", 255)); err != nil {
		t.Errorf("a name of 255 bytes, encoded: %v", err)
	}
}

// FuzzShownName checks that no two names are shown alike, and that each is found under what is
// shown.
func FuzzShownName(f *testing.F) {
	f.Add("a/b", "a%2Fb")
	f.Add("%25", "%")
	f.Fuzz(func(t *testing.T, a, b string) {
		shownA, okA := nodes.ShownName(a)
		shownB, okB := nodes.ShownName(b)
		if okA && okB && a != b && shownA == shownB {
			t.Errorf("%q and %q are both shown as %q", a, b, shownA)
		}
		if okA && len(a) <= engine.TopicNameBytesMax {
			if back, err := nodes.TopicName(shownA); back != a || err != nil {
				t.Errorf("%q is shown as %q and read back as %q, %v", a, shownA, back, err)
			}
		}
		if strings.ContainsAny(shownA, "/\x00") {
			t.Errorf("%q is shown as %q", a, shownA)
		}
	})
}
