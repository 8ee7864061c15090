package nodes_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes"
)

// put appends one record as a program that uses the library does, and returns its time.
func (m *mount) put(topic, key string, value []byte) time.Time {
	m.Helper()
	var b engine.Batch
	b.Add(topic, []byte(key), value)
	if err := m.log.Append(context.Background(), &b); err != nil {
		m.Fatal(err)
	}
	info, err := m.log.Topic(topic)
	if err != nil {
		m.Fatal(err)
	}
	return info.Time
}

func (m *mount) xattr(path, name string) (string, syscall.Errno) {
	m.Helper()
	in := fuse.InHeader{NodeId: m.node(path)}
	n, st := m.tree.GetXAttr(nil, &in, name, nil)
	if st != fuse.ERANGE {
		return "", syscall.Errno(st)
	}
	value := make([]byte, n)
	if n, st = m.tree.GetXAttr(nil, &in, name, value); int(n) != len(value) {
		m.Errorf("%s of %s has %d bytes, then %d", name, path, len(value), n)
	}
	return string(value), syscall.Errno(st)
}

func TestRecords(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("a")
	values := []string{"one", "", "two\nlines", "\x00\xff", strings.Repeat("x", 300_000)}
	for i, value := range values {
		key := strings.Repeat("k", i)
		at := m.put("a", key, []byte(value))
		path := fmt.Sprint("a/records/", i)
		if got := m.cat(path, 128<<10); got != value {
			t.Errorf("%s is %.20q, want %.20q", path, got, value)
		}
		attr := m.attr(path)
		if attr.Size != uint64(len(value)) || !attr.ModTime().Equal(at) ||
			!attr.ChangeTime().Equal(at) || attr.Mode != syscall.S_IFREG|0o440 {
			t.Errorf("%s has %+v, want %d bytes of %v", path, attr, len(value), at)
		}
		wantKey, wantErrno := key, syscall.Errno(0)
		if key == "" {
			wantErrno = syscall.ENODATA
		}
		if got, errno := m.xattr(path, "user.puro.key"); got != wantKey || errno != wantErrno {
			t.Errorf("%s has the key %q, %v", path, got, errno)
		}
		if got, _ := m.xattr(path, "user.puro.offset"); got != fmt.Sprint(i) {
			t.Errorf("%s has the offset %s", path, got)
		}
		got, _ := m.xattr(path, "user.puro.time")
		if parsed, err := time.Parse(time.RFC3339Nano, got); err != nil || !parsed.Equal(at) {
			t.Errorf("%s is of %s, want %v", path, got, at)
		}
	}
	if held := m.tree.ValuesHeld(); held != 0 {
		t.Errorf("%d bytes of values are held", held)
	}
	if got := m.list("a/records", 4096); len(got) != 2 {
		t.Errorf("records/ lists %q", got)
	}
}

func TestRecordNames(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("a")
	m.append("a", "one\n")
	for _, name := range []string{"1", "00", "+0", "-1", "0x0", "", "end", "18446744073709551616"} {
		if _, errno := m.lookup("a/records/" + name); errno != syscall.ENOENT {
			t.Errorf("records/%s: %v, want ENOENT", name, errno)
		}
	}
	m.append("a", "two\n")
	if got := m.cat("a/records/1", 100); got != "two" {
		t.Errorf("the record that was not there before is %q", got)
	}
	if out, _ := m.lookup("a/records/1"); out.EntryTimeout() != 0 {
		t.Errorf("its name may be remembered for %v", out.EntryTimeout())
	}
}

func TestXattrs(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("a")
	m.put("a", "k", nil)
	m.put("a", "", nil)
	for path, want := range map[string]string{
		"": "", ".puro/errors": "", "a": "", "a/append": "", "a/from/0": "", "a/records": "",
		"a/records/0": "user.puro.key\x00user.puro.offset\x00user.puro.time\x00",
		"a/records/1": "user.puro.offset\x00user.puro.time\x00",
	} {
		in := fuse.InHeader{NodeId: m.node(path)}
		dest := make([]byte, 100)
		n, st := m.tree.ListXAttr(nil, &in, dest)
		if got := string(dest[:n]); got != want || st != fuse.OK {
			t.Errorf("%s has %q, %v, want %q", path, got, st, want)
		}
		if n, st := m.tree.ListXAttr(nil, &in, nil); int(n) != len(want) {
			t.Errorf("the list of %s takes %d bytes, %v, want %d", path, n, st, len(want))
		}
		// Never ENOSYS: the kernel would not ask for any file any more.
		if _, st := m.tree.GetXAttr(nil, &in, "security.capability", dest); st != fuse.ENOATTR {
			t.Errorf("%s: %v, want ENOATTR", path, st)
		}
	}
}

// A countingLog counts the records that are asked for.
type countingLog struct {
	nodes.Log
	records int
}

func (l *countingLog) ReadRecord(
	topic string, offset uint64, use func(*engine.Record) error,
) error {
	l.records++
	return l.Log.ReadRecord(topic, offset, use)
}

// A large value is got from the log once, however many reads it takes; if too much is held already
// each read gets it anew. Nothing stays held in the end.
func TestLargeRecordIsReadOnce(t *testing.T) {
	for _, test := range []struct {
		held    int64
		fetches int
	}{{0, 1}, {nodes.ValueBytesMax, 11}} {
		counter := &countingLog{}
		m := newMount(t, func(c *nodes.Config) { counter.Log, c.Log = c.Log, counter })
		m.mkdir("a")
		value := bytes.Repeat([]byte("0123456789"), 110_000)
		m.put("a", "", value)
		fh := m.open("a/records/0", syscall.O_RDONLY)
		m.tree.SetValuesHeld(test.held)
		counter.records = 0
		var got []byte
		for range 11 {
			data, errno := m.read(fh, uint64(len(got)), 100_000).now()
			if errno != 0 {
				t.Fatal(errno)
			}
			got = append(got, data...)
		}
		m.read(fh, uint64(len(got)), 100_000).want("", 0)
		m.read(fh, 1<<62, 100_000).want("", 0)
		if !bytes.Equal(got, value) || counter.records != test.fetches {
			t.Errorf("got %d bytes with %d looks into the log, want %d",
				len(got), counter.records, test.fetches)
		}
		m.read(fh, 5, 5).want("56789", 0)
		m.release(fh)
		if held := m.tree.ValuesHeld(); held != test.held {
			t.Errorf("%d bytes of values are held in the end, want %d", held, test.held)
		}
	}
}

// Who still has a record open that was removed is told, not shown a short value.
func TestRecordOfRemovedTopic(t *testing.T) {
	m := newMount(t, func(c *nodes.Config) { c.AllowDelete = true })
	m.mkdir("a")
	m.append("a", "one\n")
	id, fh := m.node("a/records/0"), m.open("a/records/0", syscall.O_RDONLY)
	m.rmdir("a")
	m.read(fh, 0, 10).want("", syscall.ESTALE)
	var out fuse.AttrOut
	in := fuse.GetAttrIn{InHeader: fuse.InHeader{NodeId: id}}
	if st := m.tree.GetAttr(nil, &in, &out); st != fuse.OK || out.Nlink != 0 {
		t.Errorf("its attributes: %v, %+v", st, out)
	}
	m.mkdir("a")
	m.append("a", "two\n")
	if _, errno := m.lookup("a/records/0"); errno != syscall.ENOENT {
		t.Errorf("the old record of a topic that was made again: %v", errno)
	}
	if got := m.cat("a/records/1", 100); got != "two" {
		t.Errorf("its new record is %q", got)
	}
}
