package nodes

import (
	"bytes"
	"fmt"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// openMetrics returns .puro/metrics: the figures of status.json in the text format of Prometheus.
func (t *Tree) openMetrics() (*contentHandle, error) {
	status := t.status()
	healthy := 0.0
	if status.Healthy {
		healthy = 1
	}
	set := metrics.NewSet() // one for each open: it shows one moment
	gauge := func(name string, value float64) {
		set.NewGauge(name, func() float64 { return value })
	}
	gauge(fmt.Sprintf("purofs_info{version=%q}", t.config.Version), 1)
	gauge("purofs_uptime_seconds", float64(int64(time.Since(t.started)/time.Second)))
	gauge("purofs_segments", float64(status.Segments))
	gauge("purofs_bytes", float64(status.Bytes))
	gauge("purofs_topics", float64(status.Topics))
	gauge("purofs_records", float64(status.Records))
	gauge("purofs_waiting_readers", float64(status.Readers))
	gauge("purofs_healthy", healthy)
	set.NewCounter("purofs_troubles_total").Set(status.Troubles)
	var text bytes.Buffer
	set.WritePrometheus(&text)
	return &contentHandle{text.Bytes()}, nil
}
