package mount_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"purofs/engine"
	"purofs/engine/oracle"
)

// A powerConsumer reads a topic by a durable cursor while others append to it. It keeps a book of
// what became of each move, and notes, as producers do, how long the trace was then.
type powerConsumer struct {
	load *powerLoad
	rand *rand.Rand

	mu     sync.Mutex // guards what follows
	cursor *engine.Cursor
	next   uint64 // where the cursor stands
	book   oracle.CursorBook
	marks  []cursorMark
}

// A cursorMark says what held of the cursor when the trace had that length.
type cursorMark struct {
	trace int64
	book  oracle.CursorBook
}

func newPowerConsumer(l *powerLoad) *powerConsumer {
	return &powerConsumer{
		load: l, rand: rand.New(rand.NewPCG(l.rand.Uint64(), 0)),
		book: oracle.CursorBook{Topic: "a", Name: "c"},
	}
}

// bookAt is what counts if the power is cut at that place of the trace.
func (c *powerConsumer) bookAt(pos int64) oracle.CursorBook {
	book := oracle.CursorBook{Topic: c.book.Topic, Name: c.book.Name}
	for _, mark := range c.marks {
		if mark.trace <= pos {
			book = mark.book
		}
	}
	return book
}

// note notes what holds of the cursor since the trace had the length that it has now.
func (c *powerConsumer) note() {
	c.marks = append(c.marks, cursorMark{c.load.tracePos(), c.book})
}

// moving notes that a move begins.
func (c *powerConsumer) moving(next uint64) {
	c.book.Moving(next)
	c.note()
}

// moved notes that a move was acknowledged.
func (c *powerConsumer) moved(next uint64) {
	if c.next = next; c.load.mode >= engine.SyncAlways {
		c.book.Kept(next)
	}
	c.note()
}

// kept notes that the position was forced to the disk.
func (c *powerConsumer) kept() {
	c.book.Kept(c.next)
	c.note()
}

// closed notes that the log was closed: in mode interval that forces the position to the disk. The
// next move ends it, for only a sync writes it twice.
func (c *powerConsumer) closed() {
	if c.load.mode != engine.SyncInterval {
		return
	}
	book := c.book
	book.Kept(c.next)
	c.marks = append(c.marks, cursorMark{c.load.tracePos(), book})
}

// made notes that there is a cursor, for sure.
func (c *powerConsumer) made() {
	c.book.Made = true
	c.note()
}

// step does what comes next, through the library. The log stays open meanwhile.
func (c *powerConsumer) step() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.book.Made {
		err := c.load.log.CreateCursor(c.load.Context(), c.book.Topic, c.book.Name)
		switch {
		case err == nil:
			c.made()
		case errors.Is(err, engine.ErrNoTopic):
			err = nil // nobody has appended to it yet
		}
		return err
	}
	if err := c.take(); err != nil {
		return err
	}
	switch dice := c.rand.IntN(10); dice {
	case 0:
		return c.leave()
	case 1:
		return c.commit(c.next - c.rand.Uint64N(min(c.next, 10)+1))
	case 2:
		if err := c.cursor.Sync(c.load.Context()); err != nil {
			return err
		}
		c.kept()
		return nil
	}
	return c.readOn()
}

// take takes the cursor, unless it has it. The log has lost nothing since.
func (c *powerConsumer) take() (err error) {
	if c.cursor != nil {
		return nil
	}
	if c.cursor, err = c.load.log.OpenCursor(c.book.Topic, c.book.Name); err != nil {
		return err
	}
	if got := c.cursor.Next(); got != c.next {
		return fmt.Errorf("the cursor was left at %d, and is at %d", c.next, got)
	}
	return nil
}

// leave gives the cursor back, if it has it.
func (c *powerConsumer) leave() error {
	if c.cursor == nil {
		return nil
	}
	cursor := c.cursor
	c.cursor = nil
	return cursor.Close()
}

// commit moves the cursor.
func (c *powerConsumer) commit(next uint64) error {
	c.moving(next)
	if err := c.cursor.Commit(next); err != nil {
		return err
	}
	c.moved(next)
	return nil
}

// readOn reads some records, which are done then.
func (c *powerConsumer) readOn() error {
	r, err := c.load.log.OpenReader(c.book.Topic, engine.AtOffset(c.next))
	if err != nil {
		return err
	}
	defer r.Close()
	next := c.next
	for range 1 + c.rand.IntN(20) {
		record, err := r.TryNext()
		if errors.Is(err, engine.ErrNoRecord) {
			break
		}
		if err == nil && record.Offset != next {
			err = fmt.Errorf("got record %d, want %d", record.Offset, next)
		}
		if err != nil {
			return err
		}
		next++
	}
	return c.commit(next)
}

// stepMounted does what comes next, through a mount. The topic has that many records.
func (c *powerConsumer) stepMounted(m *mount, end uint64) error {
	dir := m.path(c.book.Topic + "/cursors/" + c.book.Name)
	if !c.book.Made {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		c.made()
	}
	switch dice := c.rand.IntN(10); {
	case dice < 3:
		return c.takeNext(dir+"/next", end)
	case dice < 7:
		return c.readStream(dir, end)
	case dice < 8:
		return c.setPosition(dir+"/position", end, 0)
	case dice < 9:
		return c.setPosition(dir+"/position", c.rand.Uint64N(end+1), unix.O_DSYNC)
	}
	return c.load.startWriteback(c.rand)
}

// takeNext reads the next record, and the end of the file behind it, which says that it is done.
func (c *powerConsumer) takeNext(path string, end uint64) error {
	if c.next == end {
		return nil
	}
	c.moving(c.next + 1)
	text, err := os.ReadFile(path)
	if err == nil && !bytes.HasSuffix(text, []byte("\n")) {
		err = fmt.Errorf("the next record is %s", brief(string(text)))
	}
	if err == nil {
		c.moved(c.next + 1)
	}
	return err
}

// readStream reads on a few times, perhaps to the end. How many records are done then it is told by
// the cursor.
func (c *powerConsumer) readStream(dir string, end uint64) error {
	fd, err := unix.Open(dir+"/stream", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	c.moving(end)
	buffer := make([]byte, 4096)
	for range 2 + c.rand.IntN(10) {
		if n, err := unix.Read(fd, buffer); err == unix.EAGAIN {
			break
		} else if err == nil && n == 0 {
			return fmt.Errorf("the stream of a cursor: %w", io.ErrUnexpectedEOF)
		} else if err != nil {
			return err
		}
	}
	text, err := os.ReadFile(dir + "/position")
	if err != nil {
		return err
	}
	next, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 10, 64)
	if err == nil {
		c.moved(next)
	}
	return err
}

// setPosition moves the cursor, and forces it to the disk if flag says so, or fsync(2) does.
func (c *powerConsumer) setPosition(path string, next uint64, flag int) error {
	file, err := os.OpenFile(path, os.O_WRONLY|flag, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	c.moving(next)
	if _, err := fmt.Fprintln(file, next); err != nil {
		return err
	}
	c.moved(next)
	if flag == 0 && c.rand.IntN(2) == 0 {
		return nil
	}
	if flag == 0 {
		err = file.Sync()
	}
	if err == nil {
		c.kept()
	}
	return err
}
