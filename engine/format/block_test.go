package format_test

import (
	"errors"
	"testing"

	"purofs/engine/format"
)

func TestParseStart(t *testing.T) {
	tests := []struct {
		name, in string
		want     format.Start
		err      error
	}{
		{"raised", "e0 08 01 02 00 01 00 00 00 19", format.Start{High: true, Length: 25}, nil},
		{
			"low, its check ready for the raised signal",
			"e0 08 01 02 00 00 00 00 00 19", format.Start{Length: 25}, nil,
		},
		{
			"low, with the check of a low signal, as Puro first writes it",
			"9c 08 01 02 00 00 00 00 00 26", format.Start{Length: 38}, nil,
		},
		{
			"more bytes behind",
			"e0 08 01 02 00 01 00 00 00 19 ff", format.Start{High: true, Length: 25}, nil,
		},
		{"empty block", "", format.Start{High: true, Length: 10}, nil},
		{
			"raised, with the check of a low signal",
			"9c 08 01 02 00 01 00 00 00 26", format.Start{}, format.ErrCheck,
		},
		{"wrong check", "e1 08 01 02 00 01 00 00 00 19", format.Start{}, format.ErrCheck},
		{"low, wrong check", "e1 08 01 02 00 00 00 00 00 19", format.Start{}, format.ErrCheck},
		{"changed length", "e0 08 01 02 00 01 00 00 00 1a", format.Start{}, format.ErrCheck},
		{"a signal of 2", "e0 08 01 02 00 02 00 00 00 19", format.Start{}, format.ErrKind},
		{"an end record", "2a 07 01 03 00 00 00 00 19 00", format.Start{}, format.ErrKind},
		{"a start with a key", "e0 08 01 02 01 01 00 00 00 19", format.Start{}, format.ErrKind},
		{"zeros", "00 00 00 00 00 00 00 00 00 00", format.Start{}, format.ErrKind},
		{"cut", "e0 08 01 02 00 01 00 00 00", format.Start{}, format.ErrShort},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.in)
			if len(b) == 0 {
				b = appendBlock(nil, nil)
			}
			if got, err := format.ParseStart(b); got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %v, want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

// A length is a promise about the file: one that no block can have is refused, though its check is
// right.
func TestParseStartLimits(t *testing.T) {
	const longest = format.BlockBytesMax - format.EndBytes
	tests := []struct {
		length int
		err    error
	}{
		{0, format.ErrLength},
		{format.StartBytes - 1, format.ErrLength},
		{format.StartBytes, nil},
		{longest, nil},
		{longest + 1, format.ErrLength},
		{1<<31 - 1, format.ErrLength},
		{1<<32 - 1, format.ErrLength},
	}
	for _, tt := range tests {
		for signal := range byte(2) {
			b := format.AppendStart(nil, tt.length)
			b[format.SignalOffset] = signal
			if _, err := format.ParseStart(b); !errors.Is(err, tt.err) {
				t.Errorf("length %d, signal %d: got %v, want %v", tt.length, signal, err, tt.err)
			}
		}
	}
}

func TestStartAndEndCutAnywhereAreShort(t *testing.T) {
	start, end := format.AppendStart(nil, 25), format.AppendEnd(nil, 25)
	for n := range start {
		if _, err := format.ParseStart(start[:n:n]); !errors.Is(err, format.ErrShort) {
			t.Errorf("ParseStart of %d bytes: got %v, want %v", n, err, format.ErrShort)
		}
	}
	for n := range end {
		if err := format.ParseEnd(end[:n:n], 25); !errors.Is(err, format.ErrShort) {
			t.Errorf("ParseEnd of %d bytes: got %v, want %v", n, err, format.ErrShort)
		}
	}
}

func TestParseEnd(t *testing.T) {
	tests := []struct {
		name, in string
		length   int
		err      error
	}{
		{"right", "2a 07 01 03 00 00 00 00 19", 25, nil},
		{"another length than the start's", "2a 07 01 03 00 00 00 00 19", 26, format.ErrLength},
		{"changed length", "2a 07 01 03 00 00 00 00 1a", 26, format.ErrCheck},
		{"wrong check", "2b 07 01 03 00 00 00 00 19", 25, format.ErrCheck},
		{"a tombstone", "2a 07 01 00 00 00 00 00 19", 25, format.ErrKind},
		{"zeros", "00 00 00 00 00 00 00 00 00", 0, format.ErrKind},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := format.ParseEnd(unhex(t, tt.in), tt.length); !errors.Is(err, tt.err) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
		})
	}
}

// EndLength believes what it reads: whoever looks for a block from its end has to check it.
func TestEndLength(t *testing.T) {
	for _, want := range []int{0, 25, 1<<32 - 1} {
		if got := format.EndLength(format.AppendEnd(nil, want)); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}

// The frame is made of ordinary records: a reader that knows nothing of blocks can skip them.
func TestFrameIsMadeOfRecords(t *testing.T) {
	block := appendBlock(nil, orders())
	start := walkRecord(t, block)
	if kind, _ := start.Control(); kind != format.TopicStart || len(start.raw) != format.StartBytes {
		t.Errorf("got the start as a record of kind %d and %d bytes", kind, len(start.raw))
	}
	end := walkRecord(t, block[25:])
	if kind, _ := end.Control(); kind != format.TopicEnd || len(end.raw) != format.EndBytes {
		t.Errorf("got the end as a record of kind %d and %d bytes", kind, len(end.raw))
	}
}
