package mount_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purofs/engine/format"
)

// vectorsDir holds segments that the real Puro wrote, each with its records as JSON.
const vectorsDir = "../engine/format/testdata/vectors"

// Each segment of Puro's shows its topics, with all their records, and can be appended to.
func TestSegmentsOfPuro(t *testing.T) {
	t.Parallel()
	vectors, err := filepath.Glob(vectorsDir + "/*.puro")
	if err != nil || len(vectors) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, vector := range vectors {
		t.Run(strings.TrimSuffix(filepath.Base(vector), ".puro"), func(t *testing.T) {
			segment, err := os.ReadFile(vector)
			if err != nil {
				t.Fatal(err)
			}
			m := mountOn(t, storeOf(t, segment))
			logs := vectorLogs(t, strings.TrimSuffix(vector, ".puro")+".json")
			for topic, text := range logs {
				m.want(topic+"/log", text)
				m.sh(`cd '` + topic + `'; printf 'more\nand more' >> append`)
				m.want(topic+"/log", text+"more\nand more\n")
			}
			listed := map[string]bool{".puro": true}
			for topic := range logs {
				listed[topic] = true
			}
			wantListed(m, listed)
			m.verify()
			// What was there is there still, byte for byte, as far as it was sound.
			after, err := os.ReadFile(filepath.Join(m.store, "stream0.puro"))
			if err != nil {
				t.Fatal(err)
			}
			if start := segment[:format.StartBytes]; string(after[:format.StartBytes]) != string(start) {
				t.Errorf("the segment began with % x, now % x", start, after[:format.StartBytes])
			}
		})
	}
}

// vectorLogs returns the plain text of each topic of a vector.
func vectorLogs(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var records []struct {
		Topic, Key, Value []byte
	}
	if err := json.Unmarshal(text, &records); err != nil {
		t.Fatal(err)
	}
	logs := map[string]string{}
	for _, record := range records {
		logs[string(record.Topic)] += string(record.Value) + "\n"
	}
	return logs
}
