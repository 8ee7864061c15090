package format

// An Encoder appends records to a buffer. It computes the checks of four values at a time, so the
// bytes are complete only after Finish. The zero value is ready.
type Encoder struct {
	buf      []byte
	topicCRC byte
	pending  [4]pendingCheck
	waiting  int
}

// A pendingCheck is a record whose value is in the buffer but not yet in its check.
type pendingCheck struct {
	check, value, end int // places in the buffer: check byte, value, behind the value
	prefix            byte
}

// Reset empties the encoder and keeps its buffer, unless that has more than keepBytes.
func (e *Encoder) Reset(keepBytes int) {
	e.waiting = 0
	e.buf = e.buf[:0]
	if cap(e.buf) > keepBytes {
		e.buf = nil
	}
}

// Len is the number of bytes encoded so far.
func (e *Encoder) Len() int { return len(e.buf) }

// SetTopic prepares for records of that topic; Add must be given the same one.
func (e *Encoder) SetTopic(topic []byte) { e.topicCRC = crc8(0, topic) }

// Add appends a record whose value is the parts joined. The topic must be the last SetTopic's.
func (e *Encoder) Add(topic, key []byte, valueBytes int, parts [][]byte) {
	check := len(e.buf)
	buf, prefix := appendFraming(e.buf, topic, e.topicCRC, key, valueBytes)
	value := len(buf)
	for _, part := range parts {
		buf = append(buf, part...)
	}
	e.buf = buf
	e.pending[e.waiting] = pendingCheck{check, value, len(buf), prefix}
	if e.waiting++; e.waiting == len(e.pending) {
		e.checkFour()
	}
}

func (e *Encoder) checkFour() {
	p, b := &e.pending, e.buf
	c0, c1, c2, c3 := crc8x4(b[p[0].value:p[0].end], b[p[1].value:p[1].end],
		b[p[2].value:p[2].end], b[p[3].value:p[3].end])
	b[p[0].check] = fold(p[0].prefix, c0)
	b[p[1].check] = fold(p[1].prefix, c1)
	b[p[2].check] = fold(p[2].prefix, c2)
	b[p[3].check] = fold(p[3].prefix, c3)
	e.waiting = 0
}

// Finish completes the checks and returns the records. The bytes belong to the encoder.
func (e *Encoder) Finish() []byte {
	for _, p := range e.pending[:e.waiting] {
		e.buf[p.check] = fold(p.prefix, crc8(0, e.buf[p.value:p.end]))
	}
	e.waiting = 0
	return e.buf
}
