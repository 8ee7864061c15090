package format_test

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"purofs/engine/format"
)

func TestSegmentHeaderRoundTrip(t *testing.T) {
	longest := strings.Repeat("n", format.TopicBytesMax)
	tests := []struct {
		name string
		h    *format.SegmentHeader
	}{
		{"no topics", nativeSegmentHeader()},
		{"topics, some of them deleted", cutSegmentHeader()},
		{"topics, none deleted", &format.SegmentHeader{Topics: cutSegmentHeader().Topics[:1]}},
		{"deleted without ever a record", &format.SegmentHeader{
			Topics: []format.TopicState{{Name: "t", Deleted: true}},
		}},
		{"only a first offset", &format.SegmentHeader{
			Topics: []format.TopicState{{Name: "t", Next: 2, First: 1}},
		}},
		{"only a first place in the text", &format.SegmentHeader{
			Topics: []format.TopicState{{Name: "t", Text: 2, FirstText: 1}},
		}},
		{"largest numbers", &format.SegmentHeader{
			Order: 1<<32 - 1,
			Time:  -1,
			Topics: []format.TopicState{{
				Name: longest, Mode: 1<<32 - 1, UID: 1<<32 - 1, GID: 1<<32 - 1, Time: 1<<63 - 1,
				Next: 1 << 62, Text: 1 << 62, First: 1 << 62, FirstText: 1 << 62,
			}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := format.ParseSegmentHeader(format.AppendSegmentHeader(nil, tt.h))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.h) {
				t.Errorf("got %+v, want %+v", got, tt.h)
			}
		})
	}
}

// A program that is older than the tail of deleted topics wrote none, and one that is newer may
// write more behind it.
func TestSegmentHeaderOfOtherVersions(t *testing.T) {
	whole := unhex(t, cutSegmentHeaderHex)
	tail := len(unhex(t, "02  01 01 c8 01 ac 02  02 00 08 0a"))

	older, err := format.ParseSegmentHeader(whole[:len(whole)-tail])
	if err != nil {
		t.Fatal(err)
	}
	want := cutSegmentHeader()
	for i := range want.Topics {
		state := &want.Topics[i]
		state.Deleted, state.First, state.FirstText = false, 0, 0
	}
	if !reflect.DeepEqual(older, want) {
		t.Errorf("without the tail: got %+v, want %+v", older, want)
	}

	newer, err := format.ParseSegmentHeader(append(whole, "of a newer version"...))
	if err != nil {
		t.Fatal(err)
	}
	if want := cutSegmentHeader(); !reflect.DeepEqual(newer, want) {
		t.Errorf("with more behind it: got %+v, want %+v", newer, want)
	}
}

func TestSegmentHeaderCutAnywhere(t *testing.T) {
	whole := unhex(t, cutSegmentHeaderHex)
	withoutTail := len(whole) - 11
	for n := range whole {
		_, err := format.ParseSegmentHeader(whole[:n:n])
		if n == withoutTail {
			if err != nil {
				t.Errorf("%d bytes, all but the tail: %v", n, err)
			}
		} else if !errors.Is(err, format.ErrLength) {
			t.Errorf("%d bytes: got %v, want %v", n, err, format.ErrLength)
		}
	}
}

// segmentFields is a segment header up to the number of topics: version, store, order, time.
const segmentFields = `01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
	00 00 00 00 00 00 00 00 00 00 00 00 `

const (
	owner     = " 00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00 00 00 00 00 "
	uint64Max = " ff ff ff ff ff ff ff ff ff 01 "
)

func TestParseSegmentHeaderRefuses(t *testing.T) {
	topicUpToNext := segmentFields + "01 01 61" + owner
	oneTopic := topicUpToNext + "00 00"
	tests := []struct {
		name, in string
		want     error
	}{
		{"nothing", "", format.ErrLength},
		{"version 0", "00" + segmentFields[2:] + "00", format.ErrVersion},
		{"version 2", "02", format.ErrVersion},
		{"a topic that is not there", segmentFields + "01", format.ErrLength},
		{"topics as many as a uint64 can say", segmentFields + uint64Max, format.ErrLength},
		{"name longer than what is left", segmentFields + "01 7f 61" + owner, format.ErrLength},
		{"name longer than any", segmentFields + "01" + uint64Max + "61", format.ErrLength},
		{"next offset beyond the limit", topicUpToNext + uint64Max + "00", format.ErrLength},
		{"text beyond the limit", topicUpToNext + "00" + uint64Max, format.ErrLength},
		{"deleted topics as many as a uint64 can say", oneTopic + uint64Max, format.ErrLength},
		{"deleted topic that there is not", oneTopic + "01 01 01 00 00", format.ErrLength},
		{"deleted topic of a huge index", oneTopic + "01" + uint64Max + "01 00 00", format.ErrLength},
		{"deleted topic, cut", oneTopic + "01 00 01 00", format.ErrLength},
		{"first offset beyond the limit", oneTopic + "01 00 00" + uint64Max + "00", format.ErrLength},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := format.ParseSegmentHeader(unhex(t, tt.in))
			if !errors.Is(err, tt.want) {
				t.Errorf("got %+v, %v, want %v", h, err, tt.want)
			}
		})
	}
}

// A number that was read must not decide how much memory is taken.
func TestHostileNumbersAllocateLittle(t *testing.T) {
	const limit = 64 << 10
	oneTopic := "01 61" + owner + "00 00"
	checkpoint := format.AppendCheckpoint(nil, &format.Checkpoint{})
	header := unhex(t, headerFields+uint64Max+"00 01 00")
	manyTopics := unhex(t, segmentFields+uint64Max+oneTopic)
	manyDeleted := unhex(t, segmentFields+"01"+oneTopic+uint64Max+"00 01 00 00")
	longRecord := unhex(t, "00 ff ff ff 7f 01 74 ff ff ff 3f")
	tests := []struct {
		name  string
		parse func() error
	}{
		{"record", func() error { _, _, err := format.ParseRecord(longRecord); return err }},
		{"header", func() error { _, err := format.ParseHeader(header); return err }},
		{"segment header", func() error { _, err := format.ParseSegmentHeader(manyTopics); return err }},
		{"deleted topics", func() error { _, err := format.ParseSegmentHeader(manyDeleted); return err }},
		{"checkpoint", func() error {
			_, err := format.ParseCheckpoint(resealCheckpoint(checkpoint, manyTopics))
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := tt.parse()
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("got no error")
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > limit {
				t.Errorf("took %d bytes of memory, want at most %d", took, limit)
			}
		})
	}
}

func TestTopicChangeRoundTrip(t *testing.T) {
	longest := []byte(strings.Repeat("n", format.TopicBytesMax))
	for _, want := range []format.TopicChange{
		*nativeTopic(),
		{Delete: true, Name: []byte("t"), Time: -1},
		{Name: longest, Mode: 1<<32 - 1, UID: 1<<32 - 1, GID: 1<<32 - 1, Time: 1<<63 - 1},
	} {
		value := format.AppendTopicChange(nil, &want)
		got, err := format.ParseTopicChange(value)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		if _, err := format.ParseTopicChange(append(value, "of a newer version"...)); err != nil {
			t.Errorf("with more behind it: %v", err)
		}
		for n := range value {
			if _, err := format.ParseTopicChange(value[:n:n]); !errors.Is(err, format.ErrLength) {
				t.Errorf("%d bytes: got %v, want %v", n, err, format.ErrLength)
			}
		}
	}
}

func TestParseTopicChangeRefuses(t *testing.T) {
	tests := []struct {
		name, in string
		want     error
	}{
		{"version 0", "00 01 01 74" + owner, format.ErrVersion},
		{"version 2", "02 01 01 74" + owner, format.ErrVersion},
		{"operation 0", "01 00 01 74" + owner, format.ErrVersion},
		{"operation 3", "01 03 01 74" + owner, format.ErrVersion},
		{"no name", "01 01 00" + owner, format.ErrLength},
		{"name longer than what is left", "01 01 7f 74" + owner, format.ErrLength},
		{"name of 256 bytes", "01 01 80 02" + strings.Repeat("74", 256) + owner, format.ErrLength},
		{"name longer than any", "01 01" + uint64Max + "74" + owner, format.ErrLength},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := format.ParseTopicChange(unhex(t, tt.in))
			if !errors.Is(err, tt.want) {
				t.Errorf("got %+v, %v, want %v", c, err, tt.want)
			}
		})
	}
}
