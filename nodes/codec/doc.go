// Package codec translates between records and the bytes of the tree's files.
//
// Each format has two sides. A Splitter belongs to one open append file and cuts what is written to
// it into records; it carries what no record could be made of yet. Rendering turns a record into
// bytes of a read file: for a format whose bytes can be counted beforehand, as an append to a
// buffer from any byte of the record on, so that a reply is filled in place and to the last byte.
//
// This package holds the plain format, in which a record is its value and a newline: Lines and
// CopyLine. It knows nothing of FUSE and does no I/O. A Splitter is used by one goroutine at a
// time.
package codec

import "errors"

// ErrTooLong is returned for a record over the limit. What the handle carried of it is dropped, and
// nothing of the write that met the limit is to be stored.
var ErrTooLong = errors.New("the record is over the mount's limit (see the option max_record)")

// A Sink takes the records that a Splitter finds.
type Sink interface {
	// Add takes one record, whose value is head and tail joined. Nothing is retained of the
	// arguments. There are two parts, rather than any number, so that a call through this interface
	// allocates nothing.
	Add(key, head, tail []byte)
}

// A Splitter cuts the bytes that are written to one handle into records.
//
// A write is first split and then, if its records were stored, kept. Until Keep is called the
// Splitter remembers nothing of it, so a write that could not be stored leaves no trace.
type Splitter interface {
	// Split adds every record that data completes to sink. The error matches ErrTooLong if a record
	// is over the limit; what was added until then is not to be stored.
	Split(data []byte, sink Sink) error
	// Keep takes note that the last Split was stored. Its data must still be valid.
	Keep()
	// End adds the record that was begun but not ended, if there is one, and tells whether it did.
	End(sink Sink) bool
	// Drop forgets the record that was begun: after End, because it was stored or given up.
	Drop()
	// Carried is the number of bytes held of a record that was begun.
	Carried() int
	// Pending is what Carried will be after Keep.
	Pending() int
}
