// Package codec translates between records and the bytes of the tree's files.
//
// There are four formats, and each has two sides. A Splitter belongs to one open append file and
// cuts what is written to it into records; it carries what no record could be made of yet. The
// other way, a Text is the bytes that a record makes in a file, which are copied from any byte of
// them on, so that a reply is filled in place and to the last byte, and nothing is kept of them.
// The same record always makes the same bytes. For the plain format, whose text can be counted
// beforehand, CopyLine does the same and nothing else.
//
//	Plain   value NEWLINE
//	JSONL   {"offset":42,"time":"2026-11-22T10:00:00.123456789Z","key":"k","value":"v"} NEWLINE
//	TSV     key TAB value NEWLINE, with \t \n \r \\ for these four bytes
//	Raw     value; what is written is one record from its beginning to its end
//
// What JSONL and TSV make of a record gives the same key and value when it is written again,
// whatever bytes they are.
//
// The package knows nothing of FUSE and does no I/O. A Splitter and a Text are used by one
// goroutine at a time.
package codec

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
	// is over the limit, and ErrSyntax if one cannot be read; what was added until then is not to
	// be stored.
	Split(data []byte, sink Sink) error
	// Keep takes note that the last Split was stored. Its data must still be valid.
	Keep()
	// End adds the record that was begun but not ended, if there is one, and tells whether it did.
	// Errors are those of Split.
	End(sink Sink) (bool, error)
	// Drop forgets the record that was begun: after End, because it was stored or given up.
	Drop()
	// Carried is the number of bytes held of a record that was begun.
	Carried() int
	// Pending is what Carried will be after Keep.
	Pending() int
}
