package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"purofs/engine"
)

// exampleLog opens a log in a new directory; done removes it.
func exampleLog() (l *engine.Log, done func()) {
	dir, err := os.MkdirTemp("", "purofs-example")
	if err != nil {
		log.Fatal(err)
	}
	l, err = engine.Open(context.Background(), filepath.Join(dir, "store"), engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return l, func() {
		if err := errors.Join(l.Close(), os.RemoveAll(dir)); err != nil {
			log.Fatal(err)
		}
	}
}

// exampleAppend appends a block of values to a topic.
func exampleAppend(l *engine.Log, topic string, values ...string) {
	var b engine.Batch
	for _, v := range values {
		b.Add(topic, nil, []byte(v))
	}
	if err := l.Append(context.Background(), &b); err != nil {
		log.Fatal(err)
	}
}

// Write records, and read them.
func Example() {
	dir, err := os.MkdirTemp("", "purofs-example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	ctx := context.Background()
	l, err := engine.Open(ctx, filepath.Join(dir, "store"), engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	var b engine.Batch
	b.Add("orders", []byte("k-17"), []byte("two coffees"))
	if err := l.Append(ctx, &b); err != nil {
		log.Fatal(err)
	}

	r, err := l.OpenReader("orders", engine.Start())
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	record, err := r.TryNext()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d %s %s\n", record.Offset, record.Key, record.Value)
	// Output: 0 k-17 two coffees
}

// A consumer reads by a cursor, and goes on where it stopped when it is started again.
func ExampleCursor() {
	l, done := exampleLog()
	defer done()
	exampleAppend(l, "orders", "one coffee", "two coffees", "three coffees")
	if err := l.CreateCursor(context.Background(), "orders", "billing"); err != nil {
		log.Fatal(err)
	}
	consume := func(records int) {
		c, err := l.OpenCursor("orders", "billing") // nobody else can have it meanwhile
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		r, err := l.OpenReader("orders", engine.AtOffset(c.Next()))
		if err != nil {
			log.Fatal(err)
		}
		defer r.Close()
		for range records {
			record, err := r.TryNext()
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf("%s\n", record.Value)
			if err := c.Commit(record.Offset + 1); err != nil { // now that it is done
				log.Fatal(err)
			}
		}
	}
	consume(1)
	consume(2)
	// Output:
	// one coffee
	// two coffees
	// three coffees
}

// A batch may have records of several topics. All of them become visible together.
func ExampleBatch() {
	l, done := exampleLog()
	defer done()

	var b engine.Batch
	for range 2 { // after Reset the same batch is filled again
		b.Reset()
		b.Add("orders", nil, []byte("two coffees"))
		b.Add("audit", nil, []byte("order "), []byte("taken"))
		b.Add("orders", nil, []byte("a tea"))
		if err := l.Append(context.Background(), &b); err != nil {
			log.Fatal(err)
		}
		fmt.Println(b.Offset(0), b.Offset(1), b.Offset(2))
	}
	// Output:
	// 0 0 1
	// 2 1 3
}

// Several goroutines, and several processes, append to one log; an error means that nothing of the
// batch is stored.
func ExampleLog_Append() {
	l, done := exampleLog()
	defer done()

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var b engine.Batch
	b.Sync = true // return only when it is on the disk
	b.Add("orders/today", nil, []byte("two coffees"))
	err := l.Append(ctx, &b)
	fmt.Println(errors.Is(err, engine.ErrInvalidTopic))
	// Output: true
}

// A reader follows a topic: it waits where nothing is to be read yet.
func ExampleReader() {
	l, done := exampleLog()
	defer done()

	r, err := l.OpenReader("orders", engine.Start())
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	go exampleAppend(l, "orders", "two coffees", "a tea")
	for read := 0; read < 2; {
		record, err := r.TryNext()
		switch {
		case errors.Is(err, engine.ErrNoRecord):
			if err := r.Wait(context.Background()); err != nil {
				log.Fatal(err)
			}
		case errors.Is(err, engine.ErrDamaged):
			fmt.Println(err) // and go on behind the damage
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(string(record.Value))
			read++
		}
	}
	// Output:
	// two coffees
	// a tea
}

// A record is valid until the reader's next call.
func ExampleRecord() {
	l, done := exampleLog()
	defer done()
	exampleAppend(l, "orders", "two coffees")

	r, err := l.OpenReader("orders", engine.Start())
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	record, err := r.TryNext()
	if err != nil {
		log.Fatal(err)
	}
	kept := string(record.Value)
	fmt.Println(record.Offset, kept, time.Since(record.Time) < time.Hour)
	// Output: 0 two coffees true
}

func ExamplePosition() {
	l, done := exampleLog()
	defer done()
	exampleAppend(l, "orders", "zero", "one", "two", "three")

	r, err := l.OpenReader("orders", engine.AtOffset(1))
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	for _, from := range []engine.Position{
		engine.AtOffset(1), engine.Last(1), engine.AtText(6), engine.End(),
	} {
		if err := r.Seek(from); err != nil {
			log.Fatal(err)
		}
		record, err := r.TryNext()
		if errors.Is(err, engine.ErrNoRecord) {
			fmt.Println("nothing yet at", r.Next())
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(record.Offset, string(record.Value))
	}
	// Output:
	// 1 one
	// 3 three
	// 1 one
	// nothing yet at 4
}

func ExampleParsePosition() {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	hourAgo, err := engine.ParsePosition("1h", now)
	fmt.Println(hourAgo == engine.Since(now.Add(-time.Hour)), err)
	_, err = engine.ParsePosition("yesterday", now)
	fmt.Println(errors.Is(err, engine.ErrPosition))
	// Output:
	// true <nil>
	// true
}

func ExampleOptions() {
	opts := engine.Options{
		SegmentBytes: 1 << 30,
		Sync:         engine.SyncAlways, // what is not set has its default
	}
	fmt.Println(opts.Validate())
	opts.SegmentBytes = 1000
	fmt.Println(opts.Validate())
	// Output:
	// <nil>
	// option out of bounds: segment size is 1000, must be 64 KiB to 1 TiB
}

func ExampleSyncMode() {
	mode, err := engine.ParseSyncMode("always")
	fmt.Println(mode, mode == engine.SyncAlways, err)
	_, err = engine.ParseSyncMode("sometimes")
	fmt.Println(err)
	// Output:
	// always true <nil>
	// option out of bounds: sync is "sometimes", must be none, interval, always or flip
}

func ExampleTopicInfo() {
	l, done := exampleLog()
	defer done()
	exampleAppend(l, "orders", "two coffees", "a tea")

	info, err := l.Topic("orders")
	if err != nil {
		log.Fatal(err)
	}
	bytes := info.NextText - info.FirstText
	fmt.Println(info.Name, info.Next-info.First, "records,", bytes, "bytes as text")
	// Output: orders 2 records, 18 bytes as text
}

func ExampleTopicAttr() {
	l, done := exampleLog()
	defer done()

	ctx := context.Background()
	attr := engine.TopicAttr{Mode: 0o640, UID: 1000, GID: 100}
	if err := l.SetTopic(ctx, "orders", attr); err != nil {
		log.Fatal(err)
	}
	info, err := l.Topic("orders")
	fmt.Printf("%o %d:%d %v\n", info.Mode, info.UID, info.GID, err)
	// Output: 640 1000:100 <nil>
}

// Watch is for those who cannot wait in a goroutine of their own.
func ExampleLog_Watch() {
	l, done := exampleLog()
	defer done()

	woken := make(chan struct{})
	stop := l.Watch("orders", 0, func() { close(woken) })
	exampleAppend(l, "orders", "two coffees")
	<-woken
	fmt.Println("stopped in time:", stop())
	// Output: stopped in time: false
}

func ExampleStatus() {
	l, done := exampleLog()
	defer done()
	exampleAppend(l, "orders", "two coffees", "a tea")

	s := l.Status()
	fmt.Println(s.Segments, s.Topics, s.Records, s.Sync, s.Healthy)
	// Output: 1 1 2 interval true
}

func ExampleTrouble() {
	l, done := exampleLog()
	defer done()

	for _, trouble := range l.Troubles() {
		fmt.Println(trouble.Time, trouble.Segment, trouble.Pos, trouble.Text)
	}
	fmt.Println("that is all")
	// Output: that is all
}

// Verify looks at a store, whoever uses it meanwhile, and changes nothing.
func ExampleVerify() {
	l, done := exampleLog()
	defer done()
	exampleAppend(l, "orders", "two coffees", "a tea")

	report, err := engine.Verify(context.Background(), l.Status().Dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Sound(), report.Tail, report.Blocks, report.Records)
	// Output: true clean 1 2
}

func ExampleVerifyReport() {
	report := engine.VerifyReport{
		Tail:   "clean",
		Damage: []*engine.DamageError{{Segment: 2, Pos: 4096, End: 5000, Reason: "its CRC-32C is wrong"}},
	}
	for _, damage := range report.Damage {
		fmt.Println(report.Sound(), damage)
	}
	// Output: false segment stream2.puro is damaged from byte 4096 to byte 5000: its CRC-32C is wrong
}

// A cursor whose position is lost is damage, too; no record is lost with it.
func ExampleCursorDamage() {
	report := engine.VerifyReport{
		Tail:         "clean",
		CursorDamage: []engine.CursorDamage{{File: "cursors/orders/billing", Reason: "it is empty"}},
	}
	for _, damage := range report.CursorDamage {
		fmt.Println(report.Sound(), damage.File, damage.Reason)
	}
	// Output: false cursors/orders/billing it is empty
}

func ExampleDamageError() {
	var err error = &engine.DamageError{Segment: 0, Pos: 9, End: -1, Reason: "no block starts here"}
	var damage *engine.DamageError
	if errors.As(err, &damage) && errors.Is(err, engine.ErrDamaged) {
		fmt.Println(damage.Segment, damage.Pos, damage)
	}
	// Output: 0 9 segment stream0.puro is damaged from byte 9 to its end: no block starts here
}
