package nodes

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/VictoriaMetrics/metrics"
	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
)

// openMetrics returns .puro/metrics, in the text format of Prometheus: the figures of status.json,
// and those of the topics that the caller may read and of their cursors.
func (t *Tree) openMetrics(caller fuse.Owner) (*contentHandle, error) {
	set := metrics.NewSet() // one for each open: it shows one moment
	t.gaugeMount(set)
	for _, info := range t.log.Topics() {
		if mayRead(&info, caller) {
			if err := t.gaugeTopic(set, &info); err != nil {
				return nil, err
			}
		}
	}
	var text bytes.Buffer
	set.WritePrometheus(&text)
	return &contentHandle{text: text.Bytes()}, nil
}

func (t *Tree) gaugeMount(set *metrics.Set) {
	status := t.status()
	healthy := 0.0
	if status.Healthy {
		healthy = 1
	}
	gauge(set, "purofs_info"+labels("version", t.config.Version), 1)
	gauge(set, "purofs_uptime_seconds", float64(int64(time.Since(t.started)/time.Second)))
	gauge(set, "purofs_segments", float64(status.Segments))
	gauge(set, "purofs_bytes", float64(status.Bytes))
	gauge(set, "purofs_topics", float64(status.Topics))
	gauge(set, "purofs_records", float64(status.Records))
	gauge(set, "purofs_waiting_readers", float64(status.Readers))
	gauge(set, "purofs_healthy", healthy)
	set.NewCounter("purofs_troubles_total").Set(status.Troubles)
}

func (t *Tree) gaugeTopic(set *metrics.Set, info *engine.TopicInfo) error {
	of := labels("topic", info.Name)
	gauge(set, "purofs_topic_first_offset"+of, float64(info.First))
	gauge(set, "purofs_topic_next_offset"+of, float64(info.Next))
	gauge(set, "purofs_topic_text_bytes"+of, float64(info.NextText-info.FirstText))
	if !info.Time.IsZero() {
		gauge(set, "purofs_topic_time_seconds"+of, float64(info.Time.UnixNano())/1e9)
	}
	cursors, err := t.log.Cursors(info.Name)
	if err != nil {
		return err
	}
	for _, name := range cursors {
		next, err := t.log.CursorPosition(info.Name, name)
		if err != nil {
			continue // it was removed, or is damaged: then its absence tells
		}
		of := labels("topic", info.Name, "cursor", name)
		gauge(set, "purofs_cursor_next_offset"+of, float64(next))
		gauge(set, "purofs_cursor_lag"+of, float64(info.Next-min(next, info.Next)))
	}
	return nil
}

func gauge(set *metrics.Set, name string, value float64) {
	set.GetOrCreateGauge(name, nil).Set(value)
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// labels writes the labels of a sample from names and values. The text format takes any UTF-8; a
// byte that is none becomes %XX.
func labels(pairs ...string) string {
	text := "{"
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			text += ","
		}
		text += pairs[i] + `="` + labelEscapes.Replace(validUTF8(pairs[i+1])) + `"`
	}
	return text + "}"
}

func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var text strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&text, "%%%02X", s[0])
		} else {
			text.WriteString(s[:n])
		}
		s = s[n:]
	}
	return text.String()
}

// mayRead tells whether the mode of a topic lets the caller read it, as far as that is known here:
// groups besides the one of the process are not.
func mayRead(info *engine.TopicInfo, caller fuse.Owner) bool {
	switch {
	case caller.Uid == 0:
		return true
	case caller.Uid == info.UID:
		return info.Mode&0o400 != 0
	case caller.Gid == info.GID:
		return info.Mode&0o040 != 0
	}
	return info.Mode&0o004 != 0
}
