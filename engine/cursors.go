package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// CursorNameBytesMax is the longest name of a cursor, in bytes.
const CursorNameBytesMax = 255

// CheckCursorName tells whether a cursor can have that name: 1 to 255 bytes, no slash, no NUL, no
// dot at the beginning. The error matches ErrInvalidCursor and says which rule it breaks.
func CheckCursorName(name string) error {
	why := ""
	switch {
	case name == "":
		why = "it is empty"
	case len(name) > CursorNameBytesMax:
		why = fmt.Sprintf("it has %d bytes, at most %d are allowed", len(name), CursorNameBytesMax)
	case name[0] == '.':
		why = "it begins with a dot"
	case strings.ContainsAny(name, "/\x00"):
		why = "it contains a slash or a NUL byte"
	default:
		return nil
	}
	return fmt.Errorf("%w %.64q: %s", ErrInvalidCursor, name, why)
}

// cursorError says which cursor an error is about.
func cursorError(topic, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cursor %.64q of topic %.64q: %w", name, topic, err)
}

// Cursors returns the names of a topic's cursors, sorted. They are kept when the topic is deleted,
// and are there again when it is made again.
func (l *Log) Cursors(topic string) ([]string, error) {
	if err := l.checkOpen(); err != nil {
		return nil, err
	}
	entries, err := l.readDir(cursorDir(topic))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cursors of topic %.64q: %w", topic, err)
	}
	var names []string
	for _, e := range entries {
		if CheckCursorName(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// FindCursor tells whether there is a cursor of that name, of a topic that may have been deleted.
// The error is ErrNoCursor if not, or ErrInvalidCursor, ErrClosed, or that of the file system.
func (l *Log) FindCursor(topic, name string) error {
	err := CheckCursorName(name)
	if err == nil {
		err = l.checkOpen()
	}
	if err == nil {
		_, err = l.dir.Lstat(cursorPath(topic, name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNoCursor
	}
	return cursorError(topic, name, err)
}

// CreateCursor makes a cursor at the start of a topic. It is on the disk when this returns. The
// error is ErrInvalidCursor, ErrNoTopic, ErrCursorExists, ErrReadOnly, ErrClosed, ErrLocked, that
// of ctx, or that of the file system.
func (l *Log) CreateCursor(ctx context.Context, topic, name string) error {
	err := l.checkCursor(topic, name, true)
	if err == nil {
		err = l.exclusively(ctx, func() error { return l.makeCursorFile(topic, name) })
	}
	return cursorError(topic, name, err)
}

// RemoveCursor removes a cursor. The error is ErrNoCursor, ErrCursorHeld as long as somebody holds
// it, ErrInvalidCursor, ErrReadOnly, ErrClosed, or that of the file system.
func (l *Log) RemoveCursor(topic, name string) error {
	err := l.checkCursor(topic, name, false)
	if err == nil {
		err = l.removeCursorFile(topic, name)
	}
	return cursorError(topic, name, err)
}

func (l *Log) removeCursorFile(topic, name string) error {
	f, err := lockCursorFile(l.dir, cursorPath(topic, name))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := l.dir.Remove(cursorPath(topic, name)); err != nil {
		return err
	}
	return l.syncDir(cursorDir(topic))
}

// CursorPosition returns the offset of the first record that is not done, whoever holds the cursor.
// The error is ErrNoCursor, ErrNoTopic, ErrInvalidCursor, ErrCursorDamaged, ErrClosed, or that of
// the file system.
func (l *Log) CursorPosition(topic, name string) (uint64, error) {
	next, err := l.cursorPosition(topic, name)
	return next, cursorError(topic, name, err)
}

func (l *Log) cursorPosition(topic, name string) (uint64, error) {
	if err := CheckCursorName(name); err != nil {
		return 0, err
	}
	p := newProber(l, topic)
	defer p.close()
	if err := l.checkOpen(); err != nil {
		return 0, err
	}
	f, err := openCursorFile(l.dir, cursorPath(topic, name), os.O_RDONLY)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := f.readShared(); err != nil {
		return 0, err
	}
	s, err := p.settle(&f.slot)
	return s.next, err
}

// checkCursor tells whether a cursor of that name can be made or changed here.
func (l *Log) checkCursor(topic, name string, topicNeeded bool) error {
	if err := CheckCursorName(name); err != nil {
		return err
	}
	if l.opts.ReadOnly {
		return ErrReadOnly
	}
	if topicNeeded {
		_, err := l.Topic(topic)
		return err
	}
	return l.checkOpen()
}

func (l *Log) checkOpen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	return nil
}

// exclusively calls do while nobody else is a producer of the log, in this process or another.
func (l *Log) exclusively(ctx context.Context, do func() error) error {
	select {
	case l.lead <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.quit:
		return ErrClosed
	}
	defer func() { <-l.lead }()
	for {
		done, err := l.tryExclusively(ctx, do)
		if done || err != nil {
			return err
		}
	}
}

// tryExclusively does it unless another process has started a new segment.
func (l *Log) tryExclusively(ctx context.Context, do func() error) (done bool, err error) {
	h, size, err := l.holdActive()
	if err != nil {
		return false, err
	}
	defer l.giveBack(h)
	if err := l.lock(ctx, h, size, false); err != nil {
		return false, err
	}
	defer h.UnlockTail()
	l.mu.Lock()
	err = l.refresh()
	active := l.active == h
	l.unlockAndWake()
	if err != nil || !active {
		return false, err
	}
	return true, do()
}
