package nodes_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes"
)

func TestKeys(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("a")
	for key, shown := range map[string]string{
		"coffee": "coffee", "a/b": "a%2Fb", "\x00": "%00", ".": "%2E", "..": "%2E%2E", "%": "%",
		"%2F": "%252F", "two words\n\xff": "two words\n\xff",
		strings.Repeat("k", 1024): strings.Repeat("k", 1024),
	} {
		m.put("a", key, []byte("old"))
		at := m.put("a", key, []byte("of "+key))
		path := "a/keys/" + shown
		if strings.Contains(shown, "/") {
			t.Fatal(shown)
		}
		if got := m.cat(path, 4096); got != "of "+key {
			t.Errorf("%s is %q", path, got)
		}
		attr := m.attr(path)
		if attr.Size != uint64(3+len(key)) || !attr.ModTime().Equal(at) ||
			attr.Mode != syscall.S_IFREG|0o440 {
			t.Errorf("%s has %+v, want %d bytes of %v", path, attr, 3+len(key), at)
		}
		if got, errno := m.xattr(path, "user.puro.key"); got != key || errno != 0 {
			t.Errorf("%s has the key %q, %v", path, got, errno)
		}
		if !slices.Contains(m.list("a/keys", 4096), shown) {
			t.Errorf("%s is not listed", path)
		}
	}
	for _, name := range []string{"tea", "%2E.", "%2Fx%", "%25", "", "k\x00"} {
		if _, errno := m.lookup("a/keys/" + name); errno != syscall.ENOENT {
			t.Errorf("keys/%q: %v, want ENOENT", name, errno)
		}
	}
	m.put("a", "coffee", nil)
	if _, errno := m.lookup("a/keys/coffee"); errno != syscall.ENOENT {
		t.Errorf("a key without a value: %v, want ENOENT", errno)
	}
	m.put("a", strings.Repeat("/", 342), []byte("v")) // its name would have 1026 bytes
	m.put("a", "", []byte("no key"))
	if got := m.list("a/keys", 4096); len(got) != 2+8 || got[2] != "%00" {
		t.Errorf("the keys are %q", got)
	}
}

// A key that is open is what it was, whatever becomes of the key.
func TestOpenKeyStaysWhatItWas(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("a")
	m.put("a", "k", []byte("first"))
	id, first := m.node("a/keys/k"), m.open("a/keys/k", syscall.O_RDONLY)
	m.put("a", "k", []byte("the second one"))
	m.read(first, 0, 100).want("first", 0)
	if got := m.attr("a/keys/k").Size; got != 14 {
		t.Errorf("stat says %d bytes, want those of the new value", got)
	}
	m.put("a", "k", nil)
	m.read(first, 2, 2).want("rs", 0)
	var out fuse.AttrOut
	in := fuse.GetAttrIn{InHeader: fuse.InHeader{NodeId: id}}
	if st := m.tree.GetAttr(nil, &in, &out); st != fuse.OK || out.Nlink != 0 {
		t.Errorf("a key that is gone has %v, %+v", st, out)
	}
	if _, errno := m.tryOpenNode(id); errno != syscall.ENOENT {
		t.Errorf("opening it again: %v, want ENOENT", errno)
	}
}

func (m *mount) tryOpenNode(id uint64) (uint64, syscall.Errno) {
	var out fuse.OpenOut
	st := m.tree.Open(nil, &fuse.OpenIn{InHeader: fuse.InHeader{NodeId: id}}, &out)
	return out.Fh, syscall.Errno(st)
}

// A listing that is read in parts lists each key that was there all the time once, whatever comes
// and goes meanwhile. Neither it nor stat reads a value.
func TestReadDirOfKeys(t *testing.T) {
	counter := &countingLog{}
	m := newMount(t, func(c *nodes.Config) { counter.Log, c.Log = c.Log, counter })
	m.mkdir("a")
	const keys = 1000
	for i := range keys {
		m.put("a", fmt.Sprint(i), []byte("v"))
	}
	counter.records = 0
	var out fuse.OpenOut
	in := fuse.OpenIn{InHeader: fuse.InHeader{NodeId: m.node("a/keys")}}
	if st := m.tree.OpenDir(nil, &in, &out); st != fuse.OK {
		t.Fatal(st)
	}
	names := map[string]int{}
	for at, parts := uint64(0), 0; ; parts++ {
		list := fuse.NewDirEntryList(make([]byte, 4096), at)
		read := fuse.ReadIn{Fh: out.Fh, Offset: at}
		if st := m.tree.ReadDirPlus(nil, &read, list); st != fuse.OK {
			t.Fatal(st)
		}
		entries, outs, err := fuse.ParseDirLookupEntries(list.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		for i, entry := range entries {
			names[entry.Name]++
			at = entry.Off
			if entry.Name != "." && entry.Name != ".." && entry.Name != "500" && outs[i].Size != 1 {
				t.Errorf("%s has %d bytes, node %d", entry.Name, outs[i].Size, outs[i].NodeId)
			}
		}
		m.put("a", fmt.Sprint("!", parts), []byte("v")) // sorts before all
		m.put("a", "500", nil)
	}
	if len(names) != keys+2 {
		t.Errorf("%d names were listed, want %d", len(names), keys+2)
	}
	for name, times := range names {
		if times != 1 {
			t.Errorf("%s was listed %d times", name, times)
		}
	}
	if counter.records != 0 {
		t.Errorf("%d values were read", counter.records)
	}
}

// A topic that is only a name yet has no keys; one with too many says why it cannot be listed.
func TestKeysThatCannotBeListed(t *testing.T) {
	m := newMount(t, func(c *nodes.Config) {
		c.AutoCreate, c.Log = true, crowdedLog{c.Log}
	})
	if got := m.list("typo/keys", 4096); len(got) != 2 {
		t.Errorf("the keys of a name are %q", got)
	}
	m.put("crowded", "k", []byte("v"))
	var out fuse.OpenOut
	in := fuse.OpenIn{InHeader: fuse.InHeader{NodeId: m.node("crowded/keys")}}
	m.tree.OpenDir(nil, &in, &out)
	st := m.tree.ReadDir(nil, &fuse.ReadIn{Fh: out.Fh}, fuse.NewDirEntryList(make([]byte, 4096), 0))
	if syscall.Errno(st) != syscall.ENOBUFS {
		t.Errorf("got %v, want ENOBUFS", st)
	}
	if got := m.cat(".puro/errors", 4096); !strings.Contains(got, engine.ErrTooManyKeys.Error()) {
		t.Errorf(".puro/errors does not say why: %q", got)
	}
}

// A crowdedLog has a topic with too many keys.
type crowdedLog struct{ nodes.Log }

func (l crowdedLog) Keys(ctx context.Context, topic string) ([]engine.KeyInfo, error) {
	if topic == "crowded" {
		return nil, engine.ErrTooManyKeys
	}
	return l.Log.Keys(ctx, topic)
}
