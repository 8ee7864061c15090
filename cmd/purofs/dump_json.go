package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"purofs/engine"
)

// A dumpJSON prints a dump as JSON, one object a line.
type dumpJSON struct {
	encoder *json.Encoder
	full    bool
}

func newDumpJSON(out *bufio.Writer, full bool) *dumpJSON {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return &dumpJSON{encoder, full}
}

// dumpTime is a time as a dump shows it.
func dumpTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func (d *dumpJSON) segment(path string, size int64) error {
	return d.encoder.Encode(struct {
		Kind string `json:"kind"`
		Path string `json:"path"`
		Size int64  `json:"size"`
	}{"segment_file", path, size})
}

// A pieceLine is a piece of a segment as JSON.
type pieceLine struct {
	Kind   engine.PieceKind `json:"kind"`
	Pos    int64            `json:"pos"`
	Length int64            `json:"length"`
	Reason string           `json:"reason,omitempty"`
	Header *headerLine      `json:"header,omitempty"`
}

// A headerLine is a block's header as JSON.
type headerLine struct {
	Time   string    `json:"time"`
	CRC    string    `json:"crc32c"`
	CRCOK  bool      `json:"crc32c_ok"`
	Sparse bool      `json:"sparse,omitempty"`
	Topics []runLine `json:"topics"`
}

type runLine struct {
	Offset     uint64 `json:"offset"`
	Records    uint64 `json:"records"`
	ValueBytes uint64 `json:"value_bytes"`
}

func (d *dumpJSON) piece(p *engine.Piece) error {
	line := pieceLine{Kind: p.Kind, Pos: p.Pos, Length: p.End - p.Pos, Reason: p.Reason}
	if p.HasHeader {
		line.Header = &headerLine{
			Time:   dumpTime(p.Header.Time),
			CRC:    fmt.Sprintf("%08x", p.Header.CRC),
			CRCOK:  p.Header.CRCOK,
			Sparse: p.Header.Sparse,
			Topics: []runLine{},
		}
		for _, run := range p.Header.Runs {
			line.Header.Topics = append(line.Header.Topics, runLine(run))
		}
	}
	return d.encoder.Encode(line)
}

// A dumpLine is a record as JSON. Of each pair of members that hold bytes, one is there: the text,
// or the bytes if they are not UTF-8.
type dumpLine struct {
	Kind        string          `json:"kind"`
	Pos         int64           `json:"pos"`
	Length      int64           `json:"length"`
	CheckOK     bool            `json:"check_ok"`
	Topic       *string         `json:"topic,omitempty"`
	TopicBase64 []byte          `json:"topic_base64,omitempty"`
	Offset      *int64          `json:"offset,omitempty"`
	Key         *string         `json:"key,omitempty"`
	KeyBase64   []byte          `json:"key_base64,omitempty"`
	Value       *string         `json:"value,omitempty"`
	ValueBase64 []byte          `json:"value_base64,omitempty"`
	ValueBytes  int             `json:"value_bytes"` // also if the value is cut off
	Segment     *dumpSegment    `json:"segment,omitempty"`
	Change      *dumpTopicState `json:"change,omitempty"`
	Lost        string          `json:"lost,omitempty"`
}

// A dumpSegment is a segment header as JSON.
type dumpSegment struct {
	Store   string           `json:"store"`
	Segment uint32           `json:"segment"`
	Time    string           `json:"time"`
	Topics  int              `json:"topics"`
	States  []dumpTopicState `json:"topic_states,omitempty"` // with --full
}

// A dumpTopicState is a topic, or a change of it, as JSON.
type dumpTopicState struct {
	Topic       *string `json:"topic,omitempty"`
	TopicBase64 []byte  `json:"topic_base64,omitempty"`
	Op          string  `json:"op,omitempty"` // set, delete
	Next        *uint64 `json:"next,omitempty"`
	Text        *uint64 `json:"text,omitempty"`
	Mode        string  `json:"mode"`
	UID         uint32  `json:"uid"`
	GID         uint32  `json:"gid"`
}

func (d *dumpJSON) record(r *engine.PieceRecord) error {
	line := dumpLine{
		Kind: "record", Pos: r.Pos, Length: r.End - r.Pos, CheckOK: r.Check,
		ValueBytes: len(r.Value), Lost: r.Lost,
	}
	switch {
	case r.Control < 0:
		line.Topic, line.TopicBase64 = textOrBytes(r.Topic)
		line.Key, line.KeyBase64 = d.cut(r.Key)
		if r.Offset >= 0 {
			line.Offset = &r.Offset
		}
		line.Value, line.ValueBase64 = d.cut(r.Value)
	case r.Segment != nil:
		line.Kind, line.Segment = controlName(r.Control), d.segmentHeader(r.Segment)
	case r.Change != nil:
		line.Kind = controlName(r.Control)
		change := dumpTopicState{
			Op: "set", Mode: fmt.Sprintf("%04o", r.Change.Attr.Mode),
			UID: r.Change.Attr.UID, GID: r.Change.Attr.GID,
		}
		if r.Change.Delete {
			change.Op = "delete"
		}
		change.Topic, change.TopicBase64 = textOrBytes([]byte(r.Change.Name))
		line.Change = &change
	default:
		line.Kind = controlName(r.Control)
		if r.Lost == "" {
			line.Value, line.ValueBase64 = d.cut(r.Value)
		}
	}
	return d.encoder.Encode(line)
}

func (d *dumpJSON) segmentHeader(s *engine.SegmentInfo) *dumpSegment {
	line := &dumpSegment{
		Store: hex.EncodeToString(s.StoreID[:]), Segment: s.Order, Time: dumpTime(s.Time),
		Topics: len(s.Topics),
	}
	if !d.full {
		return line
	}
	for i := range s.Topics {
		t := &s.Topics[i]
		state := dumpTopicState{
			Next: &t.Next, Text: &t.NextText, Mode: fmt.Sprintf("%04o", t.Mode), UID: t.UID, GID: t.GID,
		}
		state.Topic, state.TopicBase64 = textOrBytes([]byte(t.Name))
		line.States = append(line.States, state)
	}
	return line
}

// cut returns what is shown of a key or a value.
func (d *dumpJSON) cut(b []byte) (text *string, bytes []byte) {
	if !d.full && len(b) > dumpValueBytesMax {
		end := dumpValueBytesMax
		for utf8.Valid(b) && !utf8.RuneStart(b[end]) {
			end--
		}
		b = b[:end]
	}
	return textOrBytes(b)
}

// textOrBytes returns text as text and other bytes as bytes.
func textOrBytes(b []byte) (text *string, bytes []byte) {
	if utf8.Valid(b) {
		s := string(b)
		return &s, nil
	}
	return nil, b
}

func (d *dumpJSON) noRecord(at, end int64, why error) error {
	return d.encoder.Encode(pieceLine{
		Kind: "no_record", Pos: at, Length: end - at, Reason: why.Error(),
	})
}

func (d *dumpJSON) bytes(at int64, b []byte) error {
	return d.encoder.Encode(struct {
		Kind   string `json:"kind"`
		Pos    int64  `json:"pos"`
		Length int    `json:"length"`
		Hex    string `json:"hex"`
	}{"bytes", at, len(b), hex.EncodeToString(b)})
}
