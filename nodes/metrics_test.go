package nodes_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"purofs/engine"
)

// The metrics are those of status.json, in the text format of Prometheus.
func TestMetrics(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("a")
	m.append("a", "1\n2\n3\n")
	var status engine.Status
	if err := json.Unmarshal([]byte(m.cat(".puro/status.json", 4096)), &status); err != nil {
		t.Fatal(err)
	}
	text := m.cat(".puro/metrics", 100)
	line := regexp.MustCompile(`^[a-z_]+(\{version="test"\})? [0-9.e+]+$`)
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
