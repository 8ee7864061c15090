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
	b[at] = startCheck(1, uint32(length))
	b[at+SignalOffset] = 0
	return b
}

// AppendEnd appends the end record of a block.
func AppendEnd(b []byte, length int) []byte {
	at := len(b)
	b = append(b, 0)
	b = append(b, endHead[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(length))
	b[at] = endCheck(uint32(length))
	return b
}

// startSeed and endSeed are the checks of start and end records up to their values, which never
// differ.
var startSeed, endSeed = frameSeed(startHead), frameSeed(endHead)

// frameSeed is the check of a record that begins with one byte of length, a topic of one byte and
// no key.
func frameSeed(head [4]byte) byte {
	c := table[head[0]]
	c = fold(c, table[head[1]])
	c = fold(c, table[head[2]])
	c = fold(c, table[head[3]])
	return fold(c, 0)
}

// startCheck and endCheck are the checks of the frame of a block.
func startCheck(signal byte, length uint32) byte {
	return fold(startSeed, step4(table[signal], length))
}

func endCheck(length uint32) byte { return fold(endSeed, step4(0, length)) }

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
	length := binary.BigEndian.Uint32(b[lengthOffset:])
	s := Start{b[SignalOffset] == 1, int(length)}
	if b[0] != startCheck(1, length) && (s.High || b[0] != startCheck(0, length)) {
		return Start{}, ErrCheck
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
	}
	got := binary.BigEndian.Uint32(b[5:])
	switch {
	case b[0] != endCheck(got):
		return ErrCheck
	case int(got) != length:
		return ErrLength
	}
	return nil
}

// EndLength is the length that the end record at the beginning of b carries, for ParseEnd to check
// together with what stands there. b has at least EndBytes bytes.
func EndLength(b []byte) int { return int(binary.BigEndian.Uint32(b[5:])) }
