package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// On disk, never change.
const (
	headerVersion    = 1
	headerFlagSparse = 1 << 0
	// headerFlagsRefuse are the flags that change what a block means: a reader that does not know one
	// must refuse the block.
	headerFlagsRefuse = 0xf0
	headerFixedBytes  = 1 + 1 + 8 + 4 // version, flags, time, CRC
	headerCRCOffset   = 10
)

// OffsetMax is the largest offset, or place in a plain text, that is believed: what is read can be
// added to without a thought of overflow.
const OffsetMax = 1 << 62

// A Header says what a block holds, so that it can be hopped over without parsing its records.
type Header struct {
	Time   int64  // Unix nanoseconds
	CRC    uint32 // CRC-32C of the header's value without this field and of all behind the header
	Topics int    // how many topics the block has, in order of first appearance
	Sparse bool   // the list ends with how many offsets were skipped before each record

	value []byte // the whole value
	list  []byte // the topics' part of it and all behind
}

// A Run is the part of a block that one topic has in it.
type Run struct {
	Offset     uint64 // of the first record
	Records    uint64
	ValueBytes uint64
}

// ParseHeader decodes the value of a header record. A version other than ours is ErrKind: the
// record is skipped like any unknown control record.
func ParseHeader(value []byte) (h Header, err error) {
	if err := h.parse(value); err != nil {
		return Header{}, err
	}
	return h, nil
}

// Read decodes the header record that a block's records b begin with, and returns its size, which
// is 0 if they do not begin with one. The whole record must be there, and its check right.
func (h *Header) Read(b []byte) (n int, err error) {
	value := plainHeader(b)
	n = headerFramingBytes + len(value)
	if value == nil {
		if value, n, err = headerValue(b); n == 0 || err != nil {
			return 0, err
		}
	}
	switch err := h.parse(value); {
	case err == nil:
		return n, nil
	case errors.Is(err, ErrKind):
		return 0, nil // unknown control records are skipped
	default:
		return 0, fmt.Errorf("its header: %w", err)
	}
}

// headerFramingBytes is what stands before the value of a header record of less than 128 bytes: the
// check, and a byte each for its length, that of the topic, the topic, and the length of the key.
const headerFramingBytes = 5

// plainHeader returns the value of a sound header record of less than 128 bytes, as a block of few
// topics has it. It is nil when there is any doubt, for headerValue to tell what it is about.
func plainHeader(b []byte) []byte {
	if len(b) < headerFramingBytes {
		return nil
	}
	length := b[1]
	n := 2 + int(length)
	if length >= 0x80 || b[2] != 1 || b[3] != TopicHeader || b[4] != 0 ||
		n < headerFramingBytes || n > len(b) {
		return nil
	}
	c := fold(fold(table[length], table[1]), table[TopicHeader])
	value := b[headerFramingBytes:n]
	if b[0] != fold(fold(fold(c, 0), 0), crc8(0, value)) {
		return nil
	}
	return value
}

// headerValue returns the value of the header record at the beginning of b, and its size, which is
// 0 if something else stands there.
func headerValue(b []byte) (value []byte, n int, err error) {
	if len(b) == 0 {
		return nil, 0, nil
	}
	topic, _, err := PeekRecord(b)
	if err != nil || len(topic) != 1 || topic[0] != TopicHeader {
		return nil, 0, err
	}
	record, n, err := ParseRecord(b)
	if err != nil {
		return nil, 0, err
	}
	if err := CheckRecord(b); err != nil {
		return nil, 0, fmt.Errorf("its header: %w", err)
	}
	return record.Value, n, nil
}

// parse is ParseHeader in place: to decode a block's header is a part of each look at it, and must
// not be a copy of one.
func (h *Header) parse(value []byte) error {
	if len(value) == 0 || value[0] != headerVersion {
		return ErrKind
	}
	if len(value) < headerFixedBytes {
		return ErrLength
	}
	if value[1]&headerFlagsRefuse != 0 {
		return ErrVersion
	}
	topics, n := varint(value[headerFixedBytes:], valueVarintBytesMax)
	// Each topic takes three bytes or more, which bounds what a wrong number can cost.
	if n <= 0 || topics > uint64(len(value)-headerFixedBytes-n)/3 {
		return ErrLength
	}
	h.Time = int64(binary.BigEndian.Uint64(value[2:]))
	h.CRC = binary.BigEndian.Uint32(value[headerCRCOffset:])
	h.Topics = int(topics)
	h.Sparse = value[1]&headerFlagSparse != 0
	h.value, h.list = value, value[headerFixedBytes+n:]
	return nil
}

// NextRun returns the topics' runs one after the other, in order of first appearance; it must be
// called Topics times.
func (h *Header) NextRun() (Run, error) {
	var fields [3]uint64
	for i := range fields {
		v, n := varint(h.list, valueVarintBytesMax)
		if n <= 0 {
			return Run{}, ErrLength
		}
		fields[i], h.list = v, h.list[n:]
	}
	run := Run{fields[0], fields[1], fields[2]}
	if run.Records > BlockBytesMax || run.ValueBytes > BlockBytesMax || run.Offset > OffsetMax {
		return Run{}, ErrLength
	}
	return run, nil
}

// Skips returns a copy of the header that stands behind its runs, for NextSkip.
func (h *Header) Skips() (Header, error) {
	skips := *h
	for range h.Topics {
		if _, err := skips.NextRun(); err != nil {
			return skips, err
		}
	}
	return skips, nil
}

// NextSkip returns, for a sparse block and after all runs, how many offsets were skipped before
// each record, in the records' order.
func (h *Header) NextSkip() (uint64, error) {
	v, n := varint(h.list, valueVarintBytesMax)
	if n <= 0 || v > OffsetMax {
		return 0, ErrLength
	}
	h.list = h.list[n:]
	return v, nil
}

// CheckCRC tells whether the header's CRC is that of its own fields and of rest, the bytes between
// the header record and the end record.
func (h *Header) CheckCRC(rest []byte) error {
	crc := CRC32C(0, h.value[:headerCRCOffset])
	listed := h.value[headerFixedBytes:]
	if both := h.value[:cap(h.value)]; len(rest) > 0 && len(h.value)+len(rest) <= len(both) &&
		&rest[0] == &both[len(h.value)] {
		// They stand together, as in a block: one call is faster than two.
		listed, rest = both[headerFixedBytes:len(h.value)+len(rest)], nil
	}
	if crc = CRC32C(crc, listed); len(rest) > 0 {
		crc = CRC32C(crc, rest)
	}
	if crc != h.CRC {
		return ErrCheck
	}
	return nil
}

// AppendHeader appends a header record for a block whose bytes behind the header are the pieces.
func AppendHeader(b []byte, time int64, runs []Run, pieces ...[]byte) []byte {
	valueBytes := headerFixedBytes + varintBytes(uint64(len(runs)))
	for _, r := range runs {
		valueBytes += varintBytes(r.Offset) + varintBytes(r.Records) + varintBytes(r.ValueBytes)
	}
	check := len(b)
	topic := [1]byte{TopicHeader}
	b, c := appendFraming(b, topic[:], table[TopicHeader], nil, valueBytes)
	value := len(b)
	b = append(b, headerVersion, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(time))
	b = append(b, 0, 0, 0, 0)
	b = appendVarint(b, uint64(len(runs)))
	for _, r := range runs {
		b = appendVarint(b, r.Offset)
		b = appendVarint(b, r.Records)
		b = appendVarint(b, r.ValueBytes)
	}
	crc := CRC32C(CRC32C(0, b[value:][:headerCRCOffset]), b[value+headerFixedBytes:])
	for _, piece := range pieces {
		crc = CRC32C(crc, piece)
	}
	binary.BigEndian.PutUint32(b[value+headerCRCOffset:], crc)
	b[check] = fold(c, crc8(0, b[value:]))
	return b
}

// HeaderSpoiled tells whether a block's records b, which do not begin with a header, do so but for
// one wrong bit in what frames it, or in its version. The check of a byte that stands before them
// may miss that, and then the header would be a record like others, and the block one of Puro's.
func HeaderSpoiled(b []byte) bool {
	const framing = 1<<24 | TopicHeader<<16 | 0<<8 | headerVersion
	near := false
	for length := 1; length <= frameVarintBytesMax; length++ {
		if at := 1 + length; at+4 <= len(b) {
			near = near || bits.OnesCount32(binary.BigEndian.Uint32(b[at:])^framing) <= 1
		}
	}
	if !near {
		return false
	}
	// The window that b is a part of is nobody else's.
	for at := 1; at < min(len(b), headerFramingBytes+frameVarintBytesMax); at++ {
		for bit := range 8 {
			b[at] ^= 1 << bit
			var h Header
			n, err := h.Read(b)
			whole := err == nil && n > 0 && h.CheckCRC(b[n:]) == nil
			b[at] ^= 1 << bit
			if whole {
				return true
			}
		}
	}
	return false
}
