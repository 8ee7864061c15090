package nodes

import "sync"

// A notifier tells the kernel of names and attributes that it must not remember any more. It has a
// goroutine of its own, because the kernel locks the directory for a name: a request on that
// directory must never wait for the telling.
type notifier struct {
	kernel Kernel
	work   chan struct{} // has room for one: there are names, or it is over
	done   chan struct{} // closed when the goroutine has ended

	mu    sync.Mutex // guards what follows
	names []entryName
	nodes []uint64
	over  bool
}

// An entryName is a name in a directory.
type entryName struct {
	dir  uint64
	name string
}

func startNotifier(kernel Kernel) *notifier {
	n := &notifier{kernel: kernel, work: make(chan struct{}, 1), done: make(chan struct{})}
	go n.run()
	return n
}

// entryGone has the kernel forget a name.
func (n *notifier) entryGone(name entryName) {
	n.mu.Lock()
	n.names = append(n.names, name)
	n.mu.Unlock()
	n.signal()
}

// attrGone has the kernel forget the attributes of a node.
func (n *notifier) attrGone(id uint64) {
	n.mu.Lock()
	n.nodes = append(n.nodes, id)
	n.mu.Unlock()
	n.signal()
}

// stop ends the goroutine and waits for it. What was not told yet expires by itself.
func (n *notifier) stop() {
	n.mu.Lock()
	n.over = true
	n.mu.Unlock()
	n.signal()
	<-n.done
}

func (n *notifier) signal() {
	select {
	case n.work <- struct{}{}:
	default: // it will look anyway
	}
}

func (n *notifier) run() {
	defer close(n.done)
	for range n.work {
		n.mu.Lock()
		names, ids, over := n.names, n.nodes, n.over
		n.names, n.nodes = nil, nil
		n.mu.Unlock()
		if over {
			return
		}
		for _, name := range names {
			n.kernel.NotifyEntry(name.dir, name.name)
		}
		for _, id := range ids {
			n.kernel.NotifyInode(id)
		}
	}
}
