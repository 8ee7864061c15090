package oracle

import (
	"errors"
	"fmt"
	"sort"
	"time"

	"purofs/engine"
)

// CheckSeeks compares what readers find that begin in the middle of a topic, which takes the topic
// indexes, with what one finds that goes through all of it. That it finds the right records is not
// looked at here: see CheckLog. The log is not changed, but indexes may be built. The error says
// what must not be.
func CheckSeeks(l *engine.Log) error {
	for _, t := range l.Topics() {
		all, err := readAll(l, t)
		for _, part := range seekParts {
			if err != nil || len(all) == 0 {
				break
			}
			err = all.seek(l, t, int(part*float64(len(all)-1)))
		}
		if err != nil {
			return fmt.Errorf("topic %s, from %d to %d: %w", t.Name, t.First, t.Next, err)
		}
	}
	return nil
}

// seekParts are where in a topic readers begin, and seekRecords is how many records they read.
var seekParts = []float64{0, .25, .5, .75, 1}

const seekRecords = 10

// A found record is what is compared of it: recordSum, when it was written, and its place in the
// text.
type found struct {
	sum  uint64
	time time.Time
	text uint64
}

// topicRecords are the records of a topic, as who reads all of them finds them.
type topicRecords []found

func readAll(l *engine.Log, t engine.TopicInfo) (all topicRecords, err error) {
	r, err := l.OpenReader(t.Name, engine.Start())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text := t.FirstText
	for next := t.First; next < t.Next; next++ {
		record, err := r.TryNext()
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", next, err)
		}
		all = append(all, found{recordSum(record.Offset, record.Key, record.Value), record.Time, text})
		text += uint64(len(record.Value)) + 1
	}
	return all, nil
}

// seek reads on from record i, which it finds in each of the ways there are.
func (all topicRecords) seek(l *engine.Log, t engine.TopicInfo, i int) error {
	first := sort.Search(i, func(k int) bool { return !all[k].time.Before(all[i].time) })
	for _, by := range []struct {
		name     string
		position engine.Position
		first    int
	}{
		{"offset", engine.AtOffset(t.First + uint64(i)), i},
		{"the number of the last ones", engine.Last(uint64(len(all) - i)), i},
		{"time", engine.Since(all[i].time), first},
		{"text", engine.AtText(all[i].text), i},
	} {
		if err := all.readFrom(l, t, by.position, by.first); err != nil {
			return fmt.Errorf("found by %s: %w", by.name, err)
		}
	}
	return nil
}

// readFrom reads on from a position, which is that of record i.
func (all topicRecords) readFrom(
	l *engine.Log, t engine.TopicInfo, position engine.Position, i int,
) error {
	r, err := l.OpenReader(t.Name, position)
	if err != nil {
		return err
	}
	defer r.Close()
	for end := min(len(all), i+seekRecords); i < end; i++ {
		record, err := r.TryNext()
		want := t.First + uint64(i)
		switch {
		case err != nil:
			return fmt.Errorf("record %d: %w", want, err)
		case record.Offset != want:
			return fmt.Errorf("got record %d, want %d", record.Offset, want)
		case recordSum(record.Offset, record.Key, record.Value) != all[i].sum,
			!record.Time.Equal(all[i].time):
			return fmt.Errorf("record %d is another one than by reading all", want)
		}
	}
	if i < len(all) {
		return nil
	}
	record, err := r.TryNext()
	if err == nil {
		return fmt.Errorf("got record %d behind the last one", record.Offset)
	}
	if errors.Is(err, engine.ErrNoRecord) {
		return nil
	}
	return err
}
