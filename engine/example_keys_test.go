package engine_test

import (
	"context"
	"fmt"
	"log"

	"purofs/engine"
)

// The newest value of each key is a table that a topic keeps.
func ExampleLog_Keys() {
	l, done := exampleLog()
	defer done()
	ctx := context.Background()

	var b engine.Batch
	b.Add("stock", []byte("coffee"), []byte("12 kg"))
	b.Add("stock", []byte("tea"), []byte("3 kg"))
	b.Add("stock", []byte("coffee"), []byte("11 kg"))
	b.Add("stock", []byte("tea"), nil) // no tea any more
	if err := l.Append(ctx, &b); err != nil {
		log.Fatal(err)
	}

	infos, err := l.Keys(ctx, "stock")
	if err != nil {
		log.Fatal(err)
	}
	for _, info := range infos {
		err := l.ReadRecord("stock", info.Offset, func(r *engine.Record) error {
			fmt.Printf("%s: %s\n", r.Key, r.Value)
			return nil
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output: coffee: 11 kg
}

// One key is asked for by its name.
func ExampleLog_Key() {
	l, done := exampleLog()
	defer done()
	ctx := context.Background()

	var b engine.Batch
	b.Add("stock", []byte("coffee"), []byte("12 kg"))
	if err := l.Append(ctx, &b); err != nil {
		log.Fatal(err)
	}
	info, err := l.Key(ctx, "stock", "coffee")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Key, info.Offset, info.ValueBytes)
	// Output: coffee 0 5
}

// A record is found by its offset.
func ExampleLog_ReadRecord() {
	l, done := exampleLog()
	defer done()
	exampleAppend(l, "orders", "one coffee", "two coffees")

	err := l.ReadRecord("orders", 1, func(r *engine.Record) error {
		fmt.Printf("%d %s\n", r.Offset, r.Value)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 1 two coffees
}
