package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"purofs/engine/format"
)

// Topics returns the topics there are now, by name. A log that cannot be looked at gives what was
// last known of it.
func (l *Log) Topics() []TopicInfo {
	l.mu.Lock()
	defer l.unlockAndWake()
	_ = l.look()
	infos := make([]TopicInfo, 0, l.table.live)
	for _, s := range l.table.topics {
		if s.exists {
			infos = append(infos, s.info())
		}
	}
	slices.SortFunc(infos, func(a, b TopicInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos
}

// Topic returns what is known of a topic now. The error is ErrNoTopic, ErrClosed, ErrVanished, or
// that of the file system.
func (l *Log) Topic(name string) (TopicInfo, error) {
	l.mu.Lock()
	defer l.unlockAndWake()
	if err := l.look(); err != nil {
		return TopicInfo{}, err
	}
	s := l.table.topics[name]
	if s == nil || !s.exists {
		return TopicInfo{}, fmt.Errorf("%w: %.64q", ErrNoTopic, name)
	}
	return s.info(), nil
}

// look refreshes for a question; what goes wrong is remembered as a trouble. Log.mu is held.
func (l *Log) look() error {
	if l.closed {
		return ErrClosed
	}
	err := l.refresh()
	if err != nil {
		l.trouble(err)
	}
	return err
}

// SetTopic makes a topic, or changes the owner and the mode of one that exists. Errors are those of
// Append.
func (l *Log) SetTopic(ctx context.Context, name string, attr TopicAttr) error {
	if err := CheckTopicName(name); err != nil {
		return err
	}
	return l.changeTopic(ctx, &format.TopicChange{
		Name: []byte(name), Mode: attr.Mode & 0o777, UID: attr.UID, GID: attr.GID,
	})
}

// DeleteTopic removes a topic: its records are not shown any more. If it is made again its offsets
// go on. Errors are ErrNoTopic and those of Append.
func (l *Log) DeleteTopic(ctx context.Context, name string) error {
	if _, err := l.Topic(name); err != nil {
		return err
	}
	return l.changeTopic(ctx, &format.TopicChange{Name: []byte(name), Delete: true})
}

func (l *Log) changeTopic(ctx context.Context, change *format.TopicChange) error {
	change.Time = time.Now().UnixNano()
	var b Batch
	b.control = format.AppendRecord(nil, []byte{format.TopicTopic}, nil,
		format.AppendTopicChange(nil, change))
	return l.Append(ctx, &b)
}
