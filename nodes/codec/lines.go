package codec

import (
	"bytes"
	"hash/maphash"
	"slices"
)

const (
	// carryBytesKept is the largest buffer that Lines holds on to while it carries nothing: enough
	// for the usual line, and little for a thousand idle handles.
	carryBytesKept = 4 << 10
	// splitWriteBytes is the size from which on a write may be a part of a larger write(2), which
	// the kernel passes on in pieces.
	splitWriteBytes = 64 << 10
)

// A parser reads a whole line and adds the record in it, if there is one, to sink. The error is
// ErrTooLong for a value of more than valueBytes, else it is the reason why the line is no record.
type parser func(line []byte, valueBytes int, sink Sink) error

// Lines is the Splitter of the formats in which a newline ends a record and is not part of it. In
// the plain format every other byte is kept as it is, a carriage return and NUL too, and an empty
// line is an empty record.
//
// A line that is over the limit or no record is refused, and so is every further write until one
// ends with a newline: half a line must never pass for a record.
//
// Nor must it after a write(2) that came in pieces of which a later one was refused: the call then
// reports how much was taken, and who made it comes again with the rest, which begins within a
// line. So what begins like that rest is refused again.
type Lines struct {
	valueBytes int
	lineBytes  int
	parse      parser // nil in the plain format
	carry      []byte // what was kept of a line without its newline
	lines      uint64 // that have ended
	kept       int    // size of the last write, if that was kept

	// What Keep has to do after the last Split.
	rest  []byte // the beginning of an unfinished line, in that Split's data
	ended uint64 // the lines that ended in that data; if there is one, rest begins a new one
	size  int    // of that data

	refusal error // why the line that goes on was refused, and so is the rest of it
	again   retry // how the rest of a write begins that may be tried again
}

// A retry is how a write begins that was refused. There is none if err is nil.
type retry struct {
	err  error
	size int
	hash uint64
}

var retrySeed = maphash.MakeSeed()

// NewLines returns a Splitter of the plain format, for lines of at most limit bytes, the newline
// not counted.
func NewLines(limit int) *Lines { return &Lines{valueBytes: limit, lineBytes: limit} }

// Split implements Splitter.
func (l *Lines) Split(data []byte, sink Sink) error {
	l.rest, l.ended, l.size = nil, 0, len(data)
	switch {
	case len(data) == 0:
		return nil
	case l.refusal != nil:
		return l.refuse(data, l.refusal)
	case l.again.matches(data):
		return l.refuse(data, l.again.err)
	}
	head, rest, ended := l.carry, data, uint64(0)
	for {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			break
		}
		if err := l.take(head, rest[:end], sink); err != nil {
			return l.refuse(data, atLine(l.lines+ended+1, err))
		}
		head, rest = nil, rest[end+1:]
		ended++
	}
	if len(head)+len(rest) > l.lineBytes {
		return l.refuse(data, atLine(l.lines+ended+1, ErrTooLong))
	}
	l.rest, l.ended = rest, ended
	return nil
}

// take adds what the line in two parts holds.
func (l *Lines) take(head, tail []byte, sink Sink) error {
	switch {
	case len(head)+len(tail) > l.lineBytes:
		return ErrTooLong
	case l.parse == nil:
		sink.Add(nil, head, tail)
		return nil
	case len(head) > 0: // which is the carry, and stays as it is
		joined := append(head, tail...)
		l.carry = joined[:len(head)]
		return l.parse(joined, l.valueBytes, sink)
	}
	return l.parse(tail, l.valueBytes, sink)
}

// refuse gives up the line that was begun. If data does not end with a newline then its last line
// goes on in the next write, and that is refused too.
func (l *Lines) refuse(data []byte, err error) error {
	if len(l.carry) > 0 && l.kept >= splitWriteBytes {
		l.again = newRetry(data, err)
	}
	l.Drop()
	l.lines += uint64(bytes.Count(data, newline))
	l.refusal = nil
	if data[len(data)-1] != '\n' {
		l.refusal = err
	}
	return err
}

var newline = []byte{'\n'}

// newRetry takes note of the end of a line with which data begins.
func newRetry(data []byte, err error) retry {
	end := bytes.IndexByte(data, '\n') + 1
	if end == 0 {
		return retry{} // all that comes is refused anyway
	}
	return retry{err, end, maphash.Bytes(retrySeed, data[:end])}
}

func (r *retry) matches(data []byte) bool {
	return r.err != nil && len(data) >= r.size && maphash.Bytes(retrySeed, data[:r.size]) == r.hash
}

// Keep implements Splitter.
func (l *Lines) Keep() {
	if l.ended > 0 {
		l.empty()
	}
	l.carry = append(l.room(), l.rest...)
	l.lines += l.ended
	l.kept, l.again = l.size, retry{}
	l.rest, l.ended = nil, 0
}

// room returns carry with room for rest. It at least doubles: append adds a quarter to what is
// large already, and would copy a line of many megabytes five times while it comes in pieces.
func (l *Lines) room() []byte {
	size := len(l.carry) + len(l.rest)
	if size <= cap(l.carry) || size <= carryBytesKept {
		return l.carry
	}
	return slices.Grow(l.carry, min(max(size, 2*cap(l.carry)), l.lineBytes)-len(l.carry))
}

// End implements Splitter. A line that was refused ends here as well.
func (l *Lines) End(sink Sink) (bool, error) {
	l.refusal, l.again = nil, retry{}
	if len(l.carry) == 0 {
		return false, nil
	}
	if err := l.take(nil, l.carry, sink); err != nil {
		return false, atLine(l.lines+1, err)
	}
	return true, nil
}

// Drop implements Splitter.
func (l *Lines) Drop() {
	l.empty()
	l.rest, l.ended, l.kept = nil, 0, 0
}

// Carried implements Splitter.
func (l *Lines) Carried() int { return len(l.carry) }

// Pending implements Splitter.
func (l *Lines) Pending() int {
	if l.ended > 0 {
		return len(l.rest)
	}
	return len(l.carry) + len(l.rest)
}

func (l *Lines) empty() {
	l.carry = l.carry[:0]
	if cap(l.carry) > carryBytesKept {
		l.carry = nil
	}
}

// LineBytes is the length of a record in the plain format.
func LineBytes(value []byte) uint64 { return uint64(len(value)) + 1 }

// CopyLine copies a record in the plain format, its value and a newline, to dst from byte skip of
// it on, and returns the number of bytes copied: less than the rest of the line if dst is shorter.
// skip is at most len(value).
func CopyLine(dst, value []byte, skip uint64) int {
	n := copy(dst, value[skip:])
	if n < len(dst) {
		dst[n] = '\n'
		n++
	}
	return n
}
