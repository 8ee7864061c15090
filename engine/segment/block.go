package segment

import (
	"errors"
	"fmt"
	"hash/maphash"

	"purofs/engine/format"
)

// A Run is the part of a block that one topic has in it.
type Run struct {
	Topic []byte
	// Offset is that of the topic's first record in the block; without a header it is not known
	// (Block.Header is false) and must be counted on.
	Offset     uint64
	Records    uint64
	ValueBytes uint64
	// Skipped is how many offsets, of those behind Offset, belong to records that are gone; 0 but in a
	// sparse block.
	Skipped uint64
}

// Next is the offset behind the run.
func (r *Run) Next() uint64 { return r.Offset + r.Records + r.Skipped }

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

// Skips returns the skips of a sparse block: NextSkip of the header gives one for each record.
func (b *Block) Skips() (format.Header, error) { return b.header.Skips() }

// headBytes is how much of a block is looked at first: enough for its header and its first topic.
const headBytes = 512

// parseInside decodes what stands between the start record and the end record of a block that
// checkEnd did not read whole.
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

// decode decodes a block of which view is the beginning. If that is not enough the error is
// ErrShort. All that it finds points into view.
func (s *Scanner) decode(view []byte, length int) error {
	b := &s.block
	b.Runs, b.Controls, b.Sealed, b.Sparse = b.Runs[:0], b.Controls[:0], false, false
	if len(s.names) > 0 {
		clear(s.names)
	}
	b.body = format.StartBytes
	n, err := b.header.Read(view[b.body:])
	if err != nil {
		return err
	}
	b.Header = n > 0
	if !b.Header {
		if len(view) < length {
			return format.ErrShort
		}
		if format.HeaderSpoiled(view[b.body:length]) {
			return errors.New("a bit of its header is wrong")
		}
		return s.countRecords(view[b.body:])
	}
	b.body += n
	if b.body > length {
		return format.ErrLength
	}
	b.Time, b.Sparse = b.header.Time, b.header.Sparse
	if s.Full {
		if err := b.header.CheckCRC(view[b.body:length]); err != nil {
			return fmt.Errorf("its CRC-32C: %w", err)
		}
	}
	if err := s.nameRuns(view[b.body:], length-b.body); err != nil || !b.Sparse {
		return err
	}
	if len(view) < length {
		return format.ErrShort
	}
	return s.countSkips(view[b.body:length])
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

// countSkips walks over all records of a sparse block, whose skips are those of its topics mixed.
func (s *Scanner) countSkips(body []byte) error {
	skips, err := s.block.Skips()
	if err != nil {
		return err
	}
	for len(body) > 0 {
		record, n, err := format.ParseRecord(body)
		if err != nil {
			return err
		}
		body = body[n:]
		if _, control := record.Control(); control {
			continue
		}
		i := s.runOf(record.Topic)
		if i < 0 {
			return format.ErrLength
		}
		skip, err := skips.NextSkip()
		if err != nil {
			return err
		}
		if s.block.Runs[i].Skipped += skip; s.block.Runs[i].Skipped > format.OffsetMax {
			return format.ErrLength
		}
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

// namesSeed is of the hashes in Scanner.names.
var namesSeed = maphash.MakeSeed()

// RunOf returns the index in Runs of a topic of the block that Next returned last, -1 if the block
// has no such topic.
func (s *Scanner) RunOf(topic []byte) int { return s.runOf(topic) }

// runOf returns the index of the topic's run, or -1.
func (s *Scanner) runOf(topic []byte) int {
	runs := s.block.Runs
	if len(runs) > runsLinear {
		i, ok := s.names[maphash.Bytes(namesSeed, topic)]
		if !ok {
			return -1
		}
		if string(runs[i].Topic) == string(topic) {
			return i
		}
		// Two topics of one hash: the map has only one of them.
	}
	for i := len(runs) - 1; i >= 0; i-- {
		if string(runs[i].Topic) == string(topic) {
			return i
		}
	}
	return -1
}

// addName prepares runOf for a topic that becomes the next run. The map has hashes instead of names
// because a key of its own for each name would be allocated for each block.
func (s *Scanner) addName(topic []byte) {
	runs := s.block.Runs
	switch {
	case len(runs) < runsLinear:
		return
	case s.names == nil:
		s.names = make(map[uint64]int)
	}
	if len(runs) == runsLinear {
		for i := range runs {
			s.names[maphash.Bytes(namesSeed, runs[i].Topic)] = i
		}
	}
	s.names[maphash.Bytes(namesSeed, topic)] = len(runs)
}
