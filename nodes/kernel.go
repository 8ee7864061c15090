package nodes

import "syscall"

// A Kernel is what the tree asks of the connection to the kernel. It is safe for concurrent use,
// and never called with a lock held that a request needs: the kernel may wait for that request.
type Kernel interface {
	// NotifyPoll tells the kernel that the readiness of a polled handle has changed.
	NotifyPoll(pollHandle uint64)
	// NotifyEntry drops what the kernel remembers of a name.
	NotifyEntry(parent uint64, name string)
	// NotifyInode drops what the kernel remembers of a node's attributes.
	NotifyInode(node uint64)
}

// A ReadRequest is one READ of the kernel. It is answered exactly once, by Reply or by Fail: by the
// goroutine that got it, before it returns, or, once it has been parked, at any time by any
// goroutine.
type ReadRequest interface {
	// Buffer returns room for the answer, as large as was asked for. It belongs to the request
	// until Reply, Fail or Park.
	Buffer() []byte
	// Reply answers with the first n bytes of Buffer; 0 is the end of the file.
	Reply(n int)
	// Fail answers with an error.
	Fail(errno syscall.Errno)
	// Park gives the buffer back and lets the goroutine go: the request waits without holding
	// either. It comes before the request is shown to whoever may answer it.
	//
	// If the reader is interrupted, or the connection ends, interrupted is called once: from any
	// goroutine, possibly before Park returns, and possibly while another goroutine answers.
	// Whoever comes first answers (one compare-and-swap tells); after an interrupt with EINTR.
	// Buffer may be called again after Park, by who answers.
	Park(interrupted func())
}

// A PollIn is one POLL of the kernel: is this open file ready?
type PollIn struct {
	Node   uint64 // the file's node
	Fh     uint64 // the handle that Open gave
	Kh     uint64 // the kernel's name of the open file, for Kernel.NotifyPoll
	Flags  uint32 // fuse.FUSE_POLL_SCHEDULE_NOTIFY: a NotifyPoll is wanted when the answer changes
	Events uint32 // the events that are asked about, as in poll(2)
}
