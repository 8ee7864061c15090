package nodes

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/nodes/codec"
)

// A kind says what a node is. Inode numbers are made of it, so a new one comes at the end.
type kind uint8

const (
	kindNone kind = iota
	kindRoot
	kindControl // the directory .puro
	kindStatus
	kindMetrics
	kindErrors
	kindTopic // the directory of a topic
	kindAppend
	kindAppendJSONL
	kindAppendTSV
	kindAppendRaw
	kindLog
	kindLogJSONL
	kindLogTSV
	kindStream
	kindStreamJSONL
	kindStreamTSV
	kindStreamRaw
	kindFromDir
	kindFrom
	kindRecordsDir
	kindRecord
	kindKeysDir
	kindKey
	kindCursorsDir
	kindCursor // the directory of a cursor
	kindCursorStream
	kindCursorStreamJSONL
	kindCursorNext
	kindCursorPosition
	kindCursorLag
	kindInfo
)

// Node ids. The fixed nodes come first; a node of a topic is the topic's number and its kind; nodes
// with names of their own are numbered as they are looked up.
const (
	rootNode    = fuse.FUSE_ROOT_ID
	controlNode = 2
	statusNode  = 3
	errorsNode  = 4
	metricsNode = 5

	kindBits = 8 // all that a kind has
	namedBit = 1 << 63
)

// The fixed nodes must stay below the nodes of topic number 1.
const _ = uint((1 << kindBits) - 1 - metricsNode)

// A node is what a node id stands for. No two nodes are equal.
type node struct {
	kind  kind
	topic *topic // nil above the topics
	// name is the node's own name, where the kind does not say it all: a position, the offset of a
	// record, a key, or the cursor that a directory or a file in it is of.
	name string
}

// isDir tells whether nodes of the kind are directories.
func (k kind) isDir() bool {
	switch k {
	case kindRoot, kindControl, kindTopic, kindFromDir, kindRecordsDir, kindKeysDir,
		kindCursorsDir, kindCursor:
		return true
	}
	return false
}

// isAppend tells whether nodes of the kind are written to make records.
func (k kind) isAppend() bool { return kindAppend <= k && k <= kindAppendRaw }

// isCounted tells whether the size of nodes of the kind has to be counted.
func (k kind) isCounted() bool {
	switch k {
	case kindLogJSONL, kindLogTSV, kindStreamJSONL, kindStreamTSV:
		return true
	}
	return false
}

// format is the format of the records in a node, Plain if it has none.
func (n node) format() codec.Format {
	switch n.kind {
	case kindAppendJSONL, kindLogJSONL, kindStreamJSONL, kindCursorStreamJSONL:
		return codec.JSONL
	case kindAppendTSV, kindLogTSV, kindStreamTSV:
		return codec.TSV
	case kindAppendRaw, kindStreamRaw:
		return codec.Raw
	case kindFrom:
		_, f := codec.CutSuffix(n.name)
		return f
	}
	return codec.Plain
}

// isWritten tells whether nodes of the kind can be written.
func (k kind) isWritten() bool { return k.isAppend() || k == kindCursorPosition }

// moves tells whether reading a node of the kind moves a cursor.
func (k kind) moves() bool { return kindCursorStream <= k && k <= kindCursorNext }

// isLive tells whether reading a file of the kind, or in a directory of it, may wait for a record
// for ever.
func (k kind) isLive() bool {
	switch k {
	case kindFromDir, kindFrom:
		return true
	}
	return kindStream <= k && k <= kindStreamRaw || k.moves()
}

// isNamed tells whether nodes of the kind have names of their own.
func (k kind) isNamed() bool {
	switch k {
	case kindFrom, kindRecord, kindKey, kindCursor, kindCursorStream, kindCursorStreamJSONL,
		kindCursorNext, kindCursorPosition, kindCursorLag:
		return true
	}
	return false
}

// isUnbounded tells whether there can be any number of nodes of the kind.
func (k kind) isUnbounded() bool { return k == kindFrom || k == kindRecord }

// parent is the directory that a directory is in, or a node of which there can be any number; the
// root is in itself.
func (n node) parent() node {
	switch n.kind {
	case kindFrom:
		return node{kind: kindFromDir, topic: n.topic}
	case kindRecord:
		return node{kind: kindRecordsDir, topic: n.topic}
	case kindFromDir, kindRecordsDir, kindKeysDir, kindCursorsDir:
		return node{kind: kindTopic, topic: n.topic}
	case kindCursor:
		return node{kind: kindCursorsDir, topic: n.topic}
	}
	return node{kind: kindRoot}
}

// id returns the node id of a node of a topic that has no name of its own.
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
	case metricsNode:
		return kindMetrics
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
	case kindMetrics:
		return metricsNode
	case kindErrors:
		return errorsNode
	}
	hash := fnvAdd(n.topic.hash, byte(n.kind))
	for i := range len(n.name) {
		hash = fnvAdd(hash, n.name[i])
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
