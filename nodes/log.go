package nodes

import (
	"context"

	"purofs/engine"
)

// A Log is all that the tree needs of the log behind it, so that another log can stand there. The
// promises are those of the methods of engine.Log of the same names.
type Log interface {
	Records

	Append(ctx context.Context, batch *engine.Batch) error
	Sync(ctx context.Context) error

	Topics() []engine.TopicInfo
	Topic(name string) (engine.TopicInfo, error)
	SetTopic(ctx context.Context, name string, attr engine.TopicAttr) error
	DeleteTopic(ctx context.Context, name string) error

	// OpenReader returns a reader of a topic.
	OpenReader(topic string, from engine.Position) (Reader, error)
	// Watch calls wake once, from any goroutine, as soon as the topic has a record with an offset
	// of at least next, or is deleted, or the log is closed; at once if that is so already, perhaps
	// before Watch returns. No lock is held then that the other methods and those of a Reader need:
	// wake may read what is new, but not wait. The function that Watch returns ends it early, and
	// tells whether wake will never be called.
	Watch(topic string, next uint64, wake func()) (stop func() bool)

	CursorLog

	Status() engine.Status
	Troubles() []engine.Trouble
}

// Records finds single records of the log behind the tree. The promises are those of the methods of
// engine.Log of the same names.
type Records interface {
	ReadRecord(topic string, offset uint64, use func(*engine.Record) error) error
	Keys(ctx context.Context, topic string) ([]engine.KeyInfo, error)
	Key(ctx context.Context, topic, key string) (engine.KeyInfo, error)
}

// A CursorLog is what the tree needs of durable positions. The promises are those of the methods of
// engine.Log of the same names.
type CursorLog interface {
	Cursors(topic string) ([]string, error)
	FindCursor(topic, name string) error
	CreateCursor(ctx context.Context, topic, name string) error
	RemoveCursor(topic, name string) error
	CursorPosition(topic, name string) (uint64, error)
	// OpenCursor takes a cursor.
	OpenCursor(topic, name string) (Cursor, error)
}

// A Cursor is a durable position that is held.
type Cursor interface {
	// Next is the offset of the first record that is not done.
	Next() uint64
	// Commit says that all records before the offset next are done.
	Commit(next uint64) error
	// Sync returns when the position is on the disk.
	Sync(ctx context.Context) error
	// Close gives the cursor back.
	Close() error
}

// A Reader walks through one topic. It is used by one goroutine at a time.
type Reader interface {
	// TryNext returns the next record, or engine.ErrNoRecord if there is none yet. A
	// *engine.DamageError is returned once for each damaged place; the call after it goes on
	// behind.
	TryNext() (*engine.Record, error)
	// Lines copies the next records in the plain format, as many as are at hand and fit in whole.
	Lines(dst []byte) int
	// Next is the offset that the next record has, or will have.
	Next() uint64
	// Text is where that record starts in the topic's plain text.
	Text() uint64
	// Seek moves to another position of the topic.
	Seek(engine.Position) error
	// Held is how many bytes of the log it holds, until it has come to the end or is closed.
	Held() int
	// Close gives back what the reader holds.
	Close()
}

// EngineLog returns a log of package engine as the tree sees it.
func EngineLog(log *engine.Log) Log { return engineLog{log} }

type engineLog struct{ *engine.Log }

// OpenReader implements Log: the interface's Reader in place of the engine's own.
func (l engineLog) OpenReader(topic string, from engine.Position) (Reader, error) {
	reader, err := l.Log.OpenReader(topic, from)
	if err != nil {
		return nil, err // and no Reader that holds a nil pointer
	}
	return reader, nil
}

// OpenCursor implements Log in the same way.
func (l engineLog) OpenCursor(topic, name string) (Cursor, error) {
	cursor, err := l.Log.OpenCursor(topic, name)
	if err != nil {
		return nil, err
	}
	return cursor, nil
}
