package nodes_test

import (
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
