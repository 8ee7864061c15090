package format

import "errors"

// Errors of decoding. ErrShort alone may be cured by more bytes.
var (
	// ErrShort means that the bytes end before what they begin.
	ErrShort = errors.New("the bytes end too early")
	// ErrVarint means a varint of more bytes than allowed.
	ErrVarint = errors.New("a varint is too long")
	// ErrLength means lengths that contradict each other or a limit.
	ErrLength = errors.New("lengths do not fit together")
	// ErrCheck means that a check does not match the bytes that it covers.
	ErrCheck = errors.New("the check does not match")
	// ErrKind means that a well-formed record is not of the kind that belongs here.
	ErrKind = errors.New("not the record that belongs here")
	// ErrVersion means that the bytes need a newer program to read them.
	ErrVersion = errors.New("written by a newer version of purofs: upgrade to read it")
)
