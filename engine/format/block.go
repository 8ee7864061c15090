package format

import "encoding/binary"

// Sizes and places of a block's frame. On disk, never change.
const (
	StartBytes = 10
	EndBytes   = 9
	// SignalOffset is the place of the signal byte in the start record.
	SignalOffset = 5
	// BlockBytesMax is the largest block, from its start to behind its end record.
	BlockBytesMax = 64 << 20
	// blockLengthMin is the length of a block without any record.
	blockLengthMin = StartBytes

	lengthOffset = SignalOffset + 1
)

// The length field ends the start record; the signal is the byte before it.
const _ = uint(StartBytes - lengthOffset - 4)

// Magic is the record at byte 0 of each segment that we start. It tells file(1) what this is.
var Magic = [9]byte{0x20, 0x07, 0x01, TopicMagic, 0x00, 'p', 'u', 'r', 1}

var (
	startHead = [4]byte{0x08, 0x01, TopicStart, 0x00}
	endHead   = [4]byte{0x07, 0x01, TopicEnd, 0x00}
)

// A Start is a decoded start record.
type Start struct {
	High   bool // the signal is raised: the block counts
	Length int  // from the first byte of the start to the first byte of the end record
}

// AppendStart appends the start record of a block. The signal is low, and the check is already the
// one for a raised signal, so that raising it is the change of a single byte.
func AppendStart(b []byte, length int) []byte {
	at := len(b)
	b = append(b, 0)
	b = append(b, startHead[:]...)
	b = append(b, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(length))
	b[at] = frameCheck(b[at+1:])
	b[at+SignalOffset] = 0
	return b
}

// AppendEnd appends the end record of a block.
func AppendEnd(b []byte, length int) []byte {
	at := len(b)
	b = append(b, 0)
	b = append(b, endHead[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(length))
	b[at] = frameCheck(b[at+1:])
	return b
}

// frameCheck is the check of a start or end record without its check byte: each has one byte of
// length, a topic of one byte and no key.
func frameCheck(b []byte) byte {
	c := table[b[0]]
	c = fold(c, table[b[1]])
	c = fold(c, table[b[2]])
	c = fold(c, table[b[3]])
	c = fold(c, 0)
	return fold(c, crc8(0, b[4:]))
}

// ParseStart decodes the start record at the beginning of b. The check may be the one for a raised
// or for a low signal, since Puro writes check and signal one after the other; a raised signal with
// a wrong check is ErrCheck.
func ParseStart(b []byte) (Start, error) {
	if len(b) < StartBytes {
		return Start{}, ErrShort
	}
	if [4]byte(b[1:5]) != startHead || b[SignalOffset] > 1 {
		return Start{}, ErrKind
	}
	s := Start{b[SignalOffset] == 1, int(binary.BigEndian.Uint32(b[lengthOffset:]))}
	if b[0] != frameCheck(b[1:StartBytes]) {
		var raised [StartBytes - 1]byte
		copy(raised[:], b[1:StartBytes])
		raised[SignalOffset-1] = 1
		if s.High || b[0] != frameCheck(raised[:]) {
			return Start{}, ErrCheck
		}
	}
	if s.Length < blockLengthMin || s.Length+EndBytes > BlockBytesMax {
		return Start{}, ErrLength
	}
	return s, nil
}

// ParseEnd checks the end record at the beginning of b, which must carry that length.
func ParseEnd(b []byte, length int) error {
	switch {
	case len(b) < EndBytes:
		return ErrShort
	case [4]byte(b[1:5]) != endHead:
		return ErrKind
	case b[0] != frameCheck(b[1:EndBytes]):
		return ErrCheck
	case int(binary.BigEndian.Uint32(b[5:])) != length:
		return ErrLength
	}
	return nil
}

// EndLength is the length that the end record at the beginning of b carries, for ParseEnd to check
// together with what stands there. b has at least EndBytes bytes.
func EndLength(b []byte) int { return int(binary.BigEndian.Uint32(b[5:])) }
