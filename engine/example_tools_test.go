package engine_test

import (
	"context"
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

// Repair makes a store sound again; PlanRepair only says how.
func ExampleRepair() {
	l, done := exampleLog()
	defer done()
	exampleAppend(l, "orders", "two coffees", "a tea")

	ctx, dir := context.Background(), l.Status().Dir
	plan, err := engine.PlanRepair(ctx, dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, step := range plan.Steps {
		fmt.Println(step.File, step.Pos, step.End, step.Found, step.Action)
	}
	if len(plan.Steps) > 0 {
		if _, err := engine.Repair(ctx, dir, engine.Options{}, nil); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("steps:", len(plan.Steps))
	// Output: steps: 0
}
