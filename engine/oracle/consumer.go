package oracle

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"purofs/engine"
)

// A Consumer notes which records of a topic it saw, in which order, in a file: "c TOPIC FIRST", and
// then now and then "n NEXT SUM", where SUM is over all that it saw before offset NEXT. So two
// consumers can be compared with each other, and with what a fresh reader finds later, however far
// each of them came before it was killed.
type Consumer struct {
	file  *os.File
	next  uint64
	sum   uint64
	noted uint64 // next, as noted last
}

const (
	// consumerStride is after how many records a consumer notes what it saw.
	consumerStride = 64
	// consumerRest is after how many it does when it has caught up.
	consumerRest = 8
)

// NewConsumer makes the file of a consumer that starts at an offset of a topic.
func NewConsumer(path, topic string, first uint64) (*Consumer, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(file, "c %s %d\n", topic, first); err != nil {
		file.Close()
		return nil, err
	}
	return &Consumer{file: file, next: first, noted: first}, nil
}

// See takes the next record into account.
func (c *Consumer) See(key, value []byte) error {
	c.sum += recordSum(c.next, key, value)
	c.next++
	if c.next-c.noted >= consumerStride {
		return c.Note()
	}
	return nil
}

// Next is the offset behind the last record seen.
func (c *Consumer) Next() uint64 { return c.next }

// caughtUp notes what was seen, unless that is hardly more than what was noted before.
func (c *Consumer) caughtUp() error {
	if c.next-c.noted < consumerRest {
		return nil
	}
	return c.Note()
}

// Note notes what was seen so far.
func (c *Consumer) Note() error {
	if c.noted == c.next {
		return nil
	}
	c.noted = c.next
	_, err := fmt.Fprintf(c.file, "n %d %x\n", c.next, c.sum)
	return err
}

// Close notes what was seen and closes the file.
func (c *Consumer) Close() error { return errors.Join(c.Note(), c.file.Close()) }

// Follow sees the records of a topic as they come until it has seen all before offset until, or ctx
// ends. Offsets that do not go up by one are an error, and so is damage.
func (c *Consumer) Follow(ctx context.Context, l *engine.Log, topic string, until uint64) error {
	r, err := l.OpenReader(topic, engine.AtOffset(c.next))
	if err != nil {
		return err
	}
	defer r.Close()
	for c.next < until {
		record, err := r.TryNext()
		switch {
		case errors.Is(err, engine.ErrNoRecord):
			if err := c.caughtUp(); err != nil {
				return err
			}
			if err := r.Wait(ctx); err != nil {
				return errors.Join(err, c.Note())
			}
			continue
		case err != nil:
			return errors.Join(err, c.Note())
		case record.Offset != c.next:
			return fmt.Errorf("topic %s: got offset %d, want %d", topic, record.Offset, c.next)
		}
		if err := c.See(record.Key, record.Value); err != nil {
			return err
		}
	}
	return c.Note()
}

// FollowLines sees the lines that in yields until it has seen all before until, or in ends. A line
// without its end is an error, unless the daemon died.
func (c *Consumer) FollowLines(in io.Reader, until uint64) error {
	lines := bufio.NewReaderSize(in, 1<<20)
	var long []byte
	for c.next < until {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, line...)
			continue
		}
		if err != nil {
			if errors.Is(err, io.EOF) && len(line)+len(long) > 0 {
				err = fmt.Errorf("the last line has no end: %.80q", append(long, line...))
			}
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return errors.Join(err, c.Note())
		}
		if len(long) > 0 {
			line = append(long, line...)
			long = line[:0]
		}
		err = c.See(nil, line[:len(line)-1])
		if err == nil && lines.Buffered() == 0 {
			err = c.caughtUp()
		}
		if err != nil {
			return err
		}
	}
	return c.Note()
}

// recordSum is a number for a record at an offset. Their sum, over a range of offsets, tells ranges
// apart that differ in a record or in the order of two.
func recordSum(offset uint64, key, value []byte) uint64 {
	const prime = 0x100000001B3
	h := uint64(0xCBF29CE484222325) ^ uint64(len(key))
	for _, b := range key {
		h = (h ^ uint64(b)) * prime
	}
	for len(value) >= 8 {
		word := uint64(value[0]) | uint64(value[1])<<8 | uint64(value[2])<<16 | uint64(value[3])<<24 |
			uint64(value[4])<<32 | uint64(value[5])<<40 | uint64(value[6])<<48 | uint64(value[7])<<56
		h = mix(h ^ word)
		value = value[8:]
	}
	for _, b := range value {
		h = (h ^ uint64(b)) * prime
	}
	return mix(h ^ mix(offset+1))
}

// A sighting is what a consumer noted at one time.
type sighting struct{ next, sum uint64 }

// parseConsumer reads the file of a consumer. A note that a kill cut off counts for nothing.
func parseConsumer(path string) (topic string, first uint64, seen []sighting, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", 0, nil, err
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	for line := range bytes.Lines(text) {
		if topic == "" {
			_, err = fmt.Sscanf(string(line), "c %s %d\n", &topic, &first)
		} else {
			var s sighting
			_, err = fmt.Sscanf(string(line), "n %d %x\n", &s.next, &s.sum)
			seen = append(seen, s)
		}
		if err != nil {
			return "", 0, nil, fmt.Errorf("%s: note %q: %w", path, line, err)
		}
	}
	return topic, first, seen, nil
}
