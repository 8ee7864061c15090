package nodes

import (
	"errors"
	"fmt"

	"purofs/engine"
	"purofs/nodes/codec"
)

// A formatReader makes the text of a topic in a format in which the log does not know the places of
// records: where the file begins is the place 0, and the places of records are found by going over
// them. It can go back to any place that it was at, since a record always makes the same bytes. Of
// the text only a small last read is kept. It is used by one goroutine at a time.
//
// What was lost, to damage or to retention, is told once, behind the last record before it. The
// text goes on at the same place with what comes after it.
type formatReader struct {
	log    Log
	topic  string
	format codec.Format // in the raw one a read gives bytes of one record only
	text   *codec.Text

	reader Reader // nil if there is none yet, or none any more
	atEnd  bool   // the reader has said that there is no more: then it holds nothing
	held   bool   // text is that of the record at; the reader stands behind it
	at     mark   // the record held or, if none is, the next one
	front  mark   // the furthest at so far
	marks  markSet
	// shared knows the places of records in the file as it is without losses: it is nil once there
	// was one, and for raw.
	shared *textSize

	told    uint64 // 1 more than the record before which something was lost, as was told last
	pending error  // that something was lost just before front: the read there is told

	recent recentRead // up to where at is, and the record held was read
}

// newFormatReader returns a reader of the records from an offset on.
func newFormatReader(log Log, tp *topic, f codec.Format, first uint64) *formatReader {
	r := &formatReader{log: log, topic: tp.name, format: f, text: codec.NewText(f)}
	if f != codec.Raw {
		r.shared = &tp.sizes[f]
	}
	r.begin(mark{record: first})
	return r
}

// begin has the file begin, or go on, at a place with another record than it would.
func (r *formatReader) begin(m mark) {
	r.close()
	r.at, r.front = m, m
	r.marks.reset(m, openMarksMax)
}

// read reads from place on and returns how much it got: 0 if there is nothing yet, and then at is
// the record that is to come. buffer, which gives room, is called only if there is something to
// read. With whole set, a record that does not fit into the rest of the buffer is left for the next
// read, unless it is the first. info is what the log knew of the topic before.
//
// An error means that nothing was read. It is errBeyondEnd for a place that is not there.
func (r *formatReader) read(
	buffer func() []byte, place uint64, whole bool, info *engine.TopicInfo,
) (int, error) {
	var buf []byte
	n := 0
	if r.recent.holds(place) {
		buf = buffer()
		n = r.recent.again(buf, place)
	}
	var err error
	if buf == nil || n < len(buf) {
		var found bool
		if found, err = r.seek(place+uint64(n), info); found {
			if buf == nil {
				buf = buffer()
			}
			n, err = r.fill(buf, n, place, whole, info)
		}
	}
	if n == 0 {
		if err != nil && err == r.pending {
			r.pending = nil // it is told now
		}
		return 0, err
	}
	if r.format != codec.Raw {
		r.recent.remember(buf[:n], place)
	}
	return n, nil // an error is met again by the next read
}

// fill reads behind the first n bytes of buf, which was read at place, from the record held on.
func (r *formatReader) fill(
	buf []byte, n int, place uint64, whole bool, info *engine.TopicInfo,
) (int, error) {
	for n < len(buf) {
		if !r.held {
			if found, err := r.next(info); !found || err != nil {
				return n, err
			}
		}
		skip := place + uint64(n) - r.at.place
		copied := r.text.Copy(buf[n:], skip)
		if !r.text.AtEnd() {
			if whole && n > 0 && skip == 0 {
				return n, nil
			}
			return n + copied, nil
		}
		n += copied
		r.leave(r.text.Place())
		if r.format == codec.Raw && n > 0 {
			break
		}
	}
	return n, nil
}

// seek goes to the record that holds the byte at place, and tells whether it is there. If it is
// not, then place is the end of what is there yet.
func (r *formatReader) seek(place uint64, info *engine.TopicInfo) (bool, error) {
	if r.held && r.at.place <= place && place-r.at.place <= r.text.Place() {
		err := r.blocked()
		return err == nil, err
	}
	if err := r.approach(place, info); err != nil {
		return false, err
	}
	for {
		if !r.held {
			found, err := r.next(info)
			if err == nil && !found && place > r.at.place {
				err = errBeyondEnd
			}
			if !found || err != nil {
				return false, err
			}
		}
		size := r.text.Len()
		if place-r.at.place < size {
			return true, nil
		}
		r.leave(size)
	}
}

// approach has the reader stand at a record that is not behind place.
func (r *formatReader) approach(place uint64, info *engine.TopicInfo) error {
	m, ok := r.nearest(place, info)
	if !ok {
		return errBeyondEnd
	}
	moved := m != r.at
	if moved {
		r.at, r.held = m, false
		r.advance()
	}
	if !r.held && r.at.record < info.First {
		r.begin(mark{place: place, record: info.First})
		r.pending = errOvertaken
		return errOvertaken
	}
	from := engine.AtOffset(r.at.record)
	switch {
	case r.reader == nil:
		reader, err := r.log.OpenReader(r.topic, from)
		if err != nil {
			return err
		}
		r.reader = reader
	case moved:
		if err := r.reader.Seek(from); err != nil {
			r.close()
			return err
		}
	}
	return nil
}

// nearest returns the nearest known place of a record that is not behind place. There is none if
// place is before the beginning of the file.
func (r *formatReader) nearest(place uint64, info *engine.TopicInfo) (mark, bool) {
	m, ok := r.at, r.at.place <= place
	better := func(other mark) {
		if other.place <= place && (!ok || other.place > m.place) {
			m, ok = other, true
		}
	}
	if ok && place-m.place < nearMarkBytes {
		return m, true // so that reading on asks no further
	}
	better(r.front)
	if own, found := r.marks.before(place); found {
		better(own)
	}
	if r.shared != nil && (!ok || place-m.place >= nearMarkBytes) {
		other, found := r.shared.nearest(r.log, r.topic, r.format, r.marks.first, place, info)
		if found {
			better(other)
		}
	}
	return m, ok
}

// next gets the next record and tells whether there is one.
func (r *formatReader) next(info *engine.TopicInfo) (bool, error) {
	for {
		if err := r.blocked(); err != nil {
			return false, err
		}
		record, err := r.reader.TryNext()
		r.atEnd = errors.Is(err, engine.ErrNoRecord)
		switch {
		case r.atEnd && r.at.record < info.Next: // which were there when info was asked for
			r.lose(info.Next, nil)
			continue
		case r.atEnd:
			return false, nil
		case errors.Is(err, engine.ErrDamaged):
			r.lose(r.at.record, err)
			continue
		case err != nil:
			return false, err
		case record.Offset > r.at.record:
			r.lose(record.Offset, nil)
		}
		r.text.Set(record.Offset, record.Time, record.Key, record.Value)
		r.held = true
		err = r.blocked()
		return err == nil, err
	}
}

// lose takes note that the next record is that with the offset next, because of err if that is
// known. Who goes over the place again is not told again.
func (r *formatReader) lose(next uint64, err error) {
	if err == nil {
		err = fmt.Errorf("%w: the topic goes on at record %d", errLost, next)
	}
	atFront := r.at.record == r.front.record
	if atFront && r.told != r.at.record+1 {
		r.told, r.pending = r.at.record+1, err
	}
	r.at.record, r.shared = next, nil
	if atFront {
		r.front.record = next
	}
}

// blocked is what has to be told before the record at is read.
func (r *formatReader) blocked() error {
	if r.at != r.front {
		return nil
	}
	return r.pending
}

// leave goes on to the record behind the one held, whose text has size bytes.
func (r *formatReader) leave(size uint64) {
	r.at, r.held = mark{r.at.place + size, r.at.record + 1}, false
	r.advance()
}

// advance takes note of how far the file was read.
func (r *formatReader) advance() {
	if r.at.record > r.front.record {
		r.front = r.at
		r.marks.add(r.at)
	}
}

// readable tells whether a read at place would return at once. next is the offset of the record
// with which there is more to read.
func (r *formatReader) readable(place uint64, info *engine.TopicInfo) (next uint64, ready bool) {
	switch {
	case place != r.front.place:
		return info.Next, true
	case info.Next <= r.front.record:
		return r.front.record, r.pending != nil
	case r.format != codec.Raw:
		return info.Next, true
	}
	found, err := r.seek(place, info) // for an empty record has no bytes to read
	if found || err != nil {
		return info.Next, true
	}
	return r.at.record, false
}

// rest gives back what is held for reading on. A reader at its end stays where it is, so that what
// comes next is found without a search.
func (r *formatReader) rest() {
	if !r.atEnd {
		r.close()
	}
	r.recent.forget()
	r.text.Clear()
}

// close gives everything back. The next read searches its place again.
func (r *formatReader) close() {
	if r.reader != nil {
		r.reader.Close()
	}
	r.reader, r.held, r.atEnd = nil, false, false
	r.recent.forget()
	r.text.Clear()
}
