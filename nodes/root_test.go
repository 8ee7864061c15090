package nodes_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes"
)

// list returns the names in a directory, read in replies of size bytes.
func (m *mount) list(path string, size int) []string {
	m.Helper()
	var out fuse.OpenOut
	in := fuse.OpenIn{InHeader: fuse.InHeader{NodeId: m.node(path)}}
	if st := m.tree.OpenDir(nil, &in, &out); st != fuse.OK {
		m.Fatalf("opendir of %s: %v", path, st)
	}
	defer m.tree.ReleaseDir(&fuse.ReleaseIn{Fh: out.Fh})
	var names []string
	for at := uint64(0); ; {
		entries := m.readDir(out.Fh, at, size)
		if len(entries) == 0 {
			return names
		}
		for _, entry := range entries {
			names = append(names, entry.Name)
			at = entry.Off
		}
	}
}

func (m *mount) readDir(fh, at uint64, size int) []fuse.DirEntry {
	m.Helper()
	list := fuse.NewDirEntryList(make([]byte, size), at)
	if st := m.tree.ReadDir(nil, &fuse.ReadIn{Fh: fh, Offset: at}, list); st != fuse.OK {
		m.Fatalf("readdir: %v", st)
	}
	entries, err := fuse.ParseDirEntries(list.Bytes())
	if err != nil {
		m.Fatal(err)
	}
	return entries
}

func TestReadDir(t *testing.T) {
	m := newMount(t, nil)
	for _, name := range []string{"b", "a", "c"} {
		m.mkdir(name)
	}
	tests := []struct {
		path string
		want []string
	}{
		{"", []string{".", "..", ".puro", "b", "a", "c"}}, // in the order in which they came
		{".puro", []string{".", "..", "status.json", "metrics", "errors"}},
		{"a", []string{".", "..", "append", "append.jsonl", "append.tsv",
			"append.raw", "log", "log.jsonl", "log.tsv", "stream", "stream.jsonl", "stream.tsv",
			"stream.raw", "from", "records", "keys", "cursors", "info"}},
		{"a/from", []string{".", ".."}},
	}
	for _, test := range tests {
		for _, size := range []int{40, 100, 4096} {
			if got := m.list(test.path, size); !slices.Equal(got, test.want) {
				t.Errorf("%q in replies of %d bytes: %q, want %q", test.path, size, got, test.want)
			}
		}
	}
}

// On a mount without live files, what waits is found by name but not listed, in parts as in one.
func TestReadDirWithoutLiveFiles(t *testing.T) {
	m := newMount(t, func(c *nodes.Config) { c.NoLive = true })
	m.mkdir("a")
	m.mkdir("orders")
	m.append("orders", "1\n")
	m.makeCursor("billing")
	if got := m.list(billing, 4096); !slices.Equal(got[2:], []string{"position", "lag"}) {
		t.Errorf("the files of a cursor are %q", got)
	}
	live := []string{"stream", "stream.jsonl", "stream.tsv", "stream.raw", "from"}
	want := slices.DeleteFunc(mountStore(t, m.dir, nil).list("a", 4096), func(name string) bool {
		return slices.Contains(live, name)
	})
	for _, size := range []int{40, 4096} {
		if got := m.list("a", size); !slices.Equal(got, want) || len(got) < 10 {
			t.Errorf("in replies of %d bytes: %q, want %q", size, got, want)
		}
	}
	for _, name := range append(live, "from/start") {
		m.node("a/" + name)
	}
}

// A place in the root stays what it is while topics come and go.
func TestReadDirWhileTopicsComeAndGo(t *testing.T) {
	m := newMount(t, func(c *nodes.Config) { c.AllowDelete = true })
	for i := range 10 {
		m.mkdir(fmt.Sprint(i))
	}
	var out fuse.OpenOut
	m.tree.OpenDir(nil, &fuse.OpenIn{InHeader: fuse.InHeader{NodeId: fuse.FUSE_ROOT_ID}}, &out)
	first := m.readDir(out.Fh, 0, 300)
	at := first[len(first)-1]
	m.rmdir("0")
	m.mkdir("new")
	m.tree.OpenDir(nil, &fuse.OpenIn{InHeader: fuse.InHeader{NodeId: fuse.FUSE_ROOT_ID}}, &out)
	next := m.readDir(out.Fh, at.Off, 4096)
	if want := fmt.Sprint(int(at.Name[0]-'0') + 1); next[0].Name != want {
		t.Errorf("behind %q comes %q, want %q", at.Name, next[0].Name, want)
	}
	if last := next[len(next)-1].Name; last != "new" {
		t.Errorf("the last one is %q, want %q", last, "new")
	}
}

func TestReadDirPlusIsLookup(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("a")
	m.append("a", "12345\n")
	for _, path := range []string{"", "a"} {
		var out fuse.OpenOut
		m.tree.OpenDir(nil, &fuse.OpenIn{InHeader: fuse.InHeader{NodeId: m.node(path)}}, &out)
		list := fuse.NewDirEntryList(make([]byte, 4096), 0)
		if st := m.tree.ReadDirPlus(nil, &fuse.ReadIn{Fh: out.Fh}, list); st != fuse.OK {
			t.Fatal(st)
		}
		entries, outs, err := fuse.ParseDirLookupEntries(list.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for i, entry := range entries[2:] {
			name := strings.TrimPrefix(path+"/"+entry.Name, "/")
			want, errno := m.lookup(name)
			if errno != 0 || outs[i+2] != want || entry.Ino != want.Ino {
				t.Errorf("%s: got %+v, want %+v (%v)", name, outs[i+2], want, errno)
			}
		}
		if outs[0].NodeId != 0 || outs[1].NodeId != 0 {
			t.Errorf("%q: . and .. have entries", path)
		}
	}
}

func TestMkdir(t *testing.T) {
	m := newMount(t, nil)
	tests := []struct {
		name string
		want syscall.Errno
	}{
		{"orders", 0},
		{"orders", syscall.EEXIST},
		{"two words\n\xff", 0},
		{strings.Repeat("x", 255), 0},
		{strings.Repeat("x", 256), syscall.ENAMETOOLONG},
		{".puro", syscall.EINVAL},
		{".purofs", syscall.EINVAL},
		{"\x01", syscall.EINVAL},
		{"a%2Fb", syscall.EINVAL},
		{".hidden", 0},
	}
	for _, test := range tests {
		if got := m.mkdir(test.name); got != test.want {
			t.Errorf("mkdir %.20q: got %v, want %v", test.name, got, test.want)
		}
	}
	info, err := m.log.Topic("orders")
	if err != nil || info.Mode != 0o750 || info.UID != 17 || info.GID != 18 {
		t.Errorf("the log has %+v, %v, want mode 750, owner 17:18", info, err)
	}
	in := fuse.MkdirIn{InHeader: fuse.InHeader{NodeId: m.node("orders")}}
	if st := m.tree.Mkdir(nil, &in, "sub", &fuse.EntryOut{}); st != fuse.EPERM {
		t.Errorf("mkdir orders/sub: got %v, want EPERM", st)
	}
}

func TestRmdir(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	if got := m.rmdir("orders"); got != syscall.EPERM {
		t.Errorf("without allow_delete: got %v, want EPERM", got)
	}
	if got := m.cat(".puro/errors", 4096); !strings.Contains(got, "allow_delete") {
		t.Errorf(".puro/errors does not say why: %q", got)
	}
	m = newMount(t, func(c *nodes.Config) { c.AllowDelete = true })
	m.mkdir("orders")
	before := m.node("orders")
	for _, test := range []struct {
		name string
		want syscall.Errno
	}{{"orders", 0}, {"orders", syscall.ENOENT}, {".puro", syscall.EPERM}} {
		if got := m.rmdir(test.name); got != test.want {
			t.Errorf("rmdir %s: got %v, want %v", test.name, got, test.want)
		}
	}
	m.mkdir("orders")
	if after := m.node("orders"); after == before {
		t.Errorf("a topic that was made again has the node %d of the one that was removed", after)
	}
	if got := m.cat("orders/log", 100); got != "" {
		t.Errorf("log is %q", got)
	}
}

// What another mount makes and removes is seen, and the kernel is told of what is gone.
func TestTopicsOfOtherMounts(t *testing.T) {
	m := newMount(t, nil)
	other := mountStore(t, m.dir, func(c *nodes.Config) { c.AllowDelete = true })
	for _, name := range []string{"a", "b"} {
		other.mkdir(name)
	}
	if got := m.list("", 4096)[3:]; !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the topics are %q", got)
	}
	inos := [2]fuse.EntryOut{}
	inos[0], _ = m.lookup("a/log")
	inos[1], _ = other.lookup("a/log")
	if inos[0].Ino != inos[1].Ino {
		t.Errorf("inode numbers differ: %d and %d", inos[0].Ino, inos[1].Ino)
	}
	other.rmdir("a")
	if _, errno := m.lookup("a"); errno != syscall.ENOENT {
		t.Errorf("a: %v, want ENOENT", errno)
	}
	if got := soon(t, m.kernel.entries); got != "a" {
		t.Errorf("the kernel is told of %q, want %q", got, "a")
	}
	other.rmdir("b")
	m.list("", 4096)
	if got := soon(t, m.kernel.entries); got != "b" {
		t.Errorf("the kernel is told of %q, want %q", got, "b")
	}
}

func TestAutoCreate(t *testing.T) {
	m := newMount(t, func(c *nodes.Config) {
		c.AutoCreate, c.NewTopic = true, engine.TopicAttr{Mode: 0o640, UID: 5, GID: 6}
	})
	for _, name := range []string{".git", ".Trash", ".puro-x"} {
		if _, errno := m.lookup(name); errno != syscall.ENOENT {
			t.Errorf("%s: %v, want ENOENT", name, errno)
		}
	}
	out, errno := m.lookup("typo")
	if errno != 0 || out.EntryTimeout() != 0 || out.Mode != syscall.S_IFDIR|0o750 || out.Uid != 5 {
		t.Errorf("a name: %v, %+v", errno, out)
	}
	if got := m.cat("typo/log", 100); got != "" {
		t.Errorf("log is %q", got)
	}
	if topics := m.log.Topics(); len(topics) != 0 {
		t.Errorf("looking has made %+v", topics)
	}
	m.append("new", "a\n")
	if got := m.list("", 4096)[3:]; !slices.Equal(got, []string{"new"}) {
		t.Errorf("the topics are %q", got)
	}
	if got := m.cat("new/log", 100); got != "a\n" {
		t.Errorf("log is %q", got)
	}
}

// The tree remembers what the kernel does and what the log has, and no more.
func TestForget(t *testing.T) {
	m := newMount(t, func(c *nodes.Config) { c.AutoCreate, c.AllowDelete = true, true })
	m.mkdir("there")
	m.node("there")
	for i := range 100 {
		for _, path := range []string{"typo%d", "typo%d/log", "typo%d/from/3", "gone%d"} {
			m.node(fmt.Sprintf(path, i))
		}
		m.append(fmt.Sprintf("gone%d", i), "a\n")
		m.rmdir(fmt.Sprintf("gone%d", i))
	}
	before := m.node("there")
	if topics, from, _, _ := m.tree.Sizes(); topics != 201 || from != 100 {
		t.Errorf("the tree remembers %d topics and %d positions, want 201 and 100", topics, from)
	}
	m.forgetAll()
	if topics, from, _, _ := m.tree.Sizes(); topics != 1 || from != 0 {
		t.Errorf("then it remembers %d topics and %d positions, want 1 and 0", topics, from)
	}
	if after := m.node("there"); after != before {
		t.Errorf("the node of a topic was %d and is %d", before, after)
	}
}
