package codec

import (
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// A scanned string is a part of a line: a text as it is, or, if it has escapes, with these and its
// quotes.
type scanned struct {
	text    []byte
	escapes bool
}

// scanJSON reads the usual spellings of an object: only offset, time, key and value, each at most
// once, a string each or the digits of the offset, and no white space but one blank behind a colon
// or a comma. If ok is not set then the object may be a good one all the same, and it may be none
// if a string with escapes is not.
func scanJSON(line []byte) (key, value scanned, ok bool) {
	rest, ok := cutByte(line, '{')
	var members memberSet
	for ok {
		var name, text scanned
		name, rest, ok = cutString(rest)
		if !ok || name.escapes {
			break
		}
		if rest, ok = cutByte(rest, ':'); !ok {
			break
		}
		rest = cutBlank(rest)
		m := memberOf(name.text)
		if m == memberOffset {
			rest, ok = cutDigits(rest)
		} else {
			text, rest, ok = cutString(rest)
		}
		if !ok || members.has(m) {
			break
		}
		switch {
		case m == memberKey:
			key = text
		case m == memberValue:
			value = text
		case m != memberOffset && m != memberTime || text.escapes:
			return key, value, false
		}
		members |= 1 << m
		if len(rest) == 1 && rest[0] == '}' {
			return key, value, members.has(memberValue)
		}
		rest, ok = cutByte(rest, ',')
		rest = cutBlank(rest)
	}
	return key, value, false
}

// appendTo appends the text of the string to dst.
func (s scanned) appendTo(dst []byte) ([]byte, error) {
	if !s.escapes {
		return append(dst, s.text...), nil
	}
	return jsontext.AppendUnquote(dst, s.text)
}

// cutByte returns what follows c, with which rest has to begin.
func cutByte(rest []byte, c byte) ([]byte, bool) {
	if len(rest) == 0 || rest[0] != c {
		return nil, false
	}
	return rest[1:], true
}

// cutBlank returns what follows a blank, if rest begins with one.
func cutBlank(rest []byte) []byte {
	if len(rest) > 0 && rest[0] == ' ' {
		return rest[1:]
	}
	return rest
}

// cutString returns the string with which rest has to begin, and what follows.
func cutString(rest []byte) (s scanned, after []byte, ok bool) {
	quoted := rest
	rest, ok = cutByte(rest, '"')
	if !ok {
		return s, nil, false
	}
	n := plainBytes(rest, &jsonEscapes)
	for n < len(rest) && rest[n] == '\\' {
		s.escapes = true
		if n += 2; n < len(rest) {
			n += plainBytes(rest[n:], &jsonEscapes)
		}
	}
	if n >= len(rest) || rest[n] != '"' {
		return s, nil, false
	}
	if s.text = rest[:n]; s.escapes {
		s.text = quoted[:n+2]
		return s, rest[n+1:], true
	}
	return s, rest[n+1:], utf8.Valid(s.text)
}

// cutDigits returns what follows the digits with which rest has to begin. They are no number of
// JSON if they begin with a zero but are more than that.
func cutDigits(rest []byte) ([]byte, bool) {
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	return rest[n:], n > 0 && (n == 1 || rest[0] != '0')
}
