package engine

import "purofs/engine/format"

// Lines copies the next records into dst, each as its value and a newline, as many as fit in whole
// and are at hand, and returns how many bytes that are. It is TryNext for many records at once,
// without what that costs for each; 0 means that TryNext has to be asked.
func (r *Reader) Lines(dst []byte) int {
	if r.ahead || r.sparse || r.point.next < r.floor || r.point.text < r.floorText {
		return 0
	}
	n, body, left := 0, r.body, r.left
	for left > 0 {
		record, size, err := format.ParseRecord(body)
		if err != nil {
			break // TryNext will say so
		}
		_, control := record.Control()
		if !control && (r.alone || string(record.Topic) == r.topic) {
			if len(record.Value) >= len(dst)-n {
				break
			}
			n += copy(dst[n:], record.Value)
			dst[n] = '\n'
			n++
			left--
		}
		body = body[size:]
	}
	r.point.next += r.left - left
	r.point.text += uint64(n)
	r.body, r.left = body, left
	return n
}
