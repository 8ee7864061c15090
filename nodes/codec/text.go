package codec

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// A Text is the bytes that a record makes in a format. They are made as they are copied, and only
// the last places are kept from and up to which they were: copying on from there costs what is
// copied, and from elsewhere what stands between too. So the reads that a kernel makes ahead, which
// come in nearly the right order, cost no more than those in order.
type Text struct {
	format Format
	head   []byte // of JSONL: what stands before the key
	pieces [5]piece
	count  int

	size uint64 // of the text, 0 until Len has counted it

	time  time.Time // of the record
	stamp []byte    // time as JSONL has it: records of one block have the same

	at    spot    // where the last Copy ended
	spots [8]spot // the last ones that were left for another place
	left  int     // how many were, also those that spots has no room for
}

// A spot is a place in a text, and what to go on with from there. The zero spot is the beginning.
type spot struct {
	place uint64
	piece int
	read  int // of the piece
	part  int // of what the next unit of the piece is written as
}

// NewText returns the empty text in a format.
func NewText(f Format) *Text { return &Text{format: f} }

// The parts of an object of JSONL. Every object has the same members in the same order, but a key
// or value that is no text has another name.
var (
	jsonMiddle       = []byte(`","value":"`)
	jsonMiddleBase64 = []byte(`","value_base64":"`)
	jsonTail         = []byte("\"}\n")
	tab              = []byte("\t")
)

const (
	jsonKey       = `","key":"`
	jsonKeyBase64 = `","key_base64":"`
	timeLayout    = "2006-01-02T15:04:05.000000000Z" // RFC 3339, always of the same width
)

// Set makes it the text of a record. Nothing is copied of key and value, which must stay as they
// are while they are used.
func (t *Text) Set(offset uint64, at time.Time, key, value []byte) {
	t.count = 0
	switch t.format {
	case Plain:
		t.add(piece{bytes: value})
		t.add(piece{bytes: newline})
	case JSONL:
		t.setJSON(offset, at, key, value)
	case TSV:
		t.add(piece{bytes: key, escapes: &tsvEscapes})
		t.add(piece{bytes: tab})
		t.add(piece{bytes: value, escapes: &tsvEscapes})
		t.add(piece{bytes: newline})
	case Raw:
		t.add(piece{bytes: value})
	}
	t.rewind()
}

// Clear makes it the text of no record, and lets go of the last one's key and value.
func (t *Text) Clear() {
	t.pieces, t.count = [len(t.pieces)]piece{}, 0
	t.rewind()
}

func (t *Text) setJSON(offset uint64, at time.Time, key, value []byte) {
	if len(t.stamp) == 0 || !at.Equal(t.time) {
		t.time, t.stamp = at, at.UTC().AppendFormat(t.stamp[:0], timeLayout)
	}
	t.head = append(t.head[:0], `{"offset":`...)
	t.head = strconv.AppendUint(t.head, offset, 10)
	t.head = append(t.head, `,"time":"`...)
	t.head = append(t.head, t.stamp...)
	keyPiece, keyName := jsonString(key), jsonKey
	if keyPiece.base64 {
		keyName = jsonKeyBase64
	}
	t.head = append(t.head, keyName...)
	valuePiece, middle := jsonString(value), jsonMiddle
	if valuePiece.base64 {
		middle = jsonMiddleBase64
	}
	t.add(piece{bytes: t.head})
	t.add(keyPiece)
	t.add(piece{bytes: middle})
	t.add(valuePiece)
	t.add(piece{bytes: jsonTail})
}

// jsonString is how bytes are written in JSON: as a text if they are one.
func jsonString(bytes []byte) piece {
	if utf8.Valid(bytes) {
		return piece{bytes: bytes, escapes: &jsonEscapes}
	}
	return piece{bytes: bytes, base64: true}
}

func (t *Text) add(p piece) {
	t.pieces[t.count] = p
	t.count++
}

func (t *Text) rewind() { t.at, t.left, t.size = spot{}, 0, 0 }

// leave remembers the spot at which the text is, instead of the oldest one.
func (t *Text) leave() {
	t.spots[t.left%len(t.spots)] = t.at
	t.left++
}

// back goes to the last spot known that is not behind place.
func (t *Text) back(place uint64) {
	t.at = spot{}
	for _, s := range t.spots[:min(t.left, len(t.spots))] {
		if s.place <= place && s.place > t.at.place {
			t.at = s
		}
	}
}

// Copy copies the text from its byte skip on to dst, and returns the number of bytes copied: less
// than the rest of the text if dst is shorter. None are copied behind the end of the text.
func (t *Text) Copy(dst []byte, skip uint64) int {
	if skip != t.at.place {
		t.leave()
	}
	if skip < t.at.place {
		t.back(skip)
	}
	var waste [512]byte
	for skip > t.at.place {
		if t.copyOn(waste[:min(skip-t.at.place, uint64(len(waste)))]) == 0 {
			return 0
		}
	}
	return t.copyOn(dst)
}

// Len is the number of bytes of the text, found without making them.
func (t *Text) Len() uint64 {
	if t.size > 0 {
		return t.size
	}
	n := 0
	for i := range t.pieces[:t.count] {
		n += t.pieces[i].size()
	}
	t.size = uint64(n)
	return t.size
}

// Place is where the last Copy ended in the text.
func (t *Text) Place() uint64 { return t.at.place }

// AtEnd tells whether the last Copy ended at the end of the text.
func (t *Text) AtEnd() bool { return t.at.piece == t.count }

// copyOn copies from where the last Copy ended.
func (t *Text) copyOn(dst []byte) int {
	n := 0
	for t.at.piece < t.count {
		p := &t.pieces[t.at.piece]
		if t.at.read == len(p.bytes) {
			t.at.piece++
			t.at.read = 0
			continue
		}
		if n == len(dst) {
			break
		}
		wrote, read := 0, 0
		if t.at.part == 0 {
			wrote, read = p.encode(dst[n:], t.at.read)
		}
		if read == 0 {
			wrote, read = t.copyPart(dst[n:], p)
		}
		n, t.at.read = n+wrote, t.at.read+read
	}
	t.at.place += uint64(n)
	return n
}

// copyPart copies of a unit what fits, or the rest of it. The unit is read with its last byte.
func (t *Text) copyPart(dst []byte, p *piece) (wrote, read int) {
	unit := *p
	unit.bytes = p.bytes[:min(len(p.bytes), t.at.read+p.unit())]
	var whole [8]byte
	size, read := unit.encode(whole[:], t.at.read)
	wrote = copy(dst, whole[t.at.part:size])
	if t.at.part += wrote; t.at.part < size {
		return wrote, 0
	}
	t.at.part = 0
	return wrote, read
}
