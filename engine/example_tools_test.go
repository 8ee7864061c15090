package engine_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"path/filepath"

	"purofs/engine"
)

// Inspect shows what stands in a segment file, in whatever state it is.
func ExampleInspect() {
	l, done := exampleLog()
	defer done()
	exampleAppend(l, "orders", "two coffees", "a tea")

	names, err := engine.SegmentFiles(l.Status().Dir)
	if err != nil {
		log.Fatal(err)
	}
	in, err := engine.Inspect(filepath.Join(l.Status().Dir, names[0]), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	for {
		piece, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(piece.Pos, piece.Kind)
		for record, err := range piece.Records() {
			if err == nil && record.Control < 0 {
				fmt.Printf("  %s %d %s\n", record.Topic, record.Offset, record.Value)
			}
		}
	}
	// Output:
	// 0 magic
	// 9 block
	//   orders 0 two coffees
	//   orders 1 a tea
}
