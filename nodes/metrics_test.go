package nodes_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
)

// Metrics are the figures of status.json, in the text format of Prometheus.
func TestMetrics(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("a")
	m.append("a", "1\n2\n3\n")
	var status engine.Status
	if err := json.Unmarshal([]byte(m.cat(".puro/status.json", 4096)), &status); err != nil {
		t.Fatal(err)
	}
	text := m.cat(".puro/metrics", 200)
	line := regexp.MustCompile(`^[a-z_]+(\{[a-z]+="[a-z]+"\})? [0-9.e+]+$`)
	for _, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if !line.MatchString(l) {
			t.Errorf("%q is not a sample", l)
		}
	}
	if status.Records != 3 || !status.Healthy {
		t.Errorf("the status is %+v", status)
	}
	for _, want := range []string{
		`purofs_info{version="test"} 1`, "purofs_healthy 1",
		fmt.Sprint("purofs_segments ", status.Segments), fmt.Sprint("purofs_bytes ", status.Bytes),
		fmt.Sprint("purofs_topics ", status.Topics), fmt.Sprint("purofs_records ", status.Records),
		fmt.Sprint("purofs_waiting_readers ", status.Readers),
		fmt.Sprint("purofs_troubles_total ", status.Troubles),
	} {
		if !strings.Contains("\n"+text, "\n"+want+"\n") {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// metricsFor returns the samples of topics that a user is shown.
func (m *mount) metricsFor(uid, gid uint32) string {
	m.Helper()
	in := fuse.OpenIn{InHeader: fuse.InHeader{NodeId: m.node(".puro/metrics")}}
	in.Uid, in.Gid = uid, gid
	var out fuse.OpenOut
	if st := m.tree.Open(nil, &in, &out); st != fuse.OK {
		m.Fatal(syscall.Errno(st))
	}
	defer m.release(out.Fh)
	text, errno := m.read(out.Fh, 0, 64<<10).now()
	if errno != 0 {
		m.Fatal(errno)
	}
	var samples string
	for l := range strings.Lines(text) {
		if strings.Contains(l, "topic=") && !strings.HasPrefix(l, "purofs_topic_time_seconds{") {
			samples += l
		}
	}
	return samples
}

// Topics and cursors have metrics for those who may read the topic: how far a consumer is behind is
// what one wants to be warned of.
func TestMetricsOfTopics(t *testing.T) {
	const orders = `purofs_cursor_lag{topic="orders",cursor="billing"} 2
purofs_cursor_next_offset{topic="orders",cursor="billing"} 1
purofs_topic_first_offset{topic="orders"} 0
purofs_topic_next_offset{topic="orders"} 3
purofs_topic_text_bytes{topic="orders"} 14
`
	m := newCursor(t, "one\ntwo\nthree\n", nil) // of user 17 and group 18, 0750
	if errno := m.move("1"); errno != 0 {
		t.Fatal(errno)
	}
	for _, test := range []struct {
		uid, gid uint32
		want     string
	}{{0, 0, orders}, {17, 1, orders}, {1, 18, orders}, {1, 1, ""}} {
		if got := m.metricsFor(test.uid, test.gid); got != test.want {
			t.Errorf("user %d, group %d: %swant\n%s", test.uid, test.gid, got, test.want)
		}
	}
	info, err := m.log.Topic("orders")
	if err != nil {
		t.Fatal(err)
	}
	const time = `purofs_topic_time_seconds{topic="orders"} `
	_, rest, _ := strings.Cut(m.cat(".puro/metrics", 4096), time)
	sample, _, _ := strings.Cut(rest, "\n")
	seconds, err := strconv.ParseFloat(sample, 64)
	if err != nil || int64(seconds) != info.Time.Unix() {
		t.Errorf("the time is %q, want %d", sample, info.Time.Unix())
	}
}

// A name becomes a label that every reader of the text format takes.
func TestMetricsOfHostileNames(t *testing.T) {
	for name, label := range map[string]string{
		`a"b`: `a\"b`, `a\`: `a\\`, "a\nb": `a\nb`, "a\xffb": "a%FFb",
		"caf\u00e9": "caf\u00e9", "a b}": "a b}",
		"\U0001f4a5,=": "\U0001f4a5,=",
	} {
		m := newMount(t, nil)
		m.mkdir(name)
		want := fmt.Sprintf("purofs_topic_next_offset{topic=\"%s\"} 0\n", label)
		if got := m.metricsFor(0, 0); !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}
