package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Position says where in a topic a reader starts. The zero Position is the start.
// Make one with Start, End, AtOffset, Last, Since, AtText or ParsePosition.
type Position struct {
	kind positionKind
	n    uint64
	time time.Time
}

type positionKind uint8

const (
	atStart positionKind = iota
	atEnd
	atOffset
	atLast
	atTime
	atText
)

// Start is the oldest record there is.
func Start() Position { return Position{} }

// End is behind the newest record: only what comes later is read.
func End() Position { return Position{kind: atEnd} }

// AtOffset is the record with that offset. If it is still to come it is waited for; if it is gone,
// reading starts at the oldest record.
func AtOffset(offset uint64) Position { return Position{kind: atOffset, n: offset} }

// Last is n records before the end.
func Last(n uint64) Position { return Position{kind: atLast, n: n} }

// Since is the first record that was not written before t.
func Since(t time.Time) Position { return Position{kind: atTime, time: t} }

// AtText is the record that holds byte n of the topic's plain text, in which each record is its
// value and a newline (TopicInfo.NextText counts the same bytes).
func AtText(n uint64) Position { return Position{kind: atText, n: n} }

// ParsePosition reads a position as a person writes it: "start", "end", an offset "42", the last n
// records "-10", a time in RFC 3339 or "@" and Unix seconds, an age such as "10m", "2h" or "3d"
// before now. The error matches ErrPosition and lists these forms.
func ParsePosition(s string, now time.Time) (Position, error) {
	switch s {
	case "start", "beginning", "earliest", "oldest", "first":
		return Start(), nil
	case "end", "latest", "newest", "now":
		return End(), nil
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return AtOffset(n), nil
	}
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		if n, err := strconv.ParseUint(rest, 10, 64); err == nil {
			return Last(n), nil
		}
	}
	if rest, ok := strings.CutPrefix(s, "@"); ok {
		if t, ok := parseUnix(rest); ok {
			return Since(t), nil
		}
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return Since(t), nil
	}
	if age, ok := parseAge(s); ok {
		return Since(now.Add(-age)), nil
	}
	return Position{}, fmt.Errorf("%w: %.64q (use start, end, an offset like 42, the last n like "+
		"-10, a time like 2026-11-22T10:00:00Z or @1763800000, or an age like 10m, 2h, 3d)",
		ErrPosition, s)
}

// parseUnix reads Unix seconds with an optional fraction, within the years that int64 nanoseconds
// hold.
func parseUnix(s string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || seconds > 9_000_000_000 || len(fraction) > 9 {
		return time.Time{}, false
	}
	nanos := uint64(0)
	if fraction != "" {
		nanos, err = strconv.ParseUint((fraction + "000000000")[:9], 10, 64)
		if err != nil {
			return time.Time{}, false
		}
	}
	return time.Unix(int64(seconds), int64(nanos)), true
}

// parseAge reads a Go duration, or a whole number of days or weeks ("3d", "2w"), none negative.
func parseAge(s string) (time.Duration, bool) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if days, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.ParseUint(days, 10, 16)
			return time.Duration(n) * length, err == nil
		}
	}
	age, err := time.ParseDuration(s)
	return age, err == nil && age >= 0 && !strings.HasPrefix(s, "+")
}
