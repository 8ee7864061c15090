package nodes

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// troublesKept is how many of its newest errors a tree remembers.
const troublesKept = 128

// A trouble is a request that was refused for a reason that its error number does not tell.
type trouble struct {
	time  time.Time
	topic string
	text  string
}

// A troubleRing holds the newest troubles. It is safe for concurrent use, and its zero value is
// empty.
type troubleRing struct {
	mu    sync.Mutex
	ring  [troublesKept]trouble
	total int
}

func (r *troubleRing) add(tr trouble) {
	r.mu.Lock()
	r.ring[r.total%troublesKept] = tr
	r.total++
	r.mu.Unlock()
}

// all returns the troubles held, the oldest first.
func (r *troubleRing) all() []trouble {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := min(r.total, troublesKept)
	list := make([]trouble, 0, held)
	for i := r.total - held; i < r.total; i++ {
		list = append(list, r.ring[i%troublesKept])
	}
	return list
}

// refused takes note of a request that was refused, for .puro/errors and for the log at debug
// level: who asked has been told by its error number, and could fill the log otherwise.
func (t *Tree) refused(topic, call string, err error) {
	t.troubles.add(trouble{time: time.Now(), topic: topic, text: call + ": " + err.Error()})
	t.logger.Debug().Str("topic", topic).Str("call", call).Err(err).Msg("refused")
}

// failed takes note of an error that nobody can be told of otherwise.
func (t *Tree) failed(topic, call string, err error) {
	t.troubles.add(trouble{time: time.Now(), topic: topic, text: call + ": " + err.Error()})
	t.logger.Error().Str("topic", topic).Str("call", call).Err(err).Msg("failed")
}

// Panicked takes note of a panic of a request, in the goroutine that panicked. The request is
// answered with EIO and all others go on, but the mount is not healthy any more.
func (t *Tree) Panicked(call string, reason any) {
	t.panicked.Store(true)
	t.troubles.add(trouble{time: time.Now(), text: fmt.Sprintf("%s: panic: %v", call, reason)})
	t.logger.Error().Str("call", call).Str("panic", fmt.Sprint(reason)).
		Bytes("stack", debug.Stack()).Msg("a handler panicked; its request gets an I/O error")
}
