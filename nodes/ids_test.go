package nodes_test

import (
	"fmt"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// A node keeps its id while the kernel remembers it, and no other one ever gets it.
func TestNodeIDsAreNotUsedAgain(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("a")
	seen := map[uint64]string{}
	for range 3 {
		for _, path := range []string{"a/from/1", "a/from/2", "a/from/start"} {
			id := m.node(path)
			if again := m.node(path); again != id {
				t.Errorf("%s is node %d, then %d", path, id, again)
			}
			if other, used := seen[id]; used {
				t.Errorf("%s has the node %d that %s had", path, id, other)
			}
			seen[id] = path
		}
		m.forgetAll()
	}
}

// The kernel remembers names as long as it has memory, of which this process may have less: it is
// asked to forget the oldest of those of which there can be any number.
func TestOldNamesAreForgotten(t *testing.T) {
	const limit = 10
	m := newMount(t, nil)
	m.mkdir("a")
	m.tree.LimitNamed(limit)
	for i := range 2 * limit {
		m.node(fmt.Sprint("a/from/", i))
		m.node("a/from/0") // which is the oldest all the same, and told of once
	}
	for i := range limit {
		if got := soon(t, m.kernel.entries); got != fmt.Sprint(i) {
			t.Errorf("the kernel is told to forget %q, want %d", got, i)
		}
	}
	if left := len(m.kernel.entries); left > 0 {
		t.Errorf("it is told to forget %d more", left)
	}
}

// Looking up the files of a topic, as every open of a path does, leaves nothing to collect.
func TestLookupAllocatesNothing(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("a")
	dir := fuse.InHeader{NodeId: m.node("a")}
	var out fuse.EntryOut
	allocs := testing.AllocsPerRun(100, func() {
		if st := m.tree.Lookup(nil, &dir, "log", &out); st != fuse.OK {
			t.Fatal(st)
		}
		m.tree.Forget(out.NodeId, 1)
	})
	if allocs != 0 {
		t.Errorf("a lookup and its forget allocate %v times", allocs)
	}
}
