package format

// Varints are unsigned LEB128. Those that frame a record have at most four bytes; those inside the
// values of our own control records, offsets above all, may have as many as a uint64 takes.
const (
	frameVarintBytesMax = 4
	valueVarintBytesMax = 10
	// FrameMax is the largest number a record's framing can hold.
	FrameMax = 1<<28 - 1
)

// appendVarint appends v in as few bytes as possible.
func appendVarint(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// varintBytes is how many bytes appendVarint takes for v.
func varintBytes(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// frameVarint reads a varint of a record's framing. The number of bytes is 0 if b ends within it
// and -1 if it is too long.
func frameVarint(b []byte) (v, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return int(b[0]), 1
	}
	wide, n := varint(b, frameVarintBytesMax)
	return int(wide), n
}

// varint reads a varint of at most bytesMax bytes; see frameVarint for n. A tenth byte may only
// hold the last bit of a uint64.
func varint(b []byte, bytesMax int) (v uint64, n int) {
	for i, c := range b {
		if i == bytesMax || i == valueVarintBytesMax-1 && c > 1 {
			return 0, -1
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return v, i + 1
		}
	}
	if len(b) >= bytesMax {
		return 0, -1
	}
	return 0, 0
}
