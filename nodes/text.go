package nodes

import (
	"errors"
	"fmt"

	"purofs/engine"
	"purofs/nodes/codec"
)

// A textReader renders the plain text of a topic from any place of it. It keeps the log's reader
// where the last read ended, so that reading on costs no search; rest gives back the buffers that
// the reader holds. It is used by one goroutine at a time.
type textReader struct {
	log   Log
	topic string

	reader Reader // nil until the first read
	atEnd  bool   // the reader has said that there is no more: then it holds nothing
	held   bool   // a part of the reader's last record is still to be read
	value  []byte // of the record held, valid until the reader's next call
	start  uint64 // of the record held: its place in the text

	pending error // met behind bytes that were delivered: the next read is told

	recent recentRead // up to where the reader stands
}

// read fills buf with the text from place on and returns how much it got: 0 if there is nothing
// yet. place is not behind the end of the text. With whole set, a record that does not fit into the
// rest of buf is left for the next read, unless it is the first.
//
// An error means that nothing was read. One that matches engine.ErrDamaged is returned once; after
// it, lost tells where sound text begins. errLost is returned for a place whose bytes are lost for
// good.
func (t *textReader) read(buf []byte, place uint64, whole bool) (int, error) {
	n := t.recent.again(buf, place)
	n, err := t.fill(buf, n, place, whole)
	t.recent.remember(buf[:n], place)
	return n, err
}

// fill is read behind the first n bytes, which buf has already.
func (t *textReader) fill(buf []byte, n int, place uint64, whole bool) (int, error) {
	if n == len(buf) {
		return n, nil
	}
	if err := t.seek(place + uint64(n)); err != nil {
		if n > 0 {
			return n, nil // the next read will be told
		}
		return 0, err
	}
	for n < len(buf) {
		if !t.held {
			n += t.lines(buf[n:], place+uint64(n))
			found, err := t.next()
			if err != nil && n > 0 {
				t.pending = err
				return n, nil
			}
			if !found || err != nil {
				return n, err
			}
		}
		at := place + uint64(n)
		if t.start > at {
			return n, t.lostBefore(n)
		}
		skip := at - t.start
		left := codec.LineBytes(t.value) - skip
		if whole && n > 0 && left > uint64(len(buf)-n) {
			return n, nil
		}
		copied := codec.CopyLine(buf[n:], t.value, skip)
		n += copied
		t.held = uint64(copied) < left
	}
	return n, nil
}

// lines gets the whole lines from place on that the reader has at hand.
func (t *textReader) lines(buf []byte, place uint64) int {
	if t.pending != nil || t.reader.Text() != place {
		return 0
	}
	return t.reader.Lines(buf)
}

// seek goes to the record that holds the byte at place, unless the reader stands there.
func (t *textReader) seek(place uint64) error {
	if t.reader == nil {
		reader, err := t.log.OpenReader(t.topic, engine.AtText(place))
		if err != nil {
			return err
		}
		t.reader = reader
		return nil
	}
	switch {
	case t.held && t.start <= place && place-t.start < codec.LineBytes(t.value):
		return nil
	case !t.held && t.reader.Text() == place:
		return nil
	}
	t.held, t.atEnd, t.pending = false, false, nil
	return t.reader.Seek(engine.AtText(place))
}

// next gets the next record, if there is one.
func (t *textReader) next() (bool, error) {
	if err := t.pending; err != nil {
		t.pending = nil
		return false, err
	}
	record, err := t.reader.TryNext()
	t.atEnd = errors.Is(err, engine.ErrNoRecord)
	switch {
	case t.atEnd:
		return false, nil
	case err != nil:
		return false, err
	}
	t.value, t.held = record.Value, true
	// Reckoned from the end, which is right also where the text in between was lost.
	t.start = t.reader.Text() - codec.LineBytes(record.Value)
	return true, nil
}

// lostBefore is the error of a read that finds no bytes at its place; one that delivered some
// already comes back for it.
func (t *textReader) lostBefore(delivered int) error {
	if delivered > 0 {
		return nil
	}
	return fmt.Errorf("%w: the topic goes on %d bytes into its text", errLost, t.start)
}

// sound returns where the text goes on: what was lost between place and there stays lost.
func (t *textReader) sound(place uint64) uint64 {
	switch {
	case t.reader == nil:
		return place
	case t.held:
		return max(place, t.start)
	}
	return max(place, t.reader.Text())
}

// rest gives back what is held for reading on. A reader at its end stays where it is, so that what
// comes next is found without a search.
func (t *textReader) rest() {
	t.recent.forget()
	if t.reader != nil && !t.atEnd {
		t.close()
	}
}

// close gives everything back. The next read searches its place again.
func (t *textReader) close() {
	if t.reader != nil {
		t.reader.Close()
	}
	*t = textReader{log: t.log, topic: t.topic}
}
