package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"purofs/engine"
)

// Whoever stops waiting for a topic in the moment that its first record is written must not take the
// topic away: its second record would get the first one's offset.
func TestTopicOutlivesItsLastWatch(t *testing.T) {
	dir := newStore(t)
	l := open(t, dir, engine.Options{})
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 300 {
				topic := fmt.Sprintf("%d-%d", worker, i)
				stop := l.Watch(topic, 1, func() {})
				stopped := make(chan struct{})
				go func() {
					defer close(stopped)
					stop()
				}()
				for want := range uint64(2) {
					var b engine.Batch
					b.Add(topic, nil, []byte("x"))
					if err := l.Append(context.Background(), &b); err != nil {
						t.Error(err)
						return
					}
					if got := b.Offset(0); got != want {
						t.Errorf("topic %s: got offset %d, want %d", topic, got, want)
					}
				}
				<-stopped
			}
		})
	}
	wg.Wait()
	verify(t, dir, "clean")
}
