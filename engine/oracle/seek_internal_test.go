package oracle

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"purofs/engine"
)

// A reader that finds something else than who reads all is told of, in whichever way it differs.
func TestCheckSeeksCompares(t *testing.T) {
	l, err := engine.Open(context.Background(), filepath.Join(t.TempDir(), "store"),
		engine.Options{Sync: engine.SyncNone})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 10 {
		var b engine.Batch
		b.Add("t", nil, fmt.Append(nil, "record ", i))
		b.Add("t", nil, nil)
		if err := l.Append(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
	}
	if err := CheckSeeks(l); err != nil {
		t.Fatal(err)
	}
	info, err := l.Topic("t")
	if err != nil {
		t.Fatal(err)
	}
	sound, err := readAll(l, info)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		spoil func(all topicRecords) topicRecords
		says  string
	}{
		{"nothing", func(all topicRecords) topicRecords { return all }, ""},
		{"another record", func(all topicRecords) topicRecords {
			all[14].sum++
			return all
		}, "record 14 is another one"},
		{"another time", func(all topicRecords) topicRecords {
			all[19].time = all[19].time.Add(time.Nanosecond)
			return all
		}, "record 19 is another one"},
		{"one more", func(all topicRecords) topicRecords { return append(all, all[0]) },
			"found by the number of the last ones: got record 9, want 10"},
		{"one less", func(all topicRecords) topicRecords { return all[:19] }, "behind the last"},
		{"another place in the text", func(all topicRecords) topicRecords {
			all[10].text = all[3].text
			return all
		}, "found by text: got record 3"},
		{"the block before is of the same time", func(all topicRecords) topicRecords {
			all[9].time = all[10].time
			return all
		}, "found by time: got record 10, want 9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.spoil(slices.Clone(sound)).seek(l, info, 10)
			if got := fmt.Sprint(err); (err != nil) != (tt.says != "") || !strings.Contains(got, tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}
