package codec

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// A member is one that an object of JSONL may have.
type member uint8

const (
	memberKey member = iota
	memberValue
	memberKeyBase64
	memberValueBase64
	memberOffset
	memberTime
	memberUnknown
)

// memberNames are the names of the members in the order of their numbers.
var memberNames = [memberUnknown]string{
	"key", "value", "key_base64", "value_base64", "offset", "time",
}

func memberOf(name []byte) member {
	for m, known := range memberNames {
		if string(name) == known {
			return member(m)
		}
	}
	return memberUnknown
}

// A memberSet tells which members an object had so far.
type memberSet uint8

func (s memberSet) has(m member) bool { return s&(1<<m) != 0 }

// hasValue tells whether the object has a value, in either spelling.
func (s memberSet) hasValue() bool { return s.has(memberValue) || s.has(memberValueBase64) }

// add takes note of a member, which must not be there yet, in neither spelling.
func (s *memberSet) add(m member) error {
	other := m
	switch m {
	case memberUnknown:
		return errors.New("unknown member")
	case memberKey, memberValue:
		other = m + memberKeyBase64
	case memberKeyBase64, memberValueBase64:
		other = m - memberKeyBase64
	}
	switch {
	case s.has(m):
		return fmt.Errorf("more than one member %q", memberNames[m])
	case s.has(other):
		return fmt.Errorf("both %q and %q", memberNames[other], memberNames[m])
	}
	*s |= 1 << m
	return nil
}

// parseJSON is the parser of JSONL: an object with a value, and possibly a key. A line of white
// space is no record.
func parseJSON(line []byte, valueBytes int, sink Sink) error {
	k, v, ok := scanJSON(line)
	if ok && !k.escapes && !v.escapes {
		return addTo(sink, k.text, v.text, valueBytes)
	}
	if len(bytes.Trim(line, " \t\r")) == 0 {
		return nil
	}
	d := decoders.Get().(*decoder)
	defer d.giveBack()
	if !ok || !d.unescape(k, v) {
		if err := d.decode(line); err != nil {
			return err
		}
	}
	return addTo(sink, d.key, d.value, valueBytes)
}

// addTo adds a record unless it is too long.
func addTo(sink Sink, key, value []byte, valueBytes int) error {
	if len(value) > valueBytes {
		return ErrTooLong
	}
	sink.Add(key, value, nil)
	return nil
}

// A decoder reads any object that JSONL may have, whatever its spelling.
type decoder struct {
	buffer
	members memberSet
	source  bytes.Buffer
	json    *jsontext.Decoder
	text    []byte // of a string
}

var decoders = sync.Pool{New: func() any {
	return &decoder{json: jsontext.NewDecoder(new(bytes.Buffer))}
}}

// An object within a value may have a name twice, as JSON has it: the value is kept as it is.
var decoderOptions = jsontext.AllowDuplicateNames(true)

func (d *decoder) giveBack() {
	d.source = bytes.Buffer{} // the line is not ours
	if cap(d.value) > bufferBytesKept {
		d.value = nil
	}
	if cap(d.text) > bufferBytesKept {
		d.text = nil
	}
	decoders.Put(d)
}

// unescape sets key and value to what was scanned, and tells whether they can be read.
func (d *decoder) unescape(key, value scanned) bool {
	var err, valueErr error
	d.key, err = key.appendTo(d.key[:0])
	d.value, valueErr = value.appendTo(d.value[:0])
	return err == nil && valueErr == nil
}

// decode sets key and value to those of the object.
func (d *decoder) decode(line []byte) error {
	d.key, d.value, d.members = d.key[:0], d.value[:0], 0
	d.source = *bytes.NewBuffer(line)
	d.json.Reset(&d.source, decoderOptions)
	if kind := d.json.PeekKind(); kind != '{' && kind != 0 {
		return fmt.Errorf("%s where an object is expected", kindName(kind))
	}
	if _, err := d.json.ReadToken(); err != nil {
		return syntax(err)
	}
	for d.json.PeekKind() == '"' {
		if err := d.decodeMember(); err != nil {
			return err
		}
	}
	if _, err := d.json.ReadToken(); err != nil { // the end of the object
		return syntax(err)
	}
	if _, err := d.json.ReadToken(); err != io.EOF {
		return errors.New("more on the line after the object")
	}
	if !d.members.hasValue() {
		return errors.New(`no member "value" or "value_base64"`)
	}
	return nil
}

// decodeMember reads one name and what it stands for.
func (d *decoder) decodeMember() error {
	if err := d.readString(); err != nil {
		return err
	}
	m := memberOf(d.text)
	if err := d.members.add(m); m == memberUnknown {
		return fmt.Errorf("%w %.64q (there are %s)", err, d.text, strings.Join(memberNames[:], ", "))
	} else if err != nil {
		return err
	}
	kind := d.json.PeekKind()
	switch {
	case m == memberOffset || m == memberTime:
		return syntax(d.json.SkipValue())
	case m == memberValue && kind != '"':
		return d.readAny()
	case kind != '"' && kind != 0:
		return fmt.Errorf("member %q is %s, not a string", memberNames[m], kindName(kind))
	}
	if err := d.readString(); err != nil {
		return err
	}
	var err error
	switch m {
	case memberKey:
		d.key = append(d.key, d.text...)
	case memberValue:
		d.value, d.text = d.text, d.value
	case memberKeyBase64:
		d.key, err = fromBase64(d.key, d.text)
	case memberValueBase64:
		d.value, err = fromBase64(d.value, d.text)
	}
	if err != nil {
		return fmt.Errorf("member %q: %w", memberNames[m], err)
	}
	return nil
}

// readString sets text to a string of JSON.
func (d *decoder) readString() error {
	quoted, err := d.json.ReadValue()
	if err == nil {
		d.text, err = jsontext.AppendUnquote(d.text[:0], quoted)
	}
	return syntax(err)
}

// readAny sets value to any JSON without the white space in it.
func (d *decoder) readAny() error {
	text, err := d.json.ReadValue()
	if err != nil {
		return syntax(err)
	}
	d.value = append(d.value, text...)
	return (*jsontext.Value)(&d.value).Compact()
}

// fromBase64 appends what standard base64 with padding stands for to dst. Go's decoder skips line
// ends, which are no part of that.
func fromBase64(dst, text []byte) ([]byte, error) {
	if bytes.ContainsAny(text, "\r\n") {
		return dst, errors.New("a line end in base64")
	}
	dst, err := base64.StdEncoding.Strict().AppendDecode(dst, text)
	return dst, err
}

// syntax shortens an error of the JSON library, if there is one.
func syntax(err error) error {
	if err == nil {
		return nil
	}
	var syntactic *jsontext.SyntacticError // allocated here
	switch {
	case errors.As(err, &syntactic) && errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the object has no end")
	case errors.As(err, &syntactic):
		return fmt.Errorf("%w, %d bytes into the line", syntactic.Err, syntactic.ByteOffset)
	}
	return err
}

// kindName is what a person calls a kind of JSON.
func kindName(kind jsontext.Kind) string {
	switch kind {
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{', '}':
		return "an object"
	case '[', ']':
		return "an array"
	}
	return kind.String()
}
