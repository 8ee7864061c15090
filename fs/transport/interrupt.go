package transport

import "github.com/hanwen/go-fuse/v2/fuse"

// serveInterrupt interrupts a request. One that is not known is answered with EAGAIN: either it is
// still in the hands of another worker, then the kernel asks again, or it is answered, then the
// kernel ignores it.
func (c *Conn) serveInterrupt(in *fuse.InterruptIn) {
	found := false
	c.guard("interrupt", func() { found = c.flights.interrupt(in.Unique) })
	if found {
		return
	}
	var out [2]uint64
	if n := c.others.interrupt(in, bytesOf(&out)); n > 0 {
		c.send(bytesOf(&out)[:n])
	}
}
