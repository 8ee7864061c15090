package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"purofs/engine"
	"purofs/engine/format"
)

// blockOf is a raised block of one record of topic t whose header may lie.
func blockOf(time int64, header format.Run, value string) []byte {
	body := format.AppendRecord(nil, []byte("t"), nil, []byte(value))
	return framed(append(format.AppendHeader(nil, time, []format.Run{header}, body), body...))
}

// What the checks of the bytes do not find, a program that wrote something else than it meant, is
// damage too.
func TestVerifyHoldsHeadersAgainstRecords(t *testing.T) {
	for _, c := range []struct {
		name   string
		header format.Run // of a second block, behind one of offset 0
		want   string     // empty: sound
	}{
		{"true", format.Run{Offset: 1, Records: 1, ValueBytes: 5}, ""},
		{"too many records", format.Run{Offset: 1, Records: 2, ValueBytes: 5}, "its header says 2"},
		{"too few bytes", format.Run{Offset: 1, Records: 1, ValueBytes: 4}, "its header says 1 with 4"},
		{"an offset twice", format.Run{Offset: 0, Records: 1, ValueBytes: 5}, "go from 1 to 0"},
		{"a gap", format.Run{Offset: 3, Records: 1, ValueBytes: 5}, "go from 1 to 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := blockOf(1, format.Run{Records: 1, ValueBytes: 5}, "first")
			dir := storeOf(t, slices.Concat(format.Magic[:], first, blockOf(2, c.header, "again")))
			report, err := engine.Verify(context.Background(), dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				if !report.Sound() {
					t.Errorf("got %v, want a sound store", report.Damage)
				}
				return
			}
			if len(report.Damage) != 1 || !strings.Contains(report.Damage[0].Reason, c.want) {
				t.Errorf("got %v, want one place with %q", report.Damage, c.want)
			}
		})
	}
}

// The offsets that were lost with a damaged block are missed by each of its topics when that one's
// next block comes, however much later; they are one damage, not several.
func TestVerifyBlamesAJumpOnTheDamageBefore(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	var b engine.Batch
	for range 3 {
		b.Reset()
		for _, topic := range []string{"a", "b", "c"} {
			b.Add(topic, nil, []byte("value"))
		}
		if err := l.Append(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
	}
	for _, topic := range []string{"a", "b", "b", "c"} {
		appendTo(t, l, topic, "later")
	}
	closeLog(t, l)
	bytes := readFile(t, segmentPath(dir, 0))
	third := blocksOf(t, bytes)[2]
	bytes[third+60] ^= 1
	writeFile(t, segmentPath(dir, 0), bytes)
	report, err := engine.Verify(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Damage) != 1 || report.Damage[0].Pos != int64(third) {
		t.Errorf("got %v, want only the block at byte %d", report.Damage, third)
	}
}

// A segment header says where each topic goes on. It does not cover up that records are missing
// before it, unless something else tells why: damage, a repair, older segments that were removed.
func TestVerifyHoldsSegmentHeadersAgainstWhatIsBefore(t *testing.T) {
	seal := framed(append(format.AppendHeader(nil, 2, nil, tombstone), tombstone...))
	run := format.Run{Records: 1, ValueBytes: 5}
	first := slices.Concat(format.Magic[:], blockOf(1, run, "first"))
	header := func(order uint32, alone bool, topics ...format.TopicState) []byte {
		h := &format.SegmentHeader{Order: order, Time: 3, Topics: topics}
		body := format.AppendRecord(nil, []byte{format.TopicSegmentHeader}, nil,
			format.AppendSegmentHeader(nil, h))
		var runs []format.Run
		if !alone {
			body = format.AppendRecord(body, []byte("t"), nil, []byte("second"))
			runs = []format.Run{{Offset: topics[0].Next, Records: 1, ValueBytes: 6}}
		}
		return framed(append(format.AppendHeader(nil, 3, runs, body), body...))
	}
	at := func(name string, next uint64) format.TopicState {
		return format.TopicState{Name: name, Next: next}
	}
	run = format.Run{Offset: 1, Records: 1, ValueBytes: 4}
	damaged := slices.Concat(first, blockOf(2, run, "more"))
	damaged[len(damaged)-format.EndBytes-1] ^= 1
	for _, c := range []struct {
		name     string
		segments [][]byte
		want     string // empty: sound, or what damage says
	}{
		{"true", [][]byte{slices.Concat(first, seal), header(1, false, at("t", 1))}, ""},
		{"a gap", [][]byte{slices.Concat(first, seal), header(1, false, at("t", 3))},
			`its segment header has topic "t" go from 1 to 3`},
		{"an offset twice", [][]byte{slices.Concat(first, seal), header(1, false, at("t", 0))},
			`its segment header has topic "t" go from 1 to 0`},
		{"a topic that was never seen", [][]byte{slices.Concat(first, seal),
			header(1, false, at("t", 1), at("u", 1), at("v", 2))},
			`its segment header has topic "u" go from 0 to 1 (and so of 1 more)`},
		{"behind damage", [][]byte{slices.Concat(damaged, seal), header(1, false, at("t", 2))},
			"its CRC-32C"},
		{"behind damage, and before a gap", [][]byte{slices.Concat(damaged, seal),
			slices.Concat(header(1, false, at("t", 2), at("u", 5)), seal),
			header(2, false, at("t", 3), at("u", 7))},
			`its CRC-32C; its segment header has topic "u" go from 5 to 7`},
		{"older ones removed", [][]byte{nil, header(1, false, at("t", 3))}, ""},
		{"older ones removed before a gap", [][]byte{nil,
			slices.Concat(header(1, false, at("t", 3)), seal), header(2, false, at("t", 9))},
			`its segment header has topic "t" go from 4 to 9`},
		{"noted by a repair", [][]byte{slices.Concat(first, header(0, true, at("t", 3)),
			blockOf(4, format.Run{Offset: 3, Records: 1, ValueBytes: 1}, "x"))}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := storeOf(t, c.segments...)
			if c.segments[0] == nil {
				if err := os.Remove(segmentPath(dir, 0)); err != nil {
					t.Fatal(err)
				}
			}
			report, err := engine.Verify(context.Background(), dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range report.Damage {
				reason, _, _ := strings.Cut(d.Reason, ": the check")
				got = append(got, reason)
			}
			if strings.Join(got, "; ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

var tombstone = format.AppendRecord(nil, []byte{format.TopicTombstone}, nil, nil)

// What stands where a segment should be, and is none, does not keep Verify from the others.
func TestVerifyTellsOfWhatIsNoSegment(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{SegmentBytes: engine.SegmentBytesMin})
	fill(t, l, 3)
	closeLog(t, l)
	for _, c := range []struct {
		name string
		make func(path string) error
		want string
	}{
		{"nothing", func(string) error { return nil }, "it is missing"},
		{"a directory", func(p string) error { return os.Mkdir(p, 0o700) }, "not a regular file"},
		{"a link", func(p string) error { return os.Symlink("stream0.puro", p) }, "not a regular file"},
		{"garbage", func(p string) error {
			return os.WriteFile(p, []byte(strings.Repeat("no segment at all. ", 100)), 0o600)
		}, "no block starts here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyStore(t, dir)
			if err := os.Remove(segmentPath(dir, 1)); err != nil {
				t.Fatal(err)
			}
			if err := c.make(segmentPath(dir, 1)); err != nil {
				t.Fatal(err)
			}
			report, err := engine.Verify(context.Background(), dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Damage) != 1 || !strings.Contains(report.Damage[0].Reason, c.want) {
				t.Errorf("got %v, want one place with %q", report.Damage, c.want)
			}
			if report.Tail != "clean" || report.Blocks == 0 {
				t.Errorf("got %+v, want the other segments read", report)
			}
		})
	}
}

// copyStore copies a store's files, and returns where to.
func copyStore(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}
