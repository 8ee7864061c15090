package transport

import (
	"math/bits"
	"os"
	"sync"
	"unsafe"
)

const (
	bufferClassMinBits = 12 // 4 KiB
	bufferClassMaxBits = 20 // 1 MiB
	bufferClasses      = bufferClassMaxBits - bufferClassMinBits + 1

	// alignedBodyMin is the size from which on it is worth a page to have the body start at one.
	alignedBodyMin = 64 << 10
)

// A buffer holds a message: a head of fixed length and a body behind it, in one piece, so that it
// is read or written by one system call.
type buffer struct {
	memory []byte // head and body; it starts at a multiple of eight
	head   int    // bytes of the head
	pool   *sync.Pool
}

func (b *buffer) body() []byte { return b.memory[b.head:] }

func (b *buffer) release() { b.pool.Put(b) }

// newBuffer makes a buffer. The body of a large one starts at a page: the kernel copies page by
// page, and would touch each of ours twice if they were not in step.
func newBuffer(head, body int, pool *sync.Pool) *buffer {
	if body < alignedBodyMin {
		return &buffer{memory: make([]byte, head+body), head: head, pool: pool}
	}
	page := os.Getpagesize()
	memory := make([]byte, head+body+page)
	address := uintptr(unsafe.Pointer(unsafe.SliceData(memory)))
	skip := page - int((address+uintptr(head))%uintptr(page))
	return &buffer{memory: memory[skip : skip+head+body], head: head, pool: pool}
}

// replyPools hand out buffers for answers by size class: powers of two, and an answer's header on
// top.
type replyPools [bufferClasses]sync.Pool

func newReplyPools() *replyPools {
	pools := new(replyPools)
	for i := range pools {
		body, pool := 1<<(bufferClassMinBits+i)+fixedOutBytesMax, &pools[i]
		pool.New = func() any { return newBuffer(outHeaderBytes, body, pool) }
	}
	return pools
}

// get returns a buffer with room for n bytes behind the fixed part of an answer. Beyond the largest
// class the room is that of the largest: a READ may be answered with less than it asked for.
func (p *replyPools) get(n int) *buffer {
	class := max(bits.Len(uint(max(n, 1)-1)), bufferClassMinBits) - bufferClassMinBits
	return p[min(class, bufferClasses-1)].Get().(*buffer)
}

// newInputPool hands out buffers for requests: room for the largest WRITE.
func newInputPool(maxWrite int) *sync.Pool {
	pool := new(sync.Pool)
	body := maxWrite + os.Getpagesize() // the kernel wants a page to spare
	pool.New = func() any { return newBuffer(writeInBytes, body, pool) }
	return pool
}
