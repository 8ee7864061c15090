package engine

import "time"

// A Record is one entry of a topic as a Reader yields it. Key and Value are valid until the
// reader's next call; copy what has to live longer.
type Record struct {
	Offset uint64    // its number in the topic, dense from 0
	Time   time.Time // when its block was written
	Key    []byte    // empty if it has none
	Value  []byte
}
