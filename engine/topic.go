package engine

import (
	"fmt"
	"strings"
	"time"
)

// TopicNameBytesMax is the longest name of a topic, in bytes.
const TopicNameBytesMax = 255

// TopicsMax is how many topics a log can have: the table of all of them has to fit into the first
// block of each segment.
const TopicsMax = 100_000

// A TopicInfo is what is known of a topic at one moment.
type TopicInfo struct {
	Name string
	// First and Next are the offsets of the oldest record and of the one to come.
	First, Next uint64
	// FirstText and NextText are the same as places in the plain text, in which each record is its
	// value and a newline: NextText-FirstText is the size of the topic as text.
	FirstText, NextText uint64
	// Time is that of the newest record, or of the topic's creation if it has none; zero if unknown.
	Time time.Time
	// Mode holds the permission bits of the topic, UID and GID its owner.
	Mode, UID, GID uint32
}

// TopicAttr is what SetTopic stores of a topic.
type TopicAttr struct {
	Mode     uint32 // permission bits, 0 to 0777
	UID, GID uint32
}

// CheckTopicName tells whether a topic can have that name. The error matches ErrInvalidTopic and
// says which rule it breaks (TREE.md, "Topics and rights"; FORMAT.md, "Record").
func CheckTopicName(name string) error {
	why := ""
	switch {
	case name == "":
		why = "it is empty"
	case len(name) > TopicNameBytesMax:
		why = fmt.Sprintf("it has %d bytes, at most %d are allowed", len(name), TopicNameBytesMax)
	case name == "." || name == "..":
		why = "it means a directory"
	case len(name) == 1 && name[0] < 0x20:
		why = "a single control byte marks a control record"
	case strings.HasPrefix(name, ".puro"):
		why = "names that begin with .puro are the mount's own"
	case strings.ContainsAny(name, "/\x00"):
		why = "it contains a slash or a NUL byte"
	default:
		return nil
	}
	return fmt.Errorf("%w %.64q: %s", ErrInvalidTopic, name, why)
}
