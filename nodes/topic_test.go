package nodes_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/nodes"
)

func (m *mount) attr(path string) fuse.Attr {
	m.Helper()
	var out fuse.AttrOut
	in := fuse.GetAttrIn{InHeader: fuse.InHeader{NodeId: m.node(path)}}
	if st := m.tree.GetAttr(nil, &in, &out); st != fuse.OK {
		m.Fatalf("stat of %s: %v", path, st)
	}
	return out.Attr
}

func (m *mount) setAttr(path string, common fuse.SetAttrInCommon) syscall.Errno {
	m.Helper()
	common.NodeId = m.node(path)
	in := fuse.SetAttrIn{SetAttrInCommon: common}
	return syscall.Errno(m.tree.SetAttr(nil, &in, &fuse.AttrOut{}))
}

func TestModes(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	for _, test := range []struct {
		topic                  uint32
		dir, append, log, from uint32
	}{
		{0o644, 0o755, 0o200, 0o444, 0o555},
		{0o600, 0o700, 0o200, 0o400, 0o500},
		{0o640, 0o750, 0o200, 0o440, 0o550},
		{0o666, 0o777, 0o222, 0o444, 0o555},
		{0o622, 0o733, 0o222, 0o400, 0o500}, // a letter box
		{0, 0, 0, 0, 0},
	} {
		chmod := fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: syscall.S_IFDIR | test.topic}
		if errno := m.setAttr("orders", chmod); errno != 0 {
			t.Fatalf("chmod %o: %v", test.topic, errno)
		}
		for path, want := range map[string]uint32{
			"orders":        syscall.S_IFDIR | test.dir,
			"orders/append": syscall.S_IFREG | test.append,
			"orders/log":    syscall.S_IFREG | test.log,
			"orders/stream": syscall.S_IFREG | test.log,
			"orders/from":   syscall.S_IFDIR | test.from,
			"orders/from/3": syscall.S_IFREG | test.log,
			"orders/info":   syscall.S_IFREG | test.log,
		} {
			if got := m.attr(path).Mode; got != want {
				t.Errorf("topic %o: %s is %o, want %o", test.topic, path, got, want)
			}
		}
	}
}

func TestSetAttr(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "a\n")
	size := func(n uint64) fuse.SetAttrInCommon {
		return fuse.SetAttrInCommon{Valid: fuse.FATTR_SIZE, Size: n}
	}
	mode := func(mode uint32) fuse.SetAttrInCommon {
		return fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: mode}
	}
	touch := fuse.SetAttrInCommon{
		Valid: fuse.FATTR_ATIME | fuse.FATTR_MTIME | fuse.FATTR_ATIME_NOW | fuse.FATTR_MTIME_NOW,
	}
	owner := fuse.SetAttrInCommon{
		Valid: fuse.FATTR_UID | fuse.FATTR_GID, Owner: fuse.Owner{Uid: 1, Gid: 2},
	}
	tests := []struct {
		name, path string
		set        fuse.SetAttrInCommon
		want       syscall.Errno
	}{
		{"truncate append to nothing", "orders/append", size(0), 0},
		{"truncate append", "orders/append", size(1), syscall.EPERM},
		{"truncate log", "orders/log", size(0), syscall.EPERM},
		{"touch append", "orders/append", touch, 0},
		{"touch topic", "orders", touch, 0},
		{"touch log", "orders/log", touch, syscall.EPERM},
		{"chmod append to what it is", "orders/append", mode(0o200), 0},
		{"chmod append", "orders/append", mode(0o644), syscall.EPERM},
		{"chmod root", "", mode(0o700), syscall.EPERM},
		{"chmod .puro", ".puro", mode(0o700), syscall.EPERM},
		{"chmod topic", "orders", mode(0o700), 0},
		{"chown topic", "orders", owner, 0},
		{"chown its log to what it is then", "orders/log", owner, 0},
		{"chown log", "orders/log", fuse.SetAttrInCommon{Valid: fuse.FATTR_UID}, syscall.EPERM},
	}
	for _, test := range tests {
		if got := m.setAttr(test.path, test.set); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
	info, err := m.log.Topic("orders")
	if err != nil || info.Mode != 0o700 || info.UID != 1 || info.GID != 2 || info.Next != 1 {
		t.Errorf("the log has %+v, %v", info, err)
	}
	soon(t, m.kernel.inodes) // the old rights of append are not remembered
}

func TestReadOnly(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "a\n")
	ro := mountStore(t, m.dir, func(c *nodes.Config) { c.ReadOnly, c.AllowDelete = true, true })
	if got := ro.mkdir("other"); got != syscall.EROFS {
		t.Errorf("mkdir: got %v, want EROFS", got)
	}
	if got := ro.rmdir("orders"); got != syscall.EROFS {
		t.Errorf("rmdir: got %v, want EROFS", got)
	}
	if _, got := ro.tryOpen("orders/append", syscall.O_WRONLY); got != syscall.EROFS {
		t.Errorf("open: got %v, want EROFS", got)
	}
	chmod := fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o700}
	if got := ro.setAttr("orders", chmod); got != syscall.EROFS {
		t.Errorf("chmod: got %v, want EROFS", got)
	}
	if got := ro.cat("orders/log", 100); got != "a\n" {
		t.Errorf("log is %q", got)
	}
}

func TestOpenErrors(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	for _, test := range []struct {
		path  string
		flags uint32
		want  syscall.Errno
	}{
		{"orders/log", syscall.O_WRONLY, syscall.EACCES},
		{"orders/stream", syscall.O_RDWR, syscall.EACCES},
		{".puro/errors", syscall.O_WRONLY, syscall.EACCES},
		{"orders", syscall.O_RDONLY, syscall.EISDIR},
		{"orders/append", syscall.O_WRONLY | syscall.O_TRUNC, 0},
	} {
		if _, got := m.tryOpen(test.path, test.flags); got != test.want {
			t.Errorf("open %s with %o: got %v, want %v", test.path, test.flags, got, test.want)
		}
	}
	if _, _, handles, _ := m.tree.Sizes(); handles != 1 {
		t.Errorf("%d handles are open, want 1", handles)
	}
}

// Nothing but topics can be made or removed. The interface's defaults would say otherwise.
func TestRefused(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	dir := fuse.InHeader{NodeId: m.node("orders")}
	var entry fuse.EntryOut
	for name, st := range map[string]fuse.Status{
		"mknod":       m.tree.Mknod(nil, &fuse.MknodIn{InHeader: dir}, "x", &entry),
		"create":      m.tree.Create(nil, &fuse.CreateIn{InHeader: dir}, "x", &fuse.CreateOut{}),
		"tmpfile":     m.tree.Tmpfile(nil, &fuse.CreateIn{InHeader: dir}, &fuse.CreateOut{}),
		"unlink":      m.tree.Unlink(nil, &dir, "log"),
		"rmdir":       m.tree.Rmdir(nil, &dir, "from"),
		"rename":      m.tree.Rename(nil, &fuse.RenameIn{InHeader: dir}, "log", "x"),
		"link":        m.tree.Link(nil, &fuse.LinkIn{InHeader: dir}, "x", &entry),
		"symlink":     m.tree.Symlink(nil, &dir, "x", "y", &entry),
		"setxattr":    m.tree.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: dir}, "user.x", nil),
		"removexattr": m.tree.RemoveXAttr(nil, &dir, "user.x"),
		"fallocate":   m.tree.Fallocate(nil, &fuse.FallocateIn{InHeader: dir}),
	} {
		if st != fuse.EPERM {
			t.Errorf("%s: got %v, want EPERM", name, st)
		}
		if got := m.cat(".puro/errors", 64<<10); !strings.Contains(got, name+": ") {
			t.Errorf(".puro/errors does not tell of %s: %q", name, got)
		}
	}
}

func TestInfo(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "a\nbb\n")
	var info struct {
		Topic, Mode                string
		First, Next, Records       uint64
		Bytes                      uint64
		UID, GID                   uint32
		FirstTime, LastTime, Other time.Time
	}
	text := m.cat("orders/info", 100)
	text = strings.NewReplacer("first_time", "FirstTime", "last_time", "LastTime").Replace(text)
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		t.Fatal(err)
	}
	if info.Topic != "orders" || info.Mode != "0750" || info.First != 0 || info.Next != 2 ||
		info.Records != 2 || info.Bytes != 5 || info.UID != 17 || info.GID != 18 {
		t.Errorf("info is %s", text)
	}
	if info.FirstTime.IsZero() || info.LastTime.Before(info.FirstTime) {
		t.Errorf("times are wrong: %s", text)
	}
	if mtime := m.attr("orders/log"); !mtime.ModTime().Equal(info.LastTime) {
		t.Errorf("log is of %v, want %v", mtime.ModTime(), info.LastTime)
	}
}

func TestStatus(t *testing.T) {
	m := newMount(t, func(c *nodes.Config) { c.Mountpoint, c.Options = "/mnt/x", []string{"ro"} })
	m.mkdir("orders")
	var status map[string]any
	if err := json.Unmarshal([]byte(m.cat(".puro/status.json", 100)), &status); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"version": "test", "mountpoint": "/mnt/x", "options": []any{"ro"}, "store": m.dir,
		"topics": 1.0, "healthy": true, "sync": "none",
	} {
		if got := fmt.Sprint(status[name]); got != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	var fs fuse.StatfsOut
	st := m.tree.StatFs(nil, &fuse.InHeader{}, &fs)
	if st != fuse.OK || fs.Blocks == 0 || fs.NameLen != 1024 {
		t.Errorf("statfs: %v, %+v", st, fs)
	}
}

// A hostile name does not break a line of .puro/errors.
func TestErrorsAreLines(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("evil\nname")
	m.rmdir("evil\nname")
	text := m.cat(".puro/errors", 4096)
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, `topic="evil\nname"`) {
		t.Errorf(".puro/errors is %q", text)
	}
	if _, err := time.Parse(time.RFC3339Nano, strings.Fields(text)[0]); err != nil {
		t.Error(err)
	}
}

func TestStaleNodesAndHandles(t *testing.T) {
	m := newMount(t, nil)
	header := fuse.InHeader{NodeId: 999 << 8}
	set := fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{InHeader: header}}
	for name, st := range map[string]fuse.Status{
		"lookup":  m.tree.Lookup(nil, &header, "log", &fuse.EntryOut{}),
		"getattr": m.tree.GetAttr(nil, &fuse.GetAttrIn{InHeader: header}, &fuse.AttrOut{}),
		"setattr": m.tree.SetAttr(nil, &set, &fuse.AttrOut{}),
		"open":    m.tree.Open(nil, &fuse.OpenIn{InHeader: header}, &fuse.OpenOut{}),
		"opendir": m.tree.OpenDir(nil, &fuse.OpenIn{InHeader: header}, &fuse.OpenOut{}),
	} {
		if syscall.Errno(st) != syscall.ESTALE {
			t.Errorf("%s: got %v, want ESTALE", name, st)
		}
	}
	m.read(999, 0, 10).want("", syscall.EBADF)
	if got := m.writeAs(1, 999, "a\n"); got != syscall.EBADF {
		t.Errorf("write: got %v, want EBADF", got)
	}
	if _, got := m.tree.ServePoll(&nodes.PollIn{Fh: 999}); got != syscall.EBADF {
		t.Errorf("poll: got %v, want EBADF", got)
	}
	m.release(999)
}

// The methods that a server of go-fuse calls do the same as those of our transport.
func TestRawReadAndWrite(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	w, r := m.open("orders/append", syscall.O_WRONLY), m.open("orders/stream", syscall.O_RDONLY)
	never := make(chan struct{})
	if n, st := m.tree.Write(never, &fuse.WriteIn{Fh: w}, []byte("a\n")); n != 2 || st != fuse.OK {
		t.Errorf("write: %d, %v", n, st)
	}
	buf := make([]byte, 100)
	result, st := m.tree.Read(never, &fuse.ReadIn{Fh: r}, buf)
	if st != fuse.OK || string(buf[:result.Size()]) != "a\n" {
		t.Errorf("read: %q, %v", buf[:result.Size()], st)
	}
	canceled := make(chan struct{})
	close(canceled)
	if _, st := m.tree.Read(canceled, &fuse.ReadIn{Fh: r, Offset: 2}, buf); st != fuse.EINTR {
		t.Errorf("a read that is interrupted: %v, want EINTR", st)
	}
}
