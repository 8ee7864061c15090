package nodes

import (
	"fmt"
	"slices"
	"strings"

	"purofs/engine"
)

// Topics of other producers, and keys, may have names that no file can have: because there is a
// slash or a NUL byte in them, or because they are "." or "..", which mean directories. Such a name
// is shown with these bytes, and the percent sign, percent-encoded. So that no two names are shown
// alike, a name that contains one of the codes as it is is encoded too.
var (
	codes     = []string{"%2F", "%00", "%25", "%2E"}
	escaper   = strings.NewReplacer("/", codes[0], "\x00", codes[1], "%", codes[2])
	unescaper = strings.NewReplacer(codes[0], "/", codes[1], "\x00", codes[2], "%", codes[3], ".")
)

// shownBytesMax is the longest name in any directory: what every kernel takes (FUSE_NAME_MAX).
const shownBytesMax = 1024

// escapeName returns the name of a file for any text but "", and whether that is short enough.
func escapeName(text string) (shown string, ok bool) {
	switch {
	case text == "." || text == "..":
		shown = strings.Repeat(codes[3], len(text))
	case strings.ContainsAny(text, "/\x00") || hasCode(text):
		shown = escaper.Replace(text)
	default:
		shown = text
	}
	return shown, len(shown) <= shownBytesMax
}

// unescapeName returns the text that escapeName shows under a name, and whether there is one: each
// text has one name only.
func unescapeName(shown string) (text string, ok bool) {
	text = shown
	if hasCode(shown) {
		text = unescaper.Replace(shown)
	}
	back, ok := escapeName(text)
	return text, ok && back == shown
}

func hasCode(name string) bool {
	return slices.ContainsFunc(codes, func(code string) bool { return strings.Contains(name, code) })
}

// shownName returns the name under which a topic is shown, and whether it is shown at all: names
// that mean something else in the root are not.
func shownName(name string) (string, bool) {
	if name == "" || strings.HasPrefix(name, controlName) {
		return "", false
	}
	return escapeName(name)
}

// topicName returns the topic that is shown under a name. The error is errNameTooLong for a name
// that is too long, and matches engine.ErrInvalidTopic for one under which no topic is ever shown.
func topicName(shown string) (string, error) {
	name, ok := unescapeName(shown)
	if len(name) > engine.TopicNameBytesMax {
		return "", errNameTooLong
	}
	if !ok {
		return "", fmt.Errorf("%w %.64q: a percent sign in it has to be written %%25",
			engine.ErrInvalidTopic, shown)
	}
	if _, ok = shownName(name); !ok {
		return "", engine.CheckTopicName(name)
	}
	return name, nil
}

// keyName returns the key that is shown under a name, and whether there is one.
func keyName(shown string) (string, bool) {
	key, ok := unescapeName(shown)
	return key, ok && key != ""
}
