package mount_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// A modelCursor is a cursor of a topic. It outlives the topic, and stands at its first new record
// if that is made again.
type modelCursor struct {
	topic    *modelTopic
	name     string
	there    bool
	position int // offset of the first record that is not done
	reader   *cursorReader
}

// A cursorReader is the one open file stream of a cursor.
type cursorReader struct {
	fd     int
	mount  int
	format string
	base   int    // position of the cursor when it was opened
	text   []byte // all that was read, from there on
}

// cursorNames are the names that cursors of the model have.
var cursorNames = []string{"billing", "caf\u00e9 %2F"}

// useCursor does something with a cursor of the topic, and compares what it shows.
func (w *world) useCursor(tp *modelTopic) {
	c := w.cursorOf(tp)
	switch n := w.rand.IntN(20); {
	case !c.there:
		w.makeCursor(c)
	case n == 0:
		w.removeCursor(c)
	case n < 5:
		w.moveCursor(c)
	case n < 10:
		w.takeNext(c)
	default:
		w.readCursor(c)
	}
	w.checkCursor(c)
}

func (w *world) cursorOf(tp *modelTopic) *modelCursor {
	name := cursorNames[w.rand.IntN(5)/4]
	for _, c := range w.cursors {
		if c.topic == tp && c.name == name {
			return c
		}
	}
	c := &modelCursor{topic: tp, name: name}
	w.cursors = append(w.cursors, c)
	return c
}

// cursorPath returns the path of a file of a cursor in one of the mounts.
func (w *world) cursorPath(c *modelCursor, file string) (int, string) {
	return w.at(c.topic.name, "cursors", c.name, file)
}

func (w *world) makeCursor(c *modelCursor) {
	i, path := w.cursorPath(c, "")
	w.note("mkdir %d %.20q cursor %s", i, c.topic.name, c.name)
	w.must(unix.Access(path, unix.F_OK), unix.ENOENT, "a cursor that is not there")
	w.must(unix.Mkdir(path, 0o777), nil, "mkdir of a cursor")
	w.must(unix.Mkdir(path, 0o777), unix.EEXIST, "mkdir of a cursor that is there")
	c.there, c.position = true, c.topic.first
}

func (w *world) removeCursor(c *modelCursor) {
	i, path := w.cursorPath(c, "")
	w.note("rmdir %d %.20q cursor %s", i, c.topic.name, c.name)
	if c.reader != nil {
		w.must(unix.Rmdir(path), unix.EBUSY, "rmdir of a cursor that is read")
		return
	}
	w.must(unix.Rmdir(path), nil, "rmdir of a cursor")
	c.there = false
}

// moveCursor writes a position, which may be none.
func (w *world) moveCursor(c *modelCursor) {
	tp := c.topic
	to := tp.first + w.rand.IntN(len(tp.records)+1)
	last := w.rand.IntN(len(tp.records) + 3)
	var want error
	var spelled string
	switch w.rand.IntN(6) {
	case 0:
		spelled, to = "start", tp.first
	case 1:
		spelled, to = "end", tp.next()
	case 2:
		spelled, to = fmt.Sprintf("-%d", last), max(tp.first, tp.next()-last)
	case 3:
		spelled, want = strconv.Itoa(tp.next()+1+last), unix.EINVAL
	default:
		spelled = strconv.Itoa(to)
	}
	if c.reader != nil {
		want = unix.EBUSY
	}
	i, path := w.cursorPath(c, "position")
	w.note("move %d %.20q cursor %s to %s", i, tp.name, c.name, spelled)
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_TRUNC|unix.O_CLOEXEC, 0)
	w.must(err, nil, "open position")
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(spelled+"\n"))
	w.must(err, want, "write to position")
	if want == nil {
		c.position = to
	}
}

// takeNext reads one record from next, to its end or not quite.
func (w *world) takeNext(c *modelCursor) {
	i, path := w.cursorPath(c, "next")
	w.note("next %d %.20q cursor %s", i, c.topic.name, c.name)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if c.reader != nil {
		w.must(err, unix.EBUSY, "open next of a cursor that is read")
		return
	}
	w.must(err, nil, "open next")
	defer unix.Close(fd)
	buffer := make([]byte, 1<<20)
	n, err := unix.Read(fd, buffer)
	if c.position == c.topic.next() {
		w.must(err, unix.EAGAIN, "next, where there is none")
		return
	}
	w.must(err, nil, "next")
	want := c.topic.records[c.position-c.topic.first].line("")
	text := bytes.Clone(buffer[:n])
	for err == nil && len(text) < len(want) {
		if n, err = unix.Read(fd, buffer); n == 0 {
			break
		}
		text = append(text, buffer[:max(n, 0)]...)
	}
	w.must(err, nil, "next, read on")
	w.same(text, want, "next")
	w.checkCursor(c) // until its end was seen the record is not done
	if w.rand.IntN(4) == 0 {
		return
	}
	n, err = unix.Read(fd, buffer)
	w.must(err, nil, "the end of next")
	if n != 0 {
		w.Fatalf("next goes on: %s", brief(string(buffer[:n])))
	}
	c.position++
	w.run.Count("taken", 1)
}

// readCursor reads a few times by a cursor, and may keep its file open.
func (w *world) readCursor(c *modelCursor) {
	if c.reader == nil {
		format := []string{"", ".jsonl"}[w.rand.IntN(2)]
		i, path := w.cursorPath(c, "stream"+format)
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		w.note("open %d %.20q cursor %s stream%s as %d", i, c.topic.name, c.name, format, fd)
		w.must(err, nil, "open stream of a cursor")
		c.reader = &cursorReader{fd: fd, mount: i, format: format, base: c.position}
	} else {
		_, path := w.cursorPath(c, "stream")
		_, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		w.must(err, unix.EBUSY, "open stream of a cursor that is read")
	}
	for range 1 + w.rand.IntN(4) {
		w.readOn(c)
		w.checkCursor(c)
	}
	if w.rand.IntN(2) == 0 {
		w.closeCursor(c, nil)
	}
}

// readOn reads by a cursor: mostly on, sometimes again, or where nothing was read before.
func (w *world) readOn(c *modelCursor) {
	r := c.reader
	place := len(r.text)
	switch w.rand.IntN(6) {
	case 0:
		place = w.rand.IntN(place + 1)
	case 1:
		_, err := unix.Pread(r.fd, make([]byte, 10), int64(place+1))
		w.must(err, unix.ESPIPE, "a read by a cursor behind what was read")
		return
	}
	buffer := make([]byte, w.readBytes(c, place))
	w.note("read %d bytes of %d at %d", len(buffer), r.fd, place)
	n, err := unix.Pread(r.fd, buffer, int64(place))
	c.position = max(c.position, w.doneBefore(c, place))
	if err == unix.EAGAIN && place == len(r.text) && c.position == c.topic.next() {
		return
	}
	w.must(err, nil, "read by a cursor")
	if n == 0 {
		w.Fatal("the stream of a cursor has an end")
	}
	again := min(n, len(r.text)-place)
	w.same(buffer[:again], r.text[place:place+again], "what was read again by a cursor")
	r.text = append(r.text, buffer[again:n]...)
	w.checkRead(c)
}

// readBytes draws how much is read: half of the time up to the end of a record, or a byte more or
// less.
func (w *world) readBytes(c *modelCursor, place int) int {
	if done := w.doneBefore(c, place); w.rand.IntN(2) == 0 && done < c.topic.next() {
		end := 0
		for _, record := range c.topic.records[c.reader.base-c.topic.first : done+1-c.topic.first] {
			end += len(record.line(c.reader.format))
		}
		return max(1, end-place+w.rand.IntN(3)-1)
	}
	return 1 + w.rand.IntN(w.newBufferBytes())
}

// checkRead compares all that was read by a cursor.
func (w *world) checkRead(c *modelCursor) {
	r := c.reader
	text := r.text
	if r.format == ".jsonl" { // of a line that is not whole nobody knows the time yet
		text = text[:bytes.LastIndexByte(text, '\n')+1]
		w.learn(c.topic, r.base, text)
	}
	want := c.topic.from(r.base).text(r.format)
	w.same(text, want[:min(len(want), len(text))], "stream"+r.format+" of a cursor")
}

// doneBefore returns the offset of the first record that does not end at or before a place of the
// file that is read by a cursor.
func (w *world) doneBefore(c *modelCursor, place int) int {
	offset, end := c.reader.base, 0
	for _, record := range c.topic.from(offset).records {
		line := record.line(c.reader.format)
		if end += len(line); end > place || len(line) == 0 {
			break
		}
		offset++
	}
	return offset
}

// from is the part of a topic from an offset on.
func (tp *modelTopic) from(offset int) *modelTopic {
	return &modelTopic{first: offset, records: tp.records[offset-tp.first:]}
}

// closeCursor closes the file of a cursor. The error is another one if its daemon is dead.
func (w *world) closeCursor(c *modelCursor, want error) {
	w.note("close %d", c.reader.fd)
	w.must(unix.Close(c.reader.fd), want, "close of a cursor")
	c.reader = nil
}

// closeCursors closes the files of cursors for which these is true.
func (w *world) closeCursors(want error, these func(*modelCursor) bool) {
	for _, c := range w.cursors {
		if c.reader != nil && these(c) {
			w.closeCursor(c, want)
		}
	}
}

// checkCursor compares what a cursor shows of itself.
func (w *world) checkCursor(c *modelCursor) {
	w.Helper()
	var names []string
	for _, other := range w.cursors {
		if other.topic == c.topic && other.there {
			names = append(names, other.name)
		}
	}
	slices.Sort(names)
	_, dir := w.cursorPath(c, "")
	w.checkNames(filepath.Dir(filepath.Clean(dir)), names)
	if !c.there {
		return
	}
	for file, want := range map[string]int{
		"position": c.position, "lag": c.topic.next() - c.position,
	} {
		i, path := w.cursorPath(c, file)
		text, _ := w.readAll(path, 0, 100)
		w.same(text, fmt.Appendln(nil, want), fmt.Sprintf("%s of %s in %d", file, c.name, i))
	}
}
