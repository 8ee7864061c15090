package nodes

import (
	"fmt"
	"strings"

	"purofs/engine"
)

// Other producers may give topics names that no file can have, because there is a slash or a NUL
// byte in them. Such a name is shown with these bytes, and the percent sign, percent-encoded. So
// that no two topics are shown alike, a name that contains one of the three codes as it is is
// encoded too.
var (
	escaper   = strings.NewReplacer("/", "%2F", "\x00", "%00", "%", "%25")
	unescaper = strings.NewReplacer("%2F", "/", "%00", "\x00", "%25", "%")
)

// shownBytesMax is the longest name that the kernel takes in a directory (FUSE_NAME_MAX).
const shownBytesMax = 1024

// shownName returns the name under which a topic is shown, and whether it is shown at all: names
// that mean something else in a directory are not.
func shownName(name string) (string, bool) {
	shown := name
	if strings.ContainsAny(name, "/\x00") || hasCode(name) {
		shown = escaper.Replace(name)
	}
	switch {
	case name == "", name == ".", name == "..", strings.HasPrefix(name, controlName):
		return "", false
	case len(shown) > shownBytesMax:
		return "", false
	}
	return shown, true
}

// topicName returns the topic that is shown under a name. The error is errNameTooLong for a name
// that is too long, and matches engine.ErrInvalidTopic for one under which no topic is ever shown.
func topicName(shown string) (string, error) {
	name := shown
	if hasCode(shown) {
		name = unescaper.Replace(shown)
	}
	if len(name) > engine.TopicNameBytesMax {
		return "", errNameTooLong
	}
	back, ok := shownName(name)
	switch {
	case !ok:
		return "", engine.CheckTopicName(name)
	case back != shown:
		return "", fmt.Errorf("%w %.64q: a percent sign in it has to be written %%25",
			engine.ErrInvalidTopic, shown)
	}
	return name, nil
}

func hasCode(name string) bool {
	return strings.Contains(name, "%2F") || strings.Contains(name, "%00") ||
		strings.Contains(name, "%25")
}
