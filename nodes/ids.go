package nodes

import "github.com/hanwen/go-fuse/v2/fuse"

// A kind says what a node is.
type kind uint8

const (
	kindNone kind = iota
	kindRoot
	kindControl // the directory .puro
	kindStatus
	kindErrors
	kindTopic // the directory of a topic
	kindAppend
	kindLog
	kindStream
	kindFromDir
	kindFrom
	kindInfo
)

// Node ids. The fixed nodes come first; a node of a topic is the topic's number and its kind; the
// nodes under from/ are numbered as they are looked up.
const (
	rootNode    = fuse.FUSE_ROOT_ID
	controlNode = 2
	statusNode  = 3
	errorsNode  = 4

	kindBits = 5 // room for 32 kinds
	fromBit  = 1 << 63
)

// The fixed nodes must stay below the nodes of topic number 1.
const _ = uint((1 << kindBits) - 1 - errorsNode)

// A node is what a node id stands for.
type node struct {
	kind     kind
	topic    *topic // nil above the topics
	position string // of kindFrom: the position as it was written
}

// id returns the node id of a node of a topic.
func (tp *topic) id(k kind) uint64 { return tp.number<<kindBits | uint64(k) }

// fixedKind returns the kind of a node above the topics.
func fixedKind(id uint64) kind {
	switch id {
	case rootNode:
		return kindRoot
	case controlNode:
		return kindControl
	case statusNode:
		return kindStatus
	case errorsNode:
		return kindErrors
	}
	return kindNone
}

// ino returns the inode number of a node: the same on every mount, and clear of the fixed ones. The
// two highest bits stay free for programs that keep it in a signed number.
func (n node) ino() uint64 {
	switch n.kind {
	case kindRoot:
		return rootNode
	case kindControl:
		return controlNode
	case kindStatus:
		return statusNode
	case kindErrors:
		return errorsNode
	}
	hash := fnvAdd(n.topic.hash, byte(n.kind))
	for i := range len(n.position) {
		hash = fnvAdd(hash, n.position[i])
	}
	return hash>>2 | 1<<61
}

// The 64-bit FNV-1a hash, here because hash/fnv allocates.
const (
	fnvStart = 14695981039346656037
	fnvPrime = 1099511628211
)

func fnvAdd(hash uint64, b byte) uint64 { return (hash ^ uint64(b)) * fnvPrime }

func fnvString(s string) uint64 {
	hash := uint64(fnvStart)
	for i := range len(s) {
		hash = fnvAdd(hash, s[i])
	}
	return hash
}
