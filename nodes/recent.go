package nodes

// A recentRead is what the last small read of a file delivered. A shell that reads lines reads a
// block and seeks back to the end of the first, and gets the rest from here: looking for each line
// in the log would cost the block again. Its zero value holds nothing.
type recentRead struct {
	bytes []byte
	end   uint64 // place in the file behind the last of bytes
}

// recentBytesMax is up to which size a read is kept: bash reads 4 KiB at a time.
const recentBytesMax = 8 << 10

// holds tells whether the byte at place was read last.
func (r *recentRead) holds(place uint64) bool {
	return r.end-uint64(len(r.bytes)) <= place && place < r.end
}

// again gives what was read last once more, from place on, and returns how much that is.
func (r *recentRead) again(buf []byte, place uint64) int {
	if !r.holds(place) {
		return 0
	}
	return copy(buf, r.bytes[place-(r.end-uint64(len(r.bytes))):])
}

// remember keeps what was read at place, if it is little.
func (r *recentRead) remember(read []byte, place uint64) {
	if end := place + uint64(len(read)); len(read) <= recentBytesMax && end >= r.end {
		r.bytes, r.end = append(r.bytes[:0], read...), end
	} else if end > r.end {
		r.forget()
	}
}

// forget gives back what was kept.
func (r *recentRead) forget() { *r = recentRead{} }
