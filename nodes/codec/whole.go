package codec

// Whole is the Splitter of the raw format: all that is written until End is one record, of any
// bytes. If nothing was written there is none. What would make it longer than the limit is refused,
// and so is everything after that until End.
type Whole struct {
	valueBytes int
	carry      []byte
	rest       []byte // of the last Split, to be kept
	refusal    error  // why the record was given up, and so is the rest of it
}

// Split implements Splitter; no write completes a record.
func (w *Whole) Split(data []byte, _ Sink) error {
	w.rest = nil
	if w.refusal == nil && len(w.carry)+len(data) > w.valueBytes {
		w.Refuse(ErrTooLong)
	}
	if w.refusal == nil {
		w.rest = data
	}
	return w.refusal
}

// Refuse gives up the record for a reason of the caller's, which Split returns until End.
func (w *Whole) Refuse(reason error) {
	w.Drop()
	w.refusal = reason
}

// Keep implements Splitter.
func (w *Whole) Keep() {
	w.carry = append(w.carry, w.rest...)
	w.rest = nil
}

// End implements Splitter.
func (w *Whole) End(sink Sink) (bool, error) {
	w.refusal = nil
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
