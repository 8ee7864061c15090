package engine

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// keysReserveBytes is how much of the limit a table takes at once.
	keysReserveBytes = 1 << 20
	// keysIdle is how long a table is kept that nobody asks for. To build it again is to read the
	// topic again.
	keysIdle = 10 * time.Minute
)

// keyTables are the key tables of a log.
type keyTables struct {
	bytesMax int64

	mu     sync.Mutex // guards what follows; Log.mu is never held when it is taken
	topics map[string]*keyTable
	bytes  int64       // reserved by all
	idle   *time.Timer // runs while there are tables
	closed bool        // there is no timer any more
}

// with brings the table of a topic up to date and hands it to use.
func (ts *keyTables) with(
	ctx context.Context, l *Log, topic string, use func(*keyTable) error,
) error {
	t := ts.take(topic)
	defer ts.giveBack(t)
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-t.turn }()
	err := t.update(ctx, l)
	switch {
	case err == nil:
		return use(t)
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return err // the next one goes on from there
	}
	ts.empty(t)
	if errors.Is(err, ErrTooManyKeys) {
		t.refused = err // reading the topic again would not change that
	}
	return err
}

func (ts *keyTables) take(topic string) *keyTable {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.topics[topic]
	if t == nil {
		t = &keyTable{topic: topic, turn: make(chan struct{}, 1), keys: map[string]*keyState{}}
		ts.topics[topic] = t
	}
	t.users++
	return t
}

func (ts *keyTables) giveBack(t *keyTable) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.users--
	t.used = time.Now()
	switch {
	case t.users == 0 && t.reader == nil && t.refused == nil:
		delete(ts.topics, t.topic) // nothing came of it
	case ts.idle == nil && !ts.closed:
		ts.idle = time.AfterFunc(keysIdle, func() { ts.dropUnused(time.Now().Add(-keysIdle)) })
	}
}

// reserve takes more of the limit for a table that is being used, at the cost of those that are
// not, the longest unused first.
func (ts *keyTables) reserve(t *keyTable) bool {
	var dropped []*keyTable
	ts.mu.Lock()
	for ts.bytes+keysReserveBytes > ts.bytesMax {
		oldest := ts.oldest()
		if oldest == nil {
			break
		}
		ts.drop(oldest)
		dropped = append(dropped, oldest)
	}
	ok := ts.bytes+keysReserveBytes <= ts.bytesMax
	if ok {
		t.reserved += keysReserveBytes
		ts.bytes += keysReserveBytes
	}
	ts.mu.Unlock()
	closeTables(dropped)
	return ok
}

// oldest returns the table that nobody has used for the longest time, or nil if all are in use. mu
// is held, as below.
func (ts *keyTables) oldest() (oldest *keyTable) {
	for _, t := range ts.topics {
		if t.users == 0 && (oldest == nil || t.used.Before(oldest.used)) {
			oldest = t
		}
	}
	return oldest
}

// drop takes a table out that nobody uses.
func (ts *keyTables) drop(t *keyTable) {
	delete(ts.topics, t.topic)
	ts.bytes -= t.reserved
}

// dropUnused drops the tables that were not used since a time.
func (ts *keyTables) dropUnused(since time.Time) {
	var dropped []*keyTable
	ts.mu.Lock()
	for _, t := range ts.topics {
		if t.users == 0 && !t.used.After(since) {
			ts.drop(t)
			dropped = append(dropped, t)
		}
	}
	switch {
	case ts.closed:
	case len(ts.topics) == 0:
		ts.idle = nil
	default:
		ts.idle.Reset(keysIdle)
	}
	ts.mu.Unlock()
	closeTables(dropped)
}

// empty takes everything out of a table whose turn it is.
func (ts *keyTables) empty(t *keyTable) {
	closeTables([]*keyTable{t})
	ts.mu.Lock()
	ts.bytes -= t.reserved
	ts.mu.Unlock()
	t.reader, t.first, t.bytes, t.reserved = nil, 0, 0, 0
	t.keys = map[string]*keyState{}
}

// close ends the timer. The log is closed.
func (ts *keyTables) close() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.closed = true
	if ts.idle != nil {
		ts.idle.Stop()
	}
}

func closeTables(tables []*keyTable) {
	for _, t := range tables {
		if t.reader != nil {
			t.reader.Close()
		}
	}
}
