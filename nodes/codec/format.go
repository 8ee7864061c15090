package codec

import "strings"

// A Format says how records are written as bytes. The zero Format is Plain.
type Format uint8

// The formats.
const (
	Plain Format = iota
	JSONL
	TSV
	Raw
)

// suffixes are how the names of files end, by their formats.
var suffixes = [...]string{Plain: "", JSONL: ".jsonl", TSV: ".tsv", Raw: ".raw"}

// Suffix is how the name of a file in the format ends: "" for Plain, else with a dot.
func (f Format) Suffix() string { return suffixes[f] }

// CutSuffix returns the format that a name ends with, and the name without that. The format of a
// name with no such suffix is Plain.
func CutSuffix(name string) (string, Format) {
	for f := JSONL; f <= Raw; f++ {
		if stem, ok := strings.CutSuffix(name, suffixes[f]); ok {
			return stem, f
		}
	}
	return name, Plain
}

// overheadBytesMax is what a line may have besides a value: a key of 1 KiB, the names of the
// members, white space.
const overheadBytesMax = 64 << 10

// NewSplitter returns a Splitter of records whose values have at most valueBytes. A line may be
// longer as far as it takes to write any such value: six bytes for one in JSON (\u0000), two in
// TSV.
func NewSplitter(f Format, valueBytes int) Splitter {
	l := NewLines(valueBytes)
	switch f {
	case JSONL:
		l.lineBytes, l.parse = 6*valueBytes+overheadBytesMax, parseJSON
	case TSV:
		l.lineBytes, l.parse = 2*valueBytes+overheadBytesMax, parseTSV
	case Raw:
		return &Whole{valueBytes: valueBytes}
	}
	return l
}
