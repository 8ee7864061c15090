package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// KeyTablesBytesMax is how much memory the keys of all topics take together, at keyBytes and the
// key's own length for each: about four million keys of 20 bytes. The values are not held.
const KeyTablesBytesMax = 512 << 20

const (
	// keyBytes is what a key takes besides its own bytes: a slot of the map, which is up to half
	// empty, and the keyState (BenchmarkKeysBuild measures it).
	keyBytes = 100
	// keysLook is after how many records the end of a caller's patience is looked for.
	keysLook = 4096
)

// A KeyInfo is what is known of the newest record with a key. ReadRecord gets its value.
type KeyInfo struct {
	Key        string // any bytes
	Offset     uint64
	Time       time.Time
	ValueBytes int // at least 1
}

// Keys returns the keys of a topic that have a value now, sorted. A key's value is that of its
// newest record; if that is empty the key has none (so a producer deletes it). Records without a
// key do not count, nor do those that were lost to damage or removed.
//
// The first question reads the topic, each later one what came since; a topic that was not asked
// about for ten minutes is read again. ctx ends that. The error matches ErrNoTopic, ErrTooManyKeys,
// or is ErrClosed, ErrVanished, or that of the file system.
func (l *Log) Keys(ctx context.Context, topic string) (infos []KeyInfo, err error) {
	err = l.keys.with(ctx, l, topic, func(t *keyTable) error {
		infos = make([]KeyInfo, 0, len(t.keys))
		for key, state := range t.keys {
			infos = append(infos, state.info(key))
		}
		return nil
	})
	slices.SortFunc(infos, func(a, b KeyInfo) int { return strings.Compare(a.Key, b.Key) })
	return infos, err
}

// Key returns the newest record of one key of a topic. The error is ErrNoKey if it has no value, or
// one of those of Keys.
func (l *Log) Key(ctx context.Context, topic, key string) (info KeyInfo, err error) {
	err = l.keys.with(ctx, l, topic, func(t *keyTable) error {
		state := t.keys[key]
		if state == nil {
			return fmt.Errorf("%w: %.64q in topic %.64q", ErrNoKey, key, topic)
		}
		info = state.info(key)
		return nil
	})
	return info, err
}

// A keyState is what is kept of a key.
type keyState struct {
	offset     uint64
	time       int64
	valueBytes uint32
}

func (s *keyState) info(key string) KeyInfo {
	return KeyInfo{key, s.offset, time.Unix(0, s.time), int(s.valueBytes)}
}

// A keyTable holds the keys of one topic, up to where its reader stands.
type keyTable struct {
	topic string

	// Guarded by keyTables.mu.
	users int       // who use it, or wait for it
	used  time.Time // when the last of them was done

	// turn holds a value while somebody uses what follows.
	turn     chan struct{}
	reader   *Reader
	first    uint64 // no key's record has a lower offset
	keys     map[string]*keyState
	bytes    int64
	reserved int64 // of the limit
	refused  error // there are too many keys
}

// update takes in what came since the last time.
func (t *keyTable) update(ctx context.Context, l *Log) (err error) {
	if t.refused != nil {
		return t.refused
	}
	if t.reader == nil {
		if t.reader, err = l.OpenReader(t.topic, Start()); err != nil {
			return err
		}
	}
	// Not further than to what there is now, or who appends all the time would never let us answer.
	info, err := l.Topic(t.topic)
	if err == nil {
		err = t.follow(ctx, l, info.Next)
	}
	if err == nil {
		t.forgetBefore(info.First)
	}
	return err
}

// follow reads the records up to the one with the offset next, which is to come.
func (t *keyTable) follow(ctx context.Context, l *Log, next uint64) error {
	for n := 1; t.reader.Next() < next; n++ {
		record, err := t.reader.TryNext()
		switch {
		case err == nil:
			err = t.apply(l, record)
		case errors.Is(err, ErrNoRecord):
			return nil // the last ones were lost
		case errors.Is(err, ErrDamaged):
			err = nil // the log was told
		}
		if err == nil && n%keysLook == 0 {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	t.reader.pause()
	return nil
}

func (t *keyTable) apply(l *Log, record *Record) error {
	if len(record.Key) == 0 {
		return nil
	}
	state := t.keys[string(record.Key)]
	switch {
	case len(record.Value) == 0:
		if state != nil {
			t.forget(string(record.Key))
		}
		return nil
	case state == nil:
		state = new(keyState)
		t.keys[string(record.Key)] = state
		t.bytes += keyBytes + int64(len(record.Key))
	}
	*state = keyState{record.Offset, record.Time.UnixNano(), uint32(len(record.Value))}
	if t.bytes > t.reserved && !l.keys.reserve(t) {
		return fmt.Errorf("%w: topic %.64q has more than %d (memory for keys is limited to %d MiB)",
			ErrTooManyKeys, t.topic, len(t.keys)-1, l.keys.bytesMax>>20)
	}
	return nil
}

func (t *keyTable) forget(key string) {
	delete(t.keys, key)
	t.bytes -= keyBytes + int64(len(key))
}

// forgetBefore drops the keys whose newest record is not there any more: it was removed by
// retention, or with the topic, which was made again since.
func (t *keyTable) forgetBefore(first uint64) {
	if first == t.first {
		return
	}
	t.first = first
	for key, state := range t.keys {
		if state.offset < first {
			t.forget(key)
		}
	}
}
