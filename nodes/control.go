package nodes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"purofs/engine"
)

// A statusText is what .puro/status.json says.
type statusText struct {
	Version    string   `json:"version"`
	Mountpoint string   `json:"mountpoint"`
	Options    []string `json:"options"`
	UptimeSecs int64    `json:"uptime_seconds"`
	engine.Status
}

// status is the log's, but a mount in which something panicked is not healthy either.
func (t *Tree) status() engine.Status {
	status := t.log.Status()
	status.Healthy = status.Healthy && !t.panicked.Load()
	return status
}

func (t *Tree) openStatus() (*contentHandle, error) {
	text := statusText{
		Version: t.config.Version, Mountpoint: t.config.Mountpoint, Options: t.config.Options,
		UptimeSecs: int64(time.Since(t.started) / time.Second), Status: t.status(),
	}
	if text.Options == nil {
		text.Options = []string{} // a list in JSON too
	}
	return newContent(text)
}

// openErrors returns .puro/errors: what the log met and what the tree refused, one line each, the
// newest last.
func (t *Tree) openErrors() (*contentHandle, error) {
	type line struct {
		time time.Time
		text string
	}
	var lines []line
	for _, tr := range t.log.Troubles() {
		where := fmt.Sprintf("segment=%d", tr.Segment)
		if tr.Pos >= 0 {
			where += fmt.Sprintf(" pos=%d", tr.Pos)
		}
		lines = append(lines, line{tr.Time, where + " " + oneLine(tr.Text)})
	}
	for _, tr := range t.troubles.all() {
		lines = append(lines, line{tr.time, fmt.Sprintf("topic=%q %s", tr.topic, oneLine(tr.text))})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.time.Compare(b.time) })
	var text strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&text, "%s %s\n", l.time.UTC().Format(time.RFC3339Nano), l.text)
	}
	return &contentHandle{text: []byte(text.String())}, nil
}

// oneLine keeps a text to one line, whatever names and errors are quoted in it.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}
