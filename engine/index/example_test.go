package index_test

import (
	"errors"
	"fmt"
	"io"

	"purofs/engine/index"
)

func ExampleBuilder() {
	b := index.NewBuilder(0)
	b.Add([]byte("orders"), 9, 150, index.Point{}, index.Point{Offset: 1, Text: 12})
	b.Add([]byte("orders"), 90_000, 90_140, index.Point{Offset: 1, Text: 12},
		index.Point{Offset: 2, Text: 24})
	list, found := b.List("orders")
	fmt.Println(found, list.First, list.After)
	// Output: true {0 0} {2 24}
}

func ExampleChunk() {
	b := index.NewBuilder(0)
	b.Add([]byte("orders"), 9, 150, index.Point{}, index.Point{Offset: 1, Text: 12})
	sealed := b.Seal(index.Header{Order: 3, To: 16 << 20})
	c, err := index.ParseChunk(sealed.Bytes()) // as read from a file
	if err != nil {
		fmt.Println(err)
		return
	}
	_, found, _ := c.Find("events")
	fmt.Println(c.Order, c.To, found)
	// Output: 3 16777216 false
}

func ExampleHeader() {
	sealed := index.NewBuilder(0).Seal(index.Header{Order: 3, To: 500, Walk: true})
	h, err := index.ParseHeader(sealed.Bytes()[:index.HeaderBytes])
	fmt.Println(h.Order, h.Walk, h.Size(), err)
	// Output: 3 true 72 <nil>
}

func ExampleList() {
	b := index.NewBuilder(0)
	for i := range int64(4) {
		at := index.Point{Offset: uint64(i), Text: uint64(10 * i)}
		after := index.Point{Offset: uint64(i + 1), Text: uint64(10 * (i + 1))}
		b.Add([]byte("orders"), 3000*i, 3000*i+100, at, after) // close together
		b.Add([]byte("events"), 90_000*i+100, 90_000*i+200, at, after)
	}
	for _, topic := range []string{"orders", "events"} {
		list, _ := b.List(topic)
		for {
			e, err := list.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			fmt.Println(topic, e.Pos, e.End, e.At.Offset)
		}
	}
	// Output:
	// orders 0 9100 0
	// events 100 200 0
	// events 90100 90200 1
	// events 180100 180200 2
	// events 270100 270200 3
}
