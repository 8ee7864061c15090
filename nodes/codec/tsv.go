package codec

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
)

var (
	errNoTab     = errors.New(`no TAB between key and value (a record without a key begins with one)`)
	errManyTabs  = errors.New(`more than one TAB (one in a key or value is written \t)`)
	errBackslash = errors.New(`a backslash at the end of a key or value (one in it is written \\)`)
)

// tsvBytes are what the letters of the escapes in TSV stand for.
var tsvBytes = [256]byte{'t': '\t', 'n': '\n', 'r': '\r', '\\': '\\'}

// A buffer is memory for key and value of one record that are not in a line as they are.
type buffer struct{ key, value []byte }

// bufferBytesKept is the largest buffer that is held on to.
const bufferBytesKept = 1 << 20

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func (b *buffer) giveBack() {
	if cap(b.value) > bufferBytesKept {
		b.value = nil
	}
	buffers.Put(b)
}

// parseTSV is the parser of TSV: a key, which may be empty, a TAB and a value.
func parseTSV(line []byte, valueBytes int, sink Sink) error {
	tab := bytes.IndexByte(line, '\t')
	if tab < 0 {
		return errNoTab
	}
	key, value := line[:tab], line[tab+1:]
	if bytes.IndexByte(value, '\t') >= 0 {
		return errManyTabs
	}
	if bytes.IndexByte(line, '\\') >= 0 {
		b := buffers.Get().(*buffer)
		defer b.giveBack()
		var err error
		if b.key, err = unescape(b.key[:0], key); err != nil {
			return err
		}
		if b.value, err = unescape(b.value[:0], value); err != nil {
			return err
		}
		key, value = b.key, b.value
	}
	return addTo(sink, key, value, valueBytes)
}

// unescape appends what the text stands for to dst.
func unescape(dst, text []byte) ([]byte, error) {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...), nil
		}
		dst = append(dst, text[:i]...)
		if i+1 == len(text) {
			return dst, errBackslash
		}
		c := tsvBytes[text[i+1]]
		if c == 0 {
			return dst, fmt.Errorf(`unknown escape %q (there are \t \n \r \\)`, text[i:i+2])
		}
		dst, text = append(dst, c), text[i+2:]
	}
}
