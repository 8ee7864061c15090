package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"purofs/engine"
)

func TestSmoke(t *testing.T) {
	dir := t.TempDir() + "/s"
	ctx := context.Background()
	l, err := engine.Open(ctx, dir, engine.Options{SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var b engine.Batch
			for i := range 2000 {
				b.Reset()
				b.Add("orders", nil, []byte(fmt.Sprintf("g%d-%d", g, i)))
				b.Add("audit", []byte("k"), []byte("x"), []byte("y"))
				if err := l.Append(ctx, &b); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	r, err := l.OpenReader("orders", engine.Start())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	next := map[string]int{}
	for n < 8000 {
		rec, err := r.TryNext()
		if err == engine.ErrNoRecord {
			if err := r.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if rec.Offset != uint64(n) {
			t.Fatalf("offset %d want %d", rec.Offset, n)
		}
		var g, i int
		fmt.Sscanf(string(rec.Value), "g%d-%d", &g, &i)
		if next[fmt.Sprint(g)] != i {
			t.Fatalf("order: %s", rec.Value)
		}
		next[fmt.Sprint(g)]++
		n++
	}
	wg.Wait()
	fmt.Printf("%+v\n", l.Status())
	for _, off := range []uint64{0, 1, 77, 4000, 7999} {
		if err := r.Seek(engine.AtOffset(off)); err != nil {
			t.Fatal(err)
		}
		text := r.Text()
		rec, err := r.TryNext()
		if err != nil || rec.Offset != off {
			t.Fatal(off, rec, err)
		}
		if err := r.Seek(engine.AtText(text)); err != nil {
			t.Fatal(err)
		}
		if r.Next() != off || r.Text() != text {
			t.Fatal(r.Next(), r.Text(), off, text)
		}
	}
	r.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	rep, err := engine.Verify(ctx, dir, nil)
	fmt.Printf("%+v %v\n", rep, err)
	l, err = engine.Open(ctx, dir, engine.Options{SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(l.Topics())
	l.Close()
}
