package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"purofs/engine"
)

func TestParsePosition(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	since := func(age time.Duration) engine.Position { return engine.Since(now.Add(-age)) }
	tests := []struct {
		text string
		want engine.Position
	}{
		{"start", engine.Start()}, {"beginning", engine.Start()}, {"earliest", engine.Start()},
		{"end", engine.End()}, {"latest", engine.End()}, {"newest", engine.End()},
		{"0", engine.AtOffset(0)}, {"42", engine.AtOffset(42)},
		{"18446744073709551615", engine.AtOffset(1<<64 - 1)},
		{"-10", engine.Last(10)}, {"-0", engine.Last(0)},
		{"@1763800000", engine.Since(time.Unix(1763800000, 0))},
		{"@1763800000.5", engine.Since(time.Unix(1763800000, 500_000_000))},
		{"2026-11-22T10:00:00Z", engine.Since(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))},
		{"10m", since(10 * time.Minute)}, {"2h", since(2 * time.Hour)},
		{"1h30m", since(90 * time.Minute)},
		{"3d", since(72 * time.Hour)}, {"2w", since(14 * 24 * time.Hour)}, {"0s", since(0)},
	}
	for _, tt := range tests {
		if got, err := engine.ParsePosition(tt.text, now); err != nil || got != tt.want {
			t.Errorf("%q: got %+v, %v, want %+v", tt.text, got, err, tt.want)
		}
	}
	bad := []string{
		"", "-", "--1", "+5", "4.2", "@", "@x", "@-1", "-1h", "d", "-3d", "99999999d", "2026-11-22",
		"18446744073709551616", " 1", "start ", "tomorrow",
	}
	for _, text := range bad {
		if got, err := engine.ParsePosition(text, now); !errors.Is(err, engine.ErrPosition) {
			t.Errorf("%q: got %+v, %v, want ErrPosition", text, got, err)
		}
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{
		"start", "42", "-10", "@1763800000.25", "2026-11-22T10:00:00Z", "3d", "1h2m",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		now := time.Unix(1763800000, 0)
		p, err := engine.ParsePosition(s, now)
		if err != nil && (!errors.Is(err, engine.ErrPosition) || p != engine.Start()) {
			t.Errorf("%q: got %+v, %v", s, p, err)
		}
		if again, _ := engine.ParsePosition(s, now); again != p {
			t.Errorf("%q: got %+v, and then %+v", s, p, again)
		}
	})
}

// Where each position leads, in a topic of ten records of which two were deleted with an earlier
// topic of the name.
func TestPositions(t *testing.T) {
	l := open(t, newStore(t), engine.Options{})
	appendTo(t, l, "t", "gone", "gone")
	if err := l.DeleteTopic(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	var times []time.Time
	for i := range 8 {
		var b engine.Batch
		b.Add("t", nil, fmt.Appendf(nil, "%d", i+2))
		if err := l.Append(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		times = append(times, b.Time())
		appendTo(t, l, "other", "x")
	}
	const end = 10
	tests := []struct {
		name string
		from engine.Position
		want uint64 // the offset that is read, or waited for
	}{
		{"start", engine.Start(), 2},
		{"end", engine.End(), end},
		{"offset", engine.AtOffset(5), 5},
		{"offset that is gone", engine.AtOffset(1), 2},
		{"offset at the end", engine.AtOffset(end), end},
		{"offset to come", engine.AtOffset(25), 25},
		{"last", engine.Last(3), 7},
		{"last none", engine.Last(0), end},
		{"last of too many", engine.Last(1 << 63), 2},
		{"since a record", engine.Since(times[4]), 6},
		{"since behind a record", engine.Since(times[4].Add(1)), 7},
		{"since before all", engine.Since(times[0].Add(-time.Hour)), 2},
		{"since the future", engine.Since(times[7].Add(time.Hour)), end},
		{"first byte", engine.AtText(10), 2},
		{"byte that is gone", engine.AtText(0), 2},
		{"byte", engine.AtText(15), 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := reader(t, l, "t", tt.from)
			if tt.want >= end {
				if rec, err := r.TryNext(); !errors.Is(err, engine.ErrNoRecord) || r.Next() != tt.want {
					t.Fatalf("got %v, %v, next %d, want none before %d", rec, err, r.Next(), tt.want)
				}
				return
			}
			if r.Next() != tt.want {
				t.Errorf("before reading: got offset %d, want %d", r.Next(), tt.want)
			}
			rec, err := r.TryNext()
			if err != nil || rec.Offset != tt.want || string(rec.Value) != fmt.Sprint(tt.want) {
				t.Errorf("got %v, %v, want record %d", rec, err, tt.want)
			}
			if text := 10 + 2*(tt.want-1); r.Next() != tt.want+1 || r.Text() != text {
				t.Errorf("behind it: got %d, byte %d, want %d, %d", r.Next(), r.Text(), tt.want+1, text)
			}
		})
	}

	// An offset that is still to come: what comes before it is not shown.
	r := reader(t, l, "t", engine.AtOffset(end+2))
	appendTo(t, l, "t", "10", "11")
	appendTo(t, l, "t", "12")
	if rec := wait(t, r); rec.Offset != end+2 || string(rec.Value) != "12" {
		t.Errorf("got %d %q, want record 12", rec.Offset, rec.Value)
	}
}

// Times that nanoseconds in 64 bits do not hold are before or after every record.
func TestSinceFarAway(t *testing.T) {
	l := open(t, newStore(t), small)
	appendTo(t, l, "t", "x")
	for text, want := range map[string]int{
		"0001-01-01T00:00:00Z": 1, "1500-01-01T00:00:00Z": 1, "1969-12-31T23:59:59Z": 1,
		"2300-01-01T00:00:00Z": 0, "9999-12-31T23:59:59Z": 0, "@9000000000": 0,
	} {
		position, err := engine.ParsePosition(text, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := drain(t, reader(t, l, "t", position)); len(got) != want {
			t.Errorf("since %s: %d records, want %d", text, len(got), want)
		}
	}
}
