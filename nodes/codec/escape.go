package codec

import (
	"encoding/base64"
	"encoding/binary"
)

// An escapes tells how each byte is escaped: 0 if it is not, 'u' if it is written \u00XX, else the
// character that stands behind a backslash for it.
type escapes [256]byte

var (
	tsvEscapes  = escapes{'\t': 't', '\n': 'n', '\r': 'r', '\\': '\\'}
	jsonEscapes = makeJSONEscapes()
)

// makeJSONEscapes escapes what JSON demands, and has every other character as it is.
func makeJSONEscapes() escapes {
	var e escapes
	for c := range ' ' {
		e[c] = 'u'
	}
	e['"'], e['\\'] = '"', '\\'
	e['\b'], e['\t'], e['\n'], e['\f'], e['\r'] = 'b', 't', 'n', 'f', 'r'
	return e
}

// plainBytes is how many bytes text begins with that are not escaped.
func plainBytes(text []byte, e *escapes) int {
	n := 0
	for {
		for n+8 <= len(text) && allPlain(binary.LittleEndian.Uint64(text[n:])) {
			n += 8
		}
		for end := min(n+8, len(text)); n < end; n++ {
			if e[text[n]] != 0 {
				return n
			}
		}
		if n == len(text) {
			return n
		}
	}
}

// allPlain tells of eight bytes that none is escaped, in either format: none is a control
// character, a quote or a backslash. (x - ones*c) &^ x has the high bit of a byte set if that is
// below c, and possibly of bytes behind it.)
func allPlain(x uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote, backslash := x^(ones*'"'), x^(ones*'\\')
	return ((x-ones*' ')&^x|(quote-ones)&^quote|(backslash-ones)&^backslash)&high == 0
}

// A piece is a part of a text: bytes, and how they are written.
type piece struct {
	bytes   []byte
	escapes *escapes // nil: as they are
	base64  bool
}

// unit is how many bytes are encoded together.
func (p *piece) unit() int {
	if p.base64 {
		return 3
	}
	return 1
}

// encode writes the piece from byte from on to dst, as many whole units as fit, and returns how
// many bytes it wrote and how many of the piece they stand for.
func (p *piece) encode(dst []byte, from int) (wrote, read int) {
	src := p.bytes[from:]
	switch {
	case p.base64:
		if whole := len(dst) / 4 * 3; whole < len(src) {
			src = src[:whole]
		}
		base64.StdEncoding.Encode(dst, src)
		return base64.StdEncoding.EncodedLen(len(src)), len(src)
	case p.escapes == nil:
		n := copy(dst, src)
		return n, n
	}
	for read < len(src) && wrote < len(dst) {
		run := src[read:min(len(src), read+len(dst)-wrote)]
		run = run[:plainBytes(run, p.escapes)]
		n := copy(dst[wrote:], run)
		wrote, read = wrote+n, read+n
		if wrote == len(dst) || read == len(src) {
			break
		}
		n = p.escapes.put(dst[wrote:], src[read])
		if n == 0 {
			break
		}
		wrote, read = wrote+n, read+1
	}
	return wrote, read
}

// size is how many bytes the piece is written as.
func (p *piece) size() int {
	n := len(p.bytes)
	switch {
	case p.base64:
		return base64.StdEncoding.EncodedLen(n)
	case p.escapes == nil:
		return n
	}
	for rest := p.bytes; ; rest = rest[1:] {
		rest = rest[plainBytes(rest, p.escapes):]
		switch {
		case len(rest) == 0:
			return n
		case p.escapes[rest[0]] == 'u':
			n += 5
		default:
			n++
		}
	}
}

const hexDigits = "0123456789abcdef"

// put writes an escaped byte, if there is room, and returns how many bytes it took.
func (e *escapes) put(dst []byte, c byte) int {
	switch code := e[c]; {
	case code == 'u' && len(dst) >= 6:
		return copy(dst, `\u00`) + copy(dst[4:], []byte{hexDigits[c>>4], hexDigits[c&0xf]})
	case code != 'u' && len(dst) >= 2:
		dst[0], dst[1] = '\\', code
		return 2
	}
	return 0
}
