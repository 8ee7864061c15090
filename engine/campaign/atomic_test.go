package campaign_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"purofs/engine"
	"purofs/engine/oracle"
)

const pageBytes = 4096

// T15: the start record of a block is placed at each of the 4,096 places that it can have in a
// page, where its ten bytes cross into the next one too, while two other processes read at the end
// of the log without a pause. They never see a block before it is whole, nor damage that is not
// there.
func TestReadersAtEachPlaceInAPage(t *testing.T) {
	c := newCrew(t, "T15")
	c.engine.SegmentBytes = engine.SegmentBytesMax // places are those in one file
	l := c.open()
	var readers []*oracle.Process
	for range 2 {
		readers = append(readers, c.spin())
	}
	rounds := oracle.Size(10, 200)
	for range rounds {
		c.placeEverywhere(l)
	}
	for _, r := range readers {
		r.Stop()
		var looks int
		if _, err := fmt.Sscan(r.Finish(), &looks); err != nil {
			t.Fatal(err)
		}
		c.run.Count("reads", looks)
	}
	c.run.Count("places", rounds*pageBytes)
}

// placeEverywhere appends blocks until one has begun at each place of a page.
func (c *crew) placeEverywhere(l *engine.Log) {
	c.Helper()
	name := filepath.Join(c.store, "stream0.puro")
	at := fileBytes(c.T, name)
	overhead := int64(0) // of a block, without its value; it hardly ever changes
	var value []byte
	var batch engine.Batch
	for wanted := range int64(pageBytes) {
		// The block before the one that is to be at wanted fills the page up to there.
		for at%pageBytes != wanted {
			fill := wanted - at%pageBytes - overhead
			for fill < 0 {
				fill += pageBytes
			}
			value = appendWhole(value[:0], int(fill))
			batch.Reset()
			batch.Add(oracle.TopicDefault, nil, value)
			if err := l.Append(context.Background(), &batch); err != nil {
				c.Fatal(err)
			}
			end := fileBytes(c.T, name)
			overhead = end - at - int64(len(value))
			at = end
		}
	}
}

func fileBytes(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// appendWhole appends a value of that many bytes that tells whether it is whole: each byte depends
// on its place and on how many there are.
func appendWhole(b []byte, bytes int) []byte {
	for i := range bytes {
		b = append(b, byte(bytes+i*7))
	}
	return b
}

// spinEnv has a process read a store without a pause.
const spinEnv = "PUROFS_CAMPAIGN_SPIN"

func (c *crew) spin() *oracle.Process {
	c.Helper()
	p := oracle.LaunchWith(c.T, oracle.Job{}, []string{spinEnv + "=" + c.store})
	p.Ready()
	return p
}

// spin reads the topic of a store, as fast as it can, until its input ends, and says how often it
// looked. It is the work of a process of its own.
func spin(store string) error {
	l, err := engine.Open(context.Background(), store, engine.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	r, err := l.OpenReader(oracle.TopicDefault, engine.Start())
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	fmt.Println("ready")
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		close(ended)
	}()
	var want []byte
	for looks, next := 0, uint64(0); ; looks++ {
		record, err := r.TryNext()
		switch {
		case errors.Is(err, engine.ErrNoRecord):
			select {
			case <-ended:
				fmt.Println(looks)
				return l.Close()
			default:
			}
			continue
		case err != nil:
			return fmt.Errorf("record %d: %w", next, err)
		case record.Offset != next:
			return fmt.Errorf("got record %d, want %d", record.Offset, next)
		}
		next++
		want = appendWhole(want[:0], len(record.Value))
		if string(record.Value) != string(want) {
			return fmt.Errorf("record %d of %d bytes is not whole", record.Offset, len(record.Value))
		}
	}
}
