package format

// Topics of control records: one byte below ControlTopicEnd. On disk, never change.
const (
	TopicTombstone     = 0x00
	TopicStart         = 0x02
	TopicEnd           = 0x03
	TopicHeader        = 0x04
	TopicMagic         = 0x05
	TopicSegmentHeader = 0x06
	TopicTopic         = 0x07
	TopicLost          = 0x08

	ControlTopicEnd = 0x20
)

// Limits of a record.
const (
	TopicBytesMax = 255
	KeyBytesMax   = 1 << 10
	// recordLengthMin is the shortest legal length field: one byte each for the length of the topic,
	// the topic and the length of the key. Zeros, whose CRC-8 is right, fail it.
	recordLengthMin = 3
)

// A Record is one decoded record; its fields point into the bytes it was decoded from.
type Record struct {
	Topic, Key, Value []byte
}

// Control returns the topic byte of a control record, and whether it is one.
func (r Record) Control() (byte, bool) {
	if len(r.Topic) == 1 && r.Topic[0] < ControlTopicEnd {
		return r.Topic[0], true
	}
	return 0, false
}

// ParseRecord decodes the record at the beginning of b and returns how many bytes it takes. It does
// not look at the check (see CheckRecord), because within a block with a header the CRC-32C already
// covers it.
func ParseRecord(b []byte) (rec Record, n int, err error) {
	if len(b) > 2 && b[1] < 0x80 && b[2] < 0x80 {
		// A short record, as most are: parseRecord finds the same, and whatever is wrong. No key that
		// fits has a length of two bytes.
		n, key := 2+int(b[1]), 3+int(b[2])
		if key < n && n <= len(b) && b[2] > 0 {
			if value := key + 1 + int(b[key]); value <= n {
				rec.Topic, rec.Key, rec.Value = b[3:key:key], b[key+1:value:value], b[value:n]
				return rec, n, nil
			}
		}
	}
	return parseRecord(b)
}

// parseRecord is ParseRecord for any record.
func parseRecord(b []byte) (rec Record, n int, err error) {
	body, length, n, err := recordBody(b)
	if err != nil {
		return rec, 0, err
	}
	short := len(body) < length
	if !short {
		body = body[:length]
	}
	topicBytes, w := frameVarint(body)
	if w <= 0 {
		return rec, 0, fieldError(w, short)
	}
	if topicBytes == 0 || topicBytes > length-w-1 {
		return rec, 0, ErrLength
	}
	if len(body) <= w+topicBytes {
		return rec, 0, fieldError(0, short)
	}
	rec.Topic, body = body[w:w+topicBytes:w+topicBytes], body[w+topicBytes:]
	keyBytes, v := frameVarint(body)
	if v <= 0 {
		return rec, 0, fieldError(v, short)
	}
	if keyBytes > length-w-topicBytes-v {
		return rec, 0, ErrLength
	}
	if short {
		return rec, 0, ErrShort
	}
	rec.Key, rec.Value = body[v:v+keyBytes:v+keyBytes], body[v+keyBytes:]
	return rec, n, nil
}

// recordBody returns what follows the length of the record at the beginning of b, of which the end
// may be missing, that length, and the size of the whole record.
func recordBody(b []byte) (body []byte, length, n int, err error) {
	if len(b) < 2 {
		return nil, 0, 0, ErrShort
	}
	length, w := frameVarint(b[1:])
	if w <= 0 {
		return nil, 0, 0, varintError(w)
	}
	if length < recordLengthMin {
		return nil, 0, 0, ErrLength
	}
	return b[1+w:], length, 1 + w + length, nil
}

// PeekRecord reads the topic and the whole length of the record at the beginning of b, of which the
// rest may be missing.
func PeekRecord(b []byte) (topic []byte, n int, err error) {
	body, length, n, err := recordBody(b)
	if err != nil {
		return nil, 0, err
	}
	topicBytes, w := frameVarint(body)
	if w <= 0 {
		return nil, 0, varintError(w)
	}
	if topicBytes == 0 || topicBytes > length-w-1 {
		return nil, 0, ErrLength
	}
	if len(body) < w+topicBytes {
		return nil, 0, ErrShort
	}
	return body[w : w+topicBytes : w+topicBytes], n, nil
}

// varintError is the error of a varint that was not there (0) or too long (-1).
func varintError(n int) error {
	if n == 0 {
		return ErrShort
	}
	return ErrVarint
}

// fieldError is varintError inside a record: if all of the record is there, more bytes are no cure.
func fieldError(n int, short bool) error {
	if n == 0 && !short {
		return ErrLength
	}
	return varintError(n)
}

// CheckRecord tells whether the check of the record at the beginning of b is right. b must hold a
// record that ParseRecord accepts.
func CheckRecord(b []byte) error {
	length, w := frameVarint(b[1:])
	c := crc8(0, b[1:1+w])
	body := b[1+w : 1+w+length]
	for range 2 { // topic and key: a length, then the bytes
		size, w := frameVarint(body)
		c = fold(c, crc8(0, body[:w]))
		c = fold(c, crc8(0, body[w:w+size]))
		body = body[w+size:]
	}
	if fold(c, crc8(0, body)) != b[0] {
		return ErrCheck
	}
	return nil
}

// RecordBytes is how many bytes a record with such fields takes.
func RecordBytes(topicBytes, keyBytes, valueBytes int) int {
	length := recordLength(topicBytes, keyBytes, valueBytes)
	return 1 + varintBytes(uint64(length)) + length
}

func recordLength(topicBytes, keyBytes, valueBytes int) int {
	return varintBytes(uint64(topicBytes)) + topicBytes +
		varintBytes(uint64(keyBytes)) + keyBytes + valueBytes
}

// AppendRecord appends a record with its check. The lengths must be within FrameMax together.
func AppendRecord(b []byte, topic, key, value []byte) []byte {
	check := len(b)
	b, c := appendFraming(b, topic, crc8(0, topic), key, len(value))
	b = append(b, value...)
	b[check] = fold(c, crc8(0, value))
	return b
}

// appendFraming appends a record up to where its value begins, and returns the check so far.
func appendFraming(b, topic []byte, topicCRC byte, key []byte, valueBytes int) ([]byte, byte) {
	b = append(b, 0)
	b, c := appendChecked(b, recordLength(len(topic), len(key), valueBytes))
	b, crc := appendChecked(b, len(topic))
	c = fold(fold(c, crc), topicCRC)
	b = append(b, topic...)
	b, crc = appendChecked(b, len(key))
	c = fold(fold(c, crc), crc8(0, key))
	return append(b, key...), c
}

// appendChecked appends n as a varint and returns the CRC-8 of its bytes.
func appendChecked(b []byte, n int) ([]byte, byte) {
	if n < 0x80 {
		return append(b, byte(n)), table[n]
	}
	at := len(b)
	b = appendVarint(b, uint64(n))
	return b, crc8(0, b[at:])
}
