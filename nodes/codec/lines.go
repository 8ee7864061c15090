package codec

import "bytes"

// carryBytesKept is the largest buffer that Lines holds on to while it carries nothing: enough for
// the usual line, and little for a thousand idle handles.
const carryBytesKept = 4 << 10

// Lines is the Splitter of the plain format: a newline ends a record and is not part of it. Every
// other byte is kept as it is, a carriage return and NUL too. An empty line is an empty record.
//
// A line over the limit is refused with ErrTooLong, and so is every further write until one ends
// with a newline: half a line must never pass for a record.
type Lines struct {
	limit int
	carry []byte // what was kept of a line without its newline

	// What Keep has to do after the last Split.
	rest  []byte // the beginning of an unfinished line, in that Split's data
	fresh bool   // a line ended in that data, so rest begins a new one

	refusing bool // the line that goes on was refused, and so is the rest of it
}

// NewLines returns a Splitter of lines of at most limit bytes, the newline not counted.
func NewLines(limit int) *Lines { return &Lines{limit: limit} }

// Split implements Splitter.
func (l *Lines) Split(data []byte, sink Sink) error {
	if len(data) == 0 {
		l.rest, l.fresh = nil, false
		return nil
	}
	if l.refusing {
		return l.refuse(data)
	}
	head, rest, fresh := l.carry, data, false
	for {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			break
		}
		if len(head)+end > l.limit {
			return l.refuse(data)
		}
		sink.Add(nil, head, rest[:end])
		head, rest, fresh = nil, rest[end+1:], true
	}
	if len(head)+len(rest) > l.limit {
		return l.refuse(data)
	}
	l.rest, l.fresh = rest, fresh
	return nil
}

// refuse gives up the line that was begun. If data does not end with a newline then its last line
// goes on in the next write, and that is refused too.
func (l *Lines) refuse(data []byte) error {
	l.Drop()
	l.refusing = data[len(data)-1] != '\n'
	return ErrTooLong
}

// Keep implements Splitter.
func (l *Lines) Keep() {
	if l.fresh {
		l.empty()
	}
	l.carry = append(l.carry, l.rest...)
	l.rest, l.fresh = nil, false
}

// End implements Splitter. A line that was refused ends here as well.
func (l *Lines) End(sink Sink) bool {
	l.refusing = false
	if len(l.carry) == 0 {
		return false
	}
	sink.Add(nil, l.carry, nil)
	return true
}

// Drop implements Splitter.
func (l *Lines) Drop() {
	l.empty()
	l.rest, l.fresh = nil, false
}

// Carried implements Splitter.
func (l *Lines) Carried() int { return len(l.carry) }

// Pending implements Splitter.
func (l *Lines) Pending() int {
	if l.fresh {
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
