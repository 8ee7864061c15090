package format_test

import (
	"fmt"

	"purofs/engine/format"
)

// A block is written low in one piece, and then made visible by raising one byte. The bytes are the
// worked example of the vectors.
func ExampleEncoder() {
	topic, value := []byte("orders"), []byte("hello")

	var e format.Encoder
	e.SetTopic(topic)
	e.Add(topic, nil, len(value), [][]byte{value})
	records := e.Finish()

	length := format.StartBytes + len(records)
	block := format.AppendStart(nil, length)
	block = append(block, records...)
	block = format.AppendEnd(block, length)
	fmt.Printf("low:    % x\n", block[:format.StartBytes])

	block[format.SignalOffset] = 1
	fmt.Printf("raised: % x\n", block[:format.StartBytes])
	fmt.Printf("record: % x\n", records)
	fmt.Printf("end:    % x\n", block[length:])
	// Output:
	// low:    e0 08 01 02 00 00 00 00 00 19
	// raised: e0 08 01 02 00 01 00 00 00 19
	// record: c3 0d 06 6f 72 64 65 72 73 00 68 65 6c 6c 6f
	// end:    2a 07 01 03 00 00 00 00 19
}

// A header tells what follows it, so that a reader of one topic can hop over a block of others.
func ExampleHeader() {
	records := format.AppendRecord(nil, []byte("orders"), []byte("key"), []byte("hello"))
	runs := []format.Run{{Offset: 41, Records: 1, ValueBytes: 5}}
	body := append(format.AppendHeader(nil, 1763800000_000000000, runs, records), records...)

	rec, n, err := format.ParseRecord(body)
	if err != nil {
		fmt.Println(err)
		return
	}
	header, err := format.ParseHeader(rec.Value)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := header.CheckCRC(body[n:]); err != nil {
		fmt.Println(err)
		return
	}
	for range header.Topics {
		run, err := header.NextRun()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d record of %d bytes from offset %d\n", run.Records, run.ValueBytes, run.Offset)
	}
	// Output: 1 record of 5 bytes from offset 41
}

func ExampleParseRecord() {
	b := format.AppendRecord(nil, []byte("orders"), []byte("key"), []byte("hello"))
	b = format.AppendRecord(b, []byte{format.TopicTombstone}, nil, nil)
	for len(b) > 0 {
		rec, n, err := format.ParseRecord(b)
		if err != nil {
			fmt.Println(err)
			return
		}
		if kind, control := rec.Control(); control {
			fmt.Printf("control record %d\n", kind)
		} else {
			fmt.Printf("%s: %s = %s\n", rec.Topic, rec.Key, rec.Value)
		}
		b = b[n:]
	}
	// Output:
	// orders: key = hello
	// control record 0
}

func ExampleParseTopicChange() {
	value := format.AppendTopicChange(nil, &format.TopicChange{Name: []byte("orders"), Mode: 0o750})
	change, err := format.ParseTopicChange(value)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s has mode %o\n", change.Name, change.Mode)
	// Output: orders has mode 750
}

func ExampleParseCheckpoint() {
	b := format.AppendCheckpoint(nil, &format.Checkpoint{Pos: 4096, Log: format.SegmentHeader{
		Order:  2,
		Topics: []format.TopicState{{Name: "orders", Next: 1000}},
	}})
	c, err := format.ParseCheckpoint(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("segment %d, position %d: %s goes on with offset %d\n",
		c.Log.Order, c.Pos, c.Log.Topics[0].Name, c.Log.Topics[0].Next)
	// Output: segment 2, position 4096: orders goes on with offset 1000
}
