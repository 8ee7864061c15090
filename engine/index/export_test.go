package index

// SealBody puts a header before a body, with the right checks, whatever it is.
func SealBody(body []byte, topics uint32, from, to int64) []byte {
	b := append(make([]byte, HeaderBytes), body...)
	h := Header{From: from, To: to, topics: topics}
	h.put(b)
	return b
}
