package engine

import "time"

// A Status is the state of a log at one moment, for people and monitors.
type Status struct {
	Dir          string    `json:"store"`
	Sync         string    `json:"sync"`
	Segments     int       `json:"segments"`      // segment files, the active one included
	SegmentBytes int64     `json:"segment_bytes"` // size at which a segment is ended
	Bytes        int64     `json:"bytes"`         // of all segments together
	Topics       int       `json:"topics"`
	Records      uint64    `json:"records"`  // of all topics together
	Readers      int       `json:"waiting"`  // readers that wait for a record
	Healthy      bool      `json:"healthy"`  // false once a sync failed
	Troubles     uint64    `json:"troubles"` // damage and I/O errors since the log was opened
	Opened       time.Time `json:"opened"`
}

// A Trouble is a damaged place or an I/O error that the log met.
type Trouble struct {
	Time    time.Time
	Segment uint32 // its number
	Pos     int64  // byte position in the segment, -1 if it is about none
	Text    string
}
