package nodes

import (
	"sync"
	"sync/atomic"

	"purofs/nodes/codec"
)

// A topic is what the tree knows of one topic. A topic that is removed and made again is another
// one.
type topic struct {
	number uint64
	name   string // in the log
	shown  string // in the directory
	hash   uint64 // of the name

	// seen is set as soon as the log has had the topic. Until then it is but a name that was looked
	// up on a mount that makes topics at their first use.
	seen atomic.Bool
	// removed is set for ever when the topic was seen and is gone.
	removed atomic.Bool

	sizes [codec.Raw]textSize // of its text in the formats that have to be counted

	lookups uint64 // that the kernel has not forgotten; guarded by topicTable.mu
}

// A namedNode is a node with a name of its own that the kernel was told of and has not forgotten.
type namedNode struct {
	node
	id      uint64
	lookups uint64
}

// A topicTable gives numbers to topics and to the nodes with names of their own. It is safe for
// concurrent use.
type topicTable struct {
	mu       sync.Mutex // guards all below, and the lookups of topics and named nodes
	last     uint64     // the highest number that was given to a topic
	byNumber map[uint64]*topic
	byName   map[string]*topic // without those that were removed

	lastNamed uint64 // the highest number that was given to a named node
	named     map[uint64]*namedNode
	namedIDs  map[node]*namedNode
	namedMax  int
	aging     []uint64 // those of named whose number is not bounded, the oldest first
}

// namedNodesMax is how many nodes with names of their own the kernel may remember before it is
// asked to forget the oldest. It would remember them as long as it has memory, and this process has
// to do the same.
const namedNodesMax = 1 << 16

func newTopicTable() *topicTable {
	return &topicTable{
		byNumber: map[uint64]*topic{},
		byName:   map[string]*topic{},
		named:    map[uint64]*namedNode{},
		namedIDs: map[node]*namedNode{},
		namedMax: namedNodesMax,
	}
}

// find returns the topic of a name, or nil.
func (tt *topicTable) find(name string) *topic {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	return tt.byName[name]
}

// get returns the topic of a name and gives it a number if it has none. shown is how it is shown.
func (tt *topicTable) get(name, shown string) *topic {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	if tp := tt.byName[name]; tp != nil {
		return tp
	}
	tt.last++
	tp := &topic{number: tt.last, name: name, shown: shown, hash: fnvString(name)}
	tt.byNumber[tp.number] = tp
	tt.byName[name] = tp
	return tp
}

// remove marks a topic as removed and tells whether it was not before.
func (tt *topicTable) remove(tp *topic) bool {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	if tp.removed.Swap(true) {
		return false
	}
	delete(tt.byName, tp.name)
	tt.dropIfUnused(tp)
	return true
}

// absent returns the topics that were seen but for which there says no.
func (tt *topicTable) absent(there func(name string) bool) []*topic {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	var gone []*topic
	for name, tp := range tt.byName {
		if tp.seen.Load() && !there(name) {
			gone = append(gone, tp)
		}
	}
	return gone
}

// node returns the node that an id stands for; its kind is kindNone if it stands for none.
func (tt *topicTable) node(id uint64) node {
	if k := fixedKind(id); k != kindNone {
		return node{kind: k}
	}
	tt.mu.Lock()
	defer tt.mu.Unlock()
	if id&namedBit != 0 {
		if n := tt.named[id]; n != nil {
			return n.node
		}
		return node{}
	}
	tp := tt.byNumber[id>>kindBits]
	if tp == nil {
		return node{}
	}
	return node{kind: kind(id & (1<<kindBits - 1)), topic: tp}
}

// remember counts a node of a topic that the kernel is told of, and returns its id. A topic that
// was dropped since it was found gets its place back.
func (tt *topicTable) remember(n node) uint64 {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	if n.kind.isNamed() {
		return tt.rememberNamed(n)
	}
	tt.rememberTopic(n.topic)
	return n.topic.id(n.kind)
}

// rememberTopic counts a lookup of a topic. mu is held, as below.
func (tt *topicTable) rememberTopic(tp *topic) {
	tp.lookups++
	tt.byNumber[tp.number] = tp
	if tt.byName[tp.name] == nil && !tp.removed.Load() {
		tt.byName[tp.name] = tp
	}
}

func (tt *topicTable) rememberNamed(n node) uint64 {
	known := tt.namedIDs[n]
	if known == nil {
		tt.lastNamed++
		known = &namedNode{node: n, id: namedBit | tt.lastNamed}
		tt.named[known.id], tt.namedIDs[n] = known, known
		if n.kind.isUnbounded() {
			tt.aging = append(tt.aging, known.id)
		}
		tt.rememberTopic(n.topic) // the topic outlives its nodes
	}
	known.lookups++
	return known.id
}

// old returns the name of the node that has been remembered for longest, if too many are. It is
// returned once, for a node that is in use stays.
func (tt *topicTable) old() (name entryName, found bool) {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	for len(tt.aging) > tt.namedMax {
		n := tt.named[tt.aging[0]]
		tt.aging = tt.aging[1:]
		if n != nil {
			return entryName{n.topic.id(n.parent().kind), n.name}, true
		}
	}
	return entryName{}, false
}

// forget takes back what remember counted.
func (tt *topicTable) forget(id, lookups uint64) {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	if id&namedBit == 0 {
		if tp := tt.byNumber[id>>kindBits]; tp != nil {
			tt.forgetTopic(tp, lookups)
		}
		return
	}
	n := tt.named[id]
	if n == nil {
		return
	}
	n.lookups -= min(lookups, n.lookups)
	if n.lookups == 0 {
		delete(tt.named, id)
		delete(tt.namedIDs, n.node)
		tt.forgetTopic(n.topic, 1)
	}
}

func (tt *topicTable) forgetTopic(tp *topic, lookups uint64) {
	tp.lookups -= min(lookups, tp.lookups)
	tt.dropIfUnused(tp)
}

// dropIfUnused forgets a topic that the log does not have and the kernel does not remember. Those
// that the log has keep their numbers, so that the places of a directory stay what they are.
func (tt *topicTable) dropIfUnused(tp *topic) {
	if tp.lookups > 0 || (tp.seen.Load() && !tp.removed.Load()) {
		return
	}
	delete(tt.byNumber, tp.number)
	if tt.byName[tp.name] == tp {
		delete(tt.byName, tp.name)
	}
}
