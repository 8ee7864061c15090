package format

import "encoding/binary"

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

// offsetMax is the largest offset, or place in a plain text, that is believed: what is read can be
// added to without a thought of overflow.
const offsetMax = 1 << 62

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
func ParseHeader(value []byte) (Header, error) {
	if len(value) == 0 || value[0] != headerVersion {
		return Header{}, ErrKind
	}
	if len(value) < headerFixedBytes {
		return Header{}, ErrLength
	}
	if value[1]&headerFlagsRefuse != 0 {
		return Header{}, ErrVersion
	}
	topics, n := varint(value[headerFixedBytes:], valueVarintBytesMax)
	// Each topic takes three bytes or more, which bounds what a wrong number can cost.
	if n <= 0 || topics > uint64(len(value)-headerFixedBytes-n)/3 {
		return Header{}, ErrLength
	}
	return Header{
		Time:   int64(binary.BigEndian.Uint64(value[2:])),
		CRC:    binary.BigEndian.Uint32(value[headerCRCOffset:]),
		Topics: int(topics),
		Sparse: value[1]&headerFlagSparse != 0,
		value:  value,
		list:   value[headerFixedBytes+n:],
	}, nil
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
	if run.Records > BlockBytesMax || run.ValueBytes > BlockBytesMax || run.Offset > offsetMax {
		return Run{}, ErrLength
	}
	return run, nil
}

// NextSkip returns, for a sparse block and after all runs, how many offsets were skipped before
// each record, in the records' order.
func (h *Header) NextSkip() (uint64, error) {
	v, n := varint(h.list, valueVarintBytesMax)
	if n <= 0 || v > offsetMax {
		return 0, ErrLength
	}
	h.list = h.list[n:]
	return v, nil
}

// CheckCRC tells whether the header's CRC is that of its own fields and of rest, the bytes between
// the header record and the end record.
func (h *Header) CheckCRC(rest []byte) error {
	if CRC32C(headerCRC(h.value), rest) != h.CRC {
		return ErrCheck
	}
	return nil
}

// headerCRC is the part of the CRC that covers the header's value itself.
func headerCRC(value []byte) uint32 {
	return CRC32C(CRC32C(0, value[:headerCRCOffset]), value[headerFixedBytes:])
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
	crc := headerCRC(b[value:])
	for _, piece := range pieces {
		crc = CRC32C(crc, piece)
	}
	binary.BigEndian.PutUint32(b[value+headerCRCOffset:], crc)
	b[check] = fold(c, crc8(0, b[value:]))
	return b
}
