package segment

import (
	"bytes"
	"errors"
	"io"

	"purofs/engine/format"
)

// Errors of Scanner.Next other than io.EOF and *DamageError. The scanner stays where it was, and
// Next may be called again when the file has changed.
var (
	// ErrLow means a block with a low signal, the last one: it is being written, or its producer died.
	ErrLow = errors.New("the last block is not finished")
	// ErrTorn means the beginning of a block that runs past the end of the file, or zeros.
	ErrTorn = errors.New("the last block is cut off")
)

// A Scanner walks over the blocks of a segment. Hopping reads only what stands at the beginning and
// at the end of each block; with Full set each block's body is read and its checks are verified.
type Scanner struct {
	Full bool

	seg   io.ReaderAt
	order uint32
	win   window
	pos   int64
	start int64 // of the first block
	limit int64 // no block that starts at or behind it is looked at

	block    Block
	bodyRead bool  // the body of block was asked for
	lastTime int64 // of the last header seen
	headers  bool  // some block had a header
	sealed   bool
	names    map[uint64]int // of a block with many topics: a name's hash to its run
}

// NoLimit lets a scanner go to the end of the file.
const NoLimit = 1<<63 - 1

// NewScanner returns a scanner for the blocks from pos on, up to limit. pos is 0 or a block's
// start.
func NewScanner(s *Segment, pos, limit int64) *Scanner {
	return NewScannerOf(s, s.order, pos, limit)
}

// NewScannerOf is NewScanner for bytes that need not be a segment of a store.
func NewScannerOf(file io.ReaderAt, order uint32, pos, limit int64) *Scanner {
	sc := &Scanner{seg: file, order: order, pos: pos, limit: limit}
	sc.win = window{file: file, ahead: windowBytesMin}
	return sc
}

// Pos is the place of the next block.
func (s *Scanner) Pos() int64 { return s.pos }

// Start is the place of the first block: behind the magic, once that was seen.
func (s *Scanner) Start() int64 { return s.start }

// Limit is up to where the scanner goes.
func (s *Scanner) Limit() int64 { return s.limit }

// SetLimit moves the limit.
func (s *Scanner) SetLimit(limit int64) { s.limit = limit }

// Sealed tells whether a tombstone was met.
func (s *Scanner) Sealed() bool { return s.sealed }

// SkipTo goes on at pos, the end of a block of that time which the caller has written itself.
func (s *Scanner) SkipTo(pos, time int64) {
	s.pos, s.lastTime, s.headers = pos, time, true
	s.win.drop()
}

// JumpTo goes on at pos, the end of a block or of damage. time is that of the last block with a
// header before it, 0 if there is none. ahead is how many bytes will be wanted there, 0 if that is
// not known.
func (s *Scanner) JumpTo(pos, time int64, ahead int) {
	s.pos, s.lastTime, s.headers = pos, time, time != 0
	if ahead == 0 {
		ahead = windowBytesMin
	}
	s.win.ahead = min(max(ahead, jumpBytesMin), windowBytesMax)
}

// Time is that of the last block with a header that was met, 0 if there was none.
func (s *Scanner) Time() int64 { return s.lastTime }

// Release gives back the scanner's buffer; it can go on.
func (s *Scanner) Release() { s.win.release() }

// Held is how many bytes of memory that takes until then.
func (s *Scanner) Held() int { return s.win.held() }

// Next returns the next block. At the end of the file, at the limit and behind a tombstone the
// error is io.EOF. After a *DamageError with an End the scanner stands there; without one it stays.
func (s *Scanner) Next() (*Block, error) {
	if s.sealed || s.pos >= s.limit {
		return nil, io.EOF
	}
	if err := s.find(); err != nil {
		return nil, err
	}
	b := &s.block
	s.adapt(int(b.End - b.Pos))
	s.pos = b.End
	s.sealed = b.Sealed
	if b.Header {
		s.headers, s.lastTime = true, b.Time
	}
	return b, nil
}

// find decodes the block at s.pos, and otherwise decides what stands there.
func (s *Scanner) find() error {
	err := s.look()
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	// What was read ahead may be older than the signal: only a second look counts.
	s.win.drop()
	if err = s.look(); err == nil {
		return nil
	}
	pos := s.pos
	err = s.stop(err)
	// If it is asked for again something else may stand there: half of this and half of that could
	// look like a block.
	s.win.drop()
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	// It seems damaged by what stands behind it. But that may have been written after it was looked
	// at, and then it had been finished, or repaired, before.
	behind := s.pos
	s.pos = pos
	if s.look() == nil {
		return nil
	}
	s.pos = behind
	return err
}

// look decodes the block at s.pos, or behind the magic.
func (s *Scanner) look() error {
	if s.pos == 0 {
		if err := s.skipMagic(); err != nil {
			return err
		}
		if s.pos >= s.limit {
			return io.EOF
		}
	}
	return s.parse(s.pos)
}

// adapt reads further ahead as long as blocks are small or read whole.
func (s *Scanner) adapt(blockBytes int) {
	whole := s.Full || s.bodyRead
	s.bodyRead = false
	if whole || blockBytes <= s.win.ahead {
		s.win.ahead = min(2*s.win.ahead, windowBytesMax)
	} else {
		s.win.ahead = windowBytesMin
	}
}

// skipMagic moves behind the magic, if there is one: a control record outside any block.
func (s *Scanner) skipMagic() error {
	b, err := s.win.view(0, len(format.Magic))
	if err != nil {
		return err
	}
	if len(b) == 0 {
		return io.EOF
	}
	if len(b) < len(format.Magic) && bytes.HasPrefix(format.Magic[:], b) {
		return ErrTorn
	}
	record, n, err := format.ParseRecord(b)
	if kind, control := record.Control(); err == nil && control && kind == format.TopicMagic &&
		format.CheckRecord(b) == nil {
		s.pos, s.start = int64(n), int64(n)
	}
	return nil // what else stands there is the first block, or whatever parse will make of it
}

// A flaw is why a block is not sound. length is that of its start record, if that can be believed.
type flaw struct {
	reason string
	length int
	raised bool
	newer  bool // only a newer version of purofs knows what it is
}

func (f *flaw) Error() string { return f.reason }

// parse decodes the block at pos into s.block.
func (s *Scanner) parse(pos int64) error {
	head, err := s.win.view(pos, format.StartBytes)
	if err != nil {
		return err
	}
	if len(head) == 0 {
		return io.EOF
	}
	start, err := format.ParseStart(head)
	if err != nil {
		if errors.Is(err, format.ErrShort) {
			return s.bareTombstone(head)
		}
		return notAStart(head)
	}
	if !start.High {
		return &flaw{reason: "its signal was never raised", length: start.Length}
	}
	length := start.Length
	whole, err := s.checkEnd(pos, length)
	if err != nil {
		return err
	}
	b := &s.block
	b.Pos, b.End, b.Time = pos, pos+int64(length)+format.EndBytes, s.lastTime
	if whole != nil {
		err = s.decode(whole[:length], length)
	} else {
		err = s.parseInside(length)
	}
	if err != nil {
		newer := errors.Is(err, format.ErrVersion)
		return &flaw{reason: err.Error(), length: length, raised: true, newer: newer}
	}
	return nil
}

// checkEnd looks at the end record of the block at pos whose start said length. It returns the
// whole block, if that was read.
func (s *Scanner) checkEnd(pos int64, length int) (whole []byte, err error) {
	var tail []byte
	if length <= s.win.ahead {
		whole, err = s.win.view(pos, length+format.EndBytes)
		tail = whole[min(length, len(whole)):]
	} else {
		// Far away: moving the window there and back would read twice what is needed. And memory for
		// the whole block is taken only when it is known to be there.
		var far [format.EndBytes]byte
		var n int
		if n, err = s.seg.ReadAt(far[:], pos+int64(length)); errors.Is(err, io.EOF) {
			err = nil
		}
		tail = far[:n]
	}
	if err != nil {
		return nil, err
	}
	switch err := format.ParseEnd(tail, length); {
	case err == nil:
		return whole, nil
	case errors.Is(err, format.ErrShort):
		return nil, ErrTorn
	default:
		return nil, &flaw{reason: "its end record is wrong: " + err.Error(), length: length, raised: true}
	}
}

// Body returns the records of the block that Next returned last, checked. It is valid until the
// scanner's next call; so is the Block, which may have been decoded again.
func (s *Scanner) Body() ([]byte, error) {
	b := &s.block
	s.bodyRead = true
	checked := s.Full || !b.Header
	if !s.win.has(b.Pos, int(b.End-b.Pos)-format.EndBytes) {
		// The window moves; what points into it must be decoded again.
		if _, err := s.view(b.Pos, int(b.End-b.Pos)); err != nil {
			return nil, err
		}
		if err := s.parse(b.Pos); err != nil {
			return nil, s.damage(err)
		}
	}
	view, err := s.view(b.Pos, int(b.End-b.Pos)-format.EndBytes)
	if err != nil {
		return nil, err
	}
	if !checked {
		if err := b.header.CheckCRC(view[b.body:]); err != nil {
			return nil, s.damage(&flaw{reason: "its CRC-32C: " + err.Error()})
		}
	}
	return view[b.body:], nil
}

// damage turns a flaw of the block at hand, which was sound at first sight, into a *DamageError.
func (s *Scanner) damage(err error) error {
	var f *flaw
	if !errors.As(err, &f) {
		return err
	}
	return &DamageError{Segment: s.order, Pos: s.block.Pos, End: s.block.End, Reason: f.reason}
}
