package nodes

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"purofs/engine"
)

// A topicText is what the file info of a topic says.
type topicText struct {
	Topic     string     `json:"topic"`
	First     uint64     `json:"first"` // offset of the oldest record
	Next      uint64     `json:"next"`  // offset of the record to come
	Records   uint64     `json:"records"`
	Bytes     uint64     `json:"bytes"`                // of the file log
	FirstTime *time.Time `json:"first_time,omitempty"` // of the oldest record
	LastTime  *time.Time `json:"last_time,omitempty"`  // of the newest record, or the making
	UID       uint32     `json:"uid"`
	GID       uint32     `json:"gid"`
	Mode      string     `json:"mode"` // octal
}

func (t *Tree) openInfo(tp *topic) (*contentHandle, error) {
	info, err := t.info(tp)
	if err != nil {
		return nil, err
	}
	text := topicText{
		Topic: info.Name, First: info.First, Next: info.Next, Records: info.Next - info.First,
		Bytes: info.NextText - info.FirstText,
		UID:   info.UID, GID: info.GID, Mode: fmt.Sprintf("%04o", info.Mode),
	}
	if text.FirstTime, err = t.firstTime(&info); err != nil {
		return nil, err
	}
	if !info.Time.IsZero() {
		last := info.Time.UTC()
		text.LastTime = &last
	}
	return newContent(text)
}

// firstTime returns the time of a topic's oldest record, nil if there is none that can be read.
func (t *Tree) firstTime(info *engine.TopicInfo) (*time.Time, error) {
	if info.First == info.Next {
		return nil, nil
	}
	reader, err := t.log.OpenReader(info.Name, engine.Start())
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	record, err := reader.TryNext()
	switch {
	case errors.Is(err, engine.ErrNoRecord), errors.Is(err, engine.ErrDamaged):
		return nil, nil
	case err != nil:
		return nil, err
	}
	first := record.Time.UTC()
	return &first, nil
}

// newContent returns a file with v as JSON.
func newContent(v any) (*contentHandle, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	return &contentHandle{text: append(text, '\n')}, nil
}
