package segment

import (
	"errors"
	"fmt"
	"io"

	"purofs/engine/format"
)

// Errors of Scanner.Next other than io.EOF and *DamageError. The scanner stays where it was, and Next
// may be called again when the file has changed.
var (
	// ErrLow means a block with a low signal, the last one: it is being written, or its producer died.
	ErrLow = errors.New("the last block is not finished")
	// ErrTorn means the beginning of a block that runs past the end of the file, or zeros.
	ErrTorn = errors.New("the last block is cut off")
)

// A Run is the part of a block that one topic has in it.
type Run struct {
	Topic []byte
	// Offset is that of the topic's first record in the block; without a header it is not known
	// (Block.Header is false) and must be counted on.
	Offset     uint64
	Records    uint64
	ValueBytes uint64
}

// A Control is a control record of a block other than its frame.
type Control struct {
	Kind  byte
	Value []byte
}

// A Block is what Scanner.Next found. Its slices are valid until the scanner's next call.
type Block struct {
	Pos, End int64 // of the start record's first byte; behind the end record
	Header   bool  // it has a header, which gives Time, offsets and a CRC-32C
	Sparse   bool  // compaction took records out of it
	Time     int64 // Unix nanoseconds
	Runs     []Run // in order of first appearance
	Controls []Control
	Sealed   bool // it is, or holds, a tombstone: the segment ends here

	header format.Header
	body   int // place of the records in the block, behind the header
}

// A Scanner walks over the blocks of a segment. Hopping reads only what stands at the beginning and at
// the end of each block; with Full set each block's body is read and its checks are verified.
type Scanner struct {
	Full bool

	seg   io.ReaderAt
	order uint32
	win   window
	pos   int64
	start int64 // of the first block
	limit int64 // nothing at or behind it is looked at

	block    Block
	bodyRead bool  // the body of block was asked for
	lastTime int64 // of the last header seen
	headers  bool  // some block had a header
	sealed   bool
	names    map[string]int // topics of a block with many
}

// NoLimit lets a scanner go to the end of the file.
const NoLimit = 1<<63 - 1

// NewScanner returns a scanner for the blocks from pos on, up to limit. pos is 0 or a block's start.
func NewScanner(s *Segment, pos, limit int64) *Scanner {
	sc := &Scanner{seg: s, order: s.order, pos: pos, limit: limit}
	sc.win = window{file: s, ahead: windowBytesMin}
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

// Release gives back the scanner's buffer; it can go on.
func (s *Scanner) Release() { s.win.release() }

// Next returns the next block. At the end of the file, at the limit and behind a tombstone the error
// is io.EOF. After a *DamageError with an End the scanner stands there; without one it stays.
func (s *Scanner) Next() (*Block, error) {
	if s.sealed || s.pos >= s.limit {
		return nil, io.EOF
	}
	if s.pos == 0 {
		if err := s.skipMagic(); err != nil {
			return nil, err
		}
		if s.pos >= s.limit {
			return nil, io.EOF
		}
	}
	err := s.parse(s.pos)
	if err != nil && !errors.Is(err, io.EOF) {
		// What was read ahead may be older than the signal: only a second look counts.
		s.win.drop()
		err = s.parse(s.pos)
	}
	if err != nil {
		return nil, s.stop(err)
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
	topic, n, err := format.PeekRecord(b)
	switch {
	case errors.Is(err, format.ErrShort) || err == nil && topic[0] == format.TopicMagic && n > len(b):
		return ErrTorn
	case err == nil && len(topic) == 1 && topic[0] == format.TopicMagic && format.CheckRecord(b) == nil:
		s.pos, s.start = int64(n), int64(n)
	}
	return nil
}

// A flaw is why a block is not sound. length is that of its start record, if that can be believed.
type flaw struct {
	reason string
	length int
	raised bool
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
	if errors.Is(err, format.ErrShort) {
		return s.bareTombstone(head)
	}
	if err != nil {
		return notAStart(head)
	}
	if !start.High {
		return &flaw{reason: "its signal was never raised", length: start.Length}
	}
	end := pos + int64(start.Length)
	if err := s.checkEnd(end, start.Length); err != nil {
		return err
	}
	s.block = Block{
		Pos: pos, End: end + format.EndBytes, Time: s.lastTime,
		Runs: s.block.Runs, Controls: s.block.Controls,
	}
	if err := s.parseInside(start.Length); err != nil {
		return &flaw{reason: err.Error(), length: start.Length, raised: true}
	}
	return nil
}

// checkEnd looks at the end record of the block whose start said length.
func (s *Scanner) checkEnd(at int64, length int) error {
	var tail []byte
	var err error
	if s.Full || length <= s.win.ahead {
		var whole []byte
		whole, err = s.win.view(at-int64(length), length+format.EndBytes)
		tail = whole[min(length, len(whole)):]
	} else {
		// Far away: moving the window there and back would read twice what is needed.
		var far [format.EndBytes]byte
		var n int
		if n, err = s.seg.ReadAt(far[:], at); errors.Is(err, io.EOF) {
			err = nil
		}
		tail = far[:n]
	}
	if err != nil {
		return err
	}
	err = format.ParseEnd(tail, length)
	if errors.Is(err, format.ErrShort) {
		return ErrTorn
	}
	if err != nil {
		return &flaw{reason: "its end record is wrong: " + err.Error(), length: length, raised: true}
	}
	return nil
}

// headBytes is how much of a block is looked at first: enough for its header and its first topic.
const headBytes = 512

// parseInside decodes what stands between the start record and the end record.
func (s *Scanner) parseInside(length int) error {
	n := length
	if !s.Full && !s.win.has(s.block.Pos, length) {
		n = min(n, headBytes)
	}
	view, err := s.view(s.block.Pos, n)
	if err != nil {
		return err
	}
	err = s.decode(view, length)
	if errors.Is(err, format.ErrShort) && n < length {
		if view, err = s.view(s.block.Pos, length); err == nil {
			err = s.decode(view, length)
		}
	}
	return err
}

// view returns exactly n bytes; less is an error.
func (s *Scanner) view(pos int64, n int) ([]byte, error) {
	b, err := s.win.view(pos, n)
	if err == nil && len(b) < n {
		err = format.ErrShort
	}
	return b, err
}

// decode decodes a block of which view is the beginning. If that is not enough the error is ErrShort.
// All that it finds points into view.
func (s *Scanner) decode(view []byte, length int) error {
	b := &s.block
	b.Runs, b.Controls, b.Sealed = b.Runs[:0], b.Controls[:0], false
	clear(s.names)
	b.body = format.StartBytes
	header, n, err := parseHeader(view[b.body:])
	if err != nil {
		return err
	}
	b.Header = n > 0
	if !b.Header {
		if len(view) < length {
			return format.ErrShort
		}
		return s.countRecords(view[b.body:])
	}
	b.body += n
	if b.body > length {
		return format.ErrLength
	}
	b.header, b.Time, b.Sparse = header, header.Time, header.Sparse
	if s.Full {
		if err := header.CheckCRC(view[b.body:length]); err != nil {
			return fmt.Errorf("its CRC-32C: %w", err)
		}
	}
	return s.nameRuns(view[b.body:], length-b.body)
}

// parseHeader decodes the header record at the beginning of a block's records, and returns its size,
// which is 0 if there is none.
func parseHeader(b []byte) (h format.Header, n int, err error) {
	if len(b) == 0 {
		return h, 0, nil
	}
	topic, n, err := format.PeekRecord(b)
	if err != nil || len(topic) != 1 || topic[0] != format.TopicHeader {
		return h, 0, err
	}
	record, n, err := format.ParseRecord(b)
	if err != nil {
		return h, 0, err
	}
	if err := format.CheckRecord(b); err != nil {
		return h, 0, fmt.Errorf("its header: %w", err)
	}
	h, err = format.ParseHeader(record.Value)
	if errors.Is(err, format.ErrKind) {
		return h, 0, nil // unknown control records are skipped
	}
	if err != nil {
		return h, 0, fmt.Errorf("its header: %w", err)
	}
	return h, n, nil
}

// nameRuns joins the header's runs with the names of their topics, which the records have, and
// collects the control records. Those stand before the user's records, so that for a block of one
// topic a look at the first records is enough. body is the beginning of the records' length bytes.
func (s *Scanner) nameRuns(body []byte, length int) error {
	b := &s.block
	header := b.header // runs are taken off a copy
	for at := 0; at < length && (len(b.Runs) < header.Topics || header.Topics == 0); {
		topic, n, err := format.PeekRecord(body[min(at, len(body)):])
		if err != nil {
			return err
		}
		if at+n > length {
			return format.ErrLength
		}
		switch {
		case len(topic) == 1 && topic[0] < format.ControlTopicEnd:
			if at+n > len(body) {
				return format.ErrShort
			}
			err = s.addControl(body[at : at+n])
		case s.runOf(topic) < 0:
			err = s.addRun(&header, topic)
		}
		if err != nil {
			return err
		}
		at += n
	}
	if len(b.Runs) < header.Topics {
		return format.ErrLength
	}
	return nil
}

func (s *Scanner) addRun(header *format.Header, topic []byte) error {
	if len(s.block.Runs) >= header.Topics {
		return format.ErrLength
	}
	run, err := header.NextRun()
	if err != nil {
		return err
	}
	s.addName(topic)
	s.block.Runs = append(s.block.Runs, Run{
		Topic: topic, Offset: run.Offset, Records: run.Records, ValueBytes: run.ValueBytes,
	})
	return nil
}

func (s *Scanner) addControl(record []byte) error {
	r, _, err := format.ParseRecord(record)
	if err == nil {
		err = format.CheckRecord(record)
	}
	if err != nil {
		return err
	}
	s.block.Controls = append(s.block.Controls, Control{r.Topic[0], r.Value})
	if r.Topic[0] == format.TopicTombstone {
		s.block.Sealed = true
	}
	return nil
}

// countRecords walks over all records of a block without a header.
func (s *Scanner) countRecords(body []byte) error {
	b := &s.block
	for len(body) > 0 {
		record, n, err := format.ParseRecord(body)
		if err != nil {
			return err
		}
		if err := format.CheckRecord(body); err != nil {
			return err
		}
		if _, control := record.Control(); control {
			if err := s.addControl(body[:n]); err != nil {
				return err
			}
		} else {
			i := s.runOf(record.Topic)
			if i < 0 {
				i = len(b.Runs)
				s.addName(record.Topic)
				b.Runs = append(b.Runs, Run{Topic: record.Topic})
			}
			b.Runs[i].Records++
			b.Runs[i].ValueBytes += uint64(len(record.Value))
		}
		body = body[n:]
	}
	return nil
}

// runsLinear is how many topics of a block are looked through one by one.
const runsLinear = 8

// runOf returns the index of the topic's run, or -1.
func (s *Scanner) runOf(topic []byte) int {
	runs := s.block.Runs
	if len(runs) > runsLinear {
		if i, ok := s.names[string(topic)]; ok {
			return i
		}
		return -1
	}
	for i := len(runs) - 1; i >= 0; i-- {
		if string(runs[i].Topic) == string(topic) {
			return i
		}
	}
	return -1
}

// addName prepares runOf for a topic that becomes the next run.
func (s *Scanner) addName(topic []byte) {
	runs := s.block.Runs
	switch {
	case len(runs) < runsLinear:
		return
	case s.names == nil:
		s.names = make(map[string]int)
	}
	if len(runs) == runsLinear {
		for i := range runs {
			s.names[string(runs[i].Topic)] = i
		}
	}
	s.names[string(topic)] = len(runs)
}

// Body returns the records of the block that Next returned last, checked. It is valid until the
// scanner's next call; so is the Block, which may have been decoded again.
func (s *Scanner) Body() ([]byte, error) {
	b := &s.block
	s.bodyRead = true
	checked := s.Full || !b.Header
	if !s.win.has(b.Pos, int(b.End-b.Pos)) {
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

// Skips returns the skips of a sparse block: NextSkip of the header gives one for each record.
func (b *Block) Skips() (format.Header, error) {
	h := b.header
	for range h.Topics {
		if _, err := h.NextRun(); err != nil {
			return h, err
		}
	}
	return h, nil
}

// damage turns a flaw of the block at hand, which was sound at first sight, into a *DamageError.
func (s *Scanner) damage(err error) error {
	var f *flaw
	if !errors.As(err, &f) {
		return err
	}
	return &DamageError{Segment: s.order, Pos: s.block.Pos, End: s.block.End, Reason: f.reason}
}
