package codec

// Whole is the Splitter of the raw format: all that is written until End is one record, of any
// bytes. If nothing was written there is none. What would make it longer than the limit is refused,
// and so is everything after that until End.
type Whole struct {
	valueBytes int
	carry      []byte
	rest       []byte // of the last Split, to be kept
	refusing   bool
}

// Split implements Splitter; no write completes a record.
func (w *Whole) Split(data []byte, _ Sink) error {
	w.rest = nil
	if w.refusing || len(w.carry)+len(data) > w.valueBytes {
		w.Refuse()
		return ErrTooLong
	}
	w.rest = data
	return nil
}

// Refuse gives up the record, as if it was too long.
func (w *Whole) Refuse() {
	w.Drop()
	w.refusing = true
}

// Keep implements Splitter.
func (w *Whole) Keep() {
	w.carry = append(w.carry, w.rest...)
	w.rest = nil
}

// End implements Splitter.
func (w *Whole) End(sink Sink) (bool, error) {
	w.refusing = false
	if len(w.carry) == 0 {
		return false, nil
	}
	sink.Add(nil, w.carry, nil)
	return true, nil
}

// Drop implements Splitter.
func (w *Whole) Drop() { w.carry, w.rest = nil, nil }

// Carried implements Splitter.
func (w *Whole) Carried() int { return len(w.carry) }

// Pending implements Splitter.
func (w *Whole) Pending() int { return len(w.carry) + len(w.rest) }
