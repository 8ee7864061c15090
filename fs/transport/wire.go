package transport

import (
	"syscall"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Operations and notifications that this package treats itself: the kernel's
// include/uapi/linux/fuse.h, never to change.
const (
	opSetattr     = 4
	opReadlink    = 5
	opMkdir       = 9
	opRmdir       = 11
	opRead        = 15
	opWrite       = 16
	opFsync       = 20
	opGetxattr    = 22
	opListxattr   = 23
	opInit        = 26
	opReaddir     = 28
	opFsyncdir    = 30
	opInterrupt   = 36
	opIoctl       = 39
	opPoll        = 40
	opReaddirplus = 44

	notifyPoll    = 1
	notifyInode   = 2
	notifyEntry   = 3
	notifyNameMax = 1024 // FUSE_NAME_MAX: the kernel refuses longer ones
)

const (
	inHeaderBytes    = int(unsafe.Sizeof(fuse.InHeader{}))
	outHeaderBytes   = int(unsafe.Sizeof(fuse.OutHeader{}))
	readInBytes      = int(unsafe.Sizeof(fuse.ReadIn{}))
	writeInBytes     = int(unsafe.Sizeof(fuse.WriteIn{}))
	pollInBytes      = int(unsafe.Sizeof(pollIn{}))
	interruptInBytes = int(unsafe.Sizeof(fuse.InterruptIn{}))
	getxattrInBytes  = int(unsafe.Sizeof(fuse.GetXAttrIn{}))
	ioctlInBytes     = int(unsafe.Sizeof(fuse.IoctlIn{}))

	// fixedOutBytesMax is room for the fixed part of any answer; the largest is that of STATX.
	fixedOutBytesMax = 512
	// linkBytesMax is the longest target of a symbolic link (PATH_MAX).
	linkBytesMax = 4096
)

// The structures are laid over the kernel's bytes, so their sizes are part of the protocol.
const (
	_ = uint(inHeaderBytes-40) + uint(40-inHeaderBytes)
	_ = uint(outHeaderBytes-16) + uint(16-outHeaderBytes)
	_ = uint(readInBytes-80) + uint(80-readInBytes)
	_ = uint(writeInBytes-80) + uint(80-writeInBytes)
	_ = uint(pollInBytes-64) + uint(64-pollInBytes)
)

type pollIn struct {
	fuse.InHeader
	Fh     uint64
	Kh     uint64
	Flags  uint32
	Events uint32
}

// overlay lays a structure of the protocol over the first bytes of a message. The caller has
// checked the length; messages start at a multiple of eight (see buffer and smallBytesMax).
func overlay[T any](message []byte) *T {
	return (*T)(unsafe.Pointer(unsafe.SliceData(message)))
}

// bytesOf is the memory of a structure of the protocol.
func bytesOf[T any](structure *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(structure)), unsafe.Sizeof(*structure))
}

// answerHeader fills in the head of an answer of that many bytes in all.
func answerHeader(header *fuse.OutHeader, unique uint64, errno syscall.Errno, length int) {
	header.Length = uint32(length)
	header.Status = -int32(errno)
	header.Unique = unique
}

// outPayloadBytes is how many bytes the answer to a request may have behind its fixed part.
func outPayloadBytes(opcode uint32, message []byte) int {
	switch {
	case opcode == opReadlink:
		return linkBytesMax
	case (opcode == opReaddir || opcode == opReaddirplus) && len(message) >= readInBytes:
		return int(overlay[fuse.ReadIn](message).Size)
	case (opcode == opGetxattr || opcode == opListxattr) && len(message) >= getxattrInBytes:
		return int(overlay[fuse.GetXAttrIn](message).Size)
	case opcode == opIoctl && len(message) >= ioctlInBytes:
		return int(overlay[fuse.IoctlIn](message).OutSize)
	}
	return 0
}

// mayTakeLong tells of a request that is likely to write to the log or to wait for the disk.
func mayTakeLong(message []byte) bool {
	switch overlay[fuse.InHeader](message).Opcode {
	case opSetattr, opMkdir, opRmdir, opFsync, opFsyncdir:
		return true
	}
	return false
}
