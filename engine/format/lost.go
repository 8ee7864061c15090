package format

import "bytes"

// LostBytesMin is the fewest bytes that AppendLost can fill, but for a frame without any record,
// of which lostFrameBytes is the size.
const (
	LostBytesMin   = lostFrameBytes + lostRecordBytesMin
	lostFrameBytes = StartBytes + EndBytes

	lostRecordBytesMin = 2 + recordLengthMin
	// lostRecordBytesMax keeps what reads a block that was lost from taking much memory for it.
	lostRecordBytesMax = 1 << 20
	// LostBytesMax is the most bytes that one block of AppendLost fills.
	LostBytesMax = lostFrameBytes + lostRecordBytesMax
)

// CanFill tells whether blocks of AppendLost can take the place of that many bytes.
func CanFill(n int64) bool { return n == lostFrameBytes || n >= LostBytesMin }

// AppendLost appends a block of exactly n bytes, low, that says that the bytes which stood there
// are lost. It has no header. Its record has the note, as far as it fits, and zeros behind it: the
// name of the file that keeps the bytes. n is at most LostBytesMax, and CanFill.
func AppendLost(b []byte, n int, note string) []byte {
	length := n - EndBytes
	b = AppendStart(b, length)
	inside := length - StartBytes
	for inside > 0 {
		value := lostValueBytes(inside)
		text := make([]byte, value)
		note = note[copy(text, note):]
		b = AppendRecord(b, []byte{TopicLost}, nil, text)
		inside -= RecordBytes(1, 0, value)
	}
	return AppendEnd(b, length)
}

// lostValueBytes is how large a value a record of n bytes can have. Where the length takes a byte
// more just there, no record has exactly n bytes; then room for a smallest one is left behind it.
func lostValueBytes(n int) int {
	for overhead := lostRecordBytesMin; overhead < lostRecordBytesMin+frameVarintBytesMax; overhead++ {
		value := n - overhead
		if value >= 0 && RecordBytes(1, 0, value) == n {
			return value
		}
	}
	return lostValueBytes(n - lostRecordBytesMin)
}

// LostNote is the note in the value of a record of TopicLost.
func LostNote(value []byte) string { return string(bytes.TrimRight(value, "\x00")) }
