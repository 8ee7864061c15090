package nodes_test

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes"
	"purofs/nodes/codec"
)

// write writes to a file and closes it, as cat does, and returns the first error.
func (m *mount) write(path, data string) syscall.Errno {
	m.Helper()
	fh := m.open(path, syscall.O_WRONLY|syscall.O_APPEND)
	defer m.release(fh)
	for len(data) > 0 {
		n := min(len(data), 1<<20)
		if errno := m.writeAs(1, fh, data[:n]); errno != 0 {
			return errno
		}
		data = data[n:]
	}
	return m.flush(1, fh)
}

func TestAppendFormats(t *testing.T) {
	tests := []struct{ name, data, want string }{ // want is what log.tsv is then
		{"append.jsonl", `{"key":"k","value":"v"}` + "\n" + `{"value":[1, 2]}` + "\n", "k\tv\n\t[1,2]\n"},
		{"append.jsonl", `{"value":"no newline"}`, "\tno newline\n"},
		{"append.jsonl", "\n\n", ""},
		{"append.jsonl", "\n \t", ""},
		{"append.tsv", "k\tv\n\tw", "k\tv\n\tw\n"},
		{"append.raw", "any\nbytes\x00\n", "\tany\\nbytes\x00\\n\n"},
		{"append.raw", "", ""},
	}
	for _, test := range tests {
		m := newMount(t, nil)
		m.mkdir("orders")
		if errno := m.write("orders/"+test.name, test.data); errno != 0 {
			t.Errorf("%s of %q: %v", test.name, test.data, errno)
		}
		if got := m.cat("orders/log.tsv", 100); got != test.want {
			t.Errorf("%s of %q: got %q, want %q", test.name, test.data, got, test.want)
		}
	}
}

// A bad line is EINVAL, .puro/errors tells which and why, and nothing of the write is stored.
func TestAppendBadLines(t *testing.T) {
	tests := []struct{ name, data, reason string }{
		{"append.jsonl", `{"value":"a"}` + "\n" + `{"value":}` + "\n", "line 2: invalid"},
		{"append.jsonl", `{"value":"a"}` + "\n\n" + `{"valu` + "\n", "line 3: "},
		{"append.tsv", "\ta\nb\n", "line 2: no TAB"},
	}
	for _, test := range tests {
		m := newMount(t, nil)
		m.mkdir("orders")
		if errno := m.write("orders/"+test.name, test.data); errno != syscall.EINVAL {
			t.Errorf("%s of %q: got %v, want EINVAL", test.name, test.data, errno)
		}
		if got := m.cat("orders/log", 100); got != "" {
			t.Errorf("%s of %q: %q is stored", test.name, test.data, got)
		}
		if got := m.cat(".puro/errors", 4096); !strings.Contains(got, "write: "+test.reason) {
			t.Errorf("%s of %q: .puro/errors is %s", test.name, test.data, got)
		}
		if m.tree.Carried() != 0 {
			t.Errorf("%s of %q: %d bytes are carried", test.name, test.data, m.tree.Carried())
		}
	}
}

// The last line is read by close(2), which then tells what is wrong with it. fsync(2) leaves it as
// it is, so that it can still be ended.
func TestAppendBadLastLine(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	if errno := m.write("orders/append.jsonl", `{"value":"a"}`+"\n"+`{"val`); errno != syscall.EINVAL {
		t.Errorf("close: got %v, want EINVAL", errno)
	}
	fh := m.open("orders/append.jsonl", syscall.O_WRONLY)
	m.writeAs(1, fh, `{"value":`)
	if st := m.tree.Fsync(nil, &fuse.FsyncIn{Fh: fh}); st != fuse.EINVAL {
		t.Errorf("fsync: got %v, want EINVAL", st)
	}
	if errno := m.writeAs(1, fh, `"b"}`); errno != 0 {
		t.Errorf("write: %v", errno)
	}
	if errno := m.flush(1, fh); errno != 0 {
		t.Errorf("close: %v", errno)
	}
	if got, want := m.cat("orders/log", 100), "a\nb\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
}

// writeAt writes at an offset of the file.
func (m *mount) writeAt(owner, fh, offset uint64, data string) syscall.Errno {
	m.Helper()
	in := fuse.WriteIn{
		Fh: fh, Offset: offset, Size: uint32(len(data)),
		WriteFlags: fuse.WRITE_LOCKOWNER, LockOwner: owner,
	}
	_, errno := m.tree.ServeWrite(m.Context(), &in, []byte(data))
	return errno
}

func TestAppendRaw(t *testing.T) {
	const me, child = 1, 2
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/append.raw", syscall.O_WRONLY)
	check := func(want string, errno, wantErrno syscall.Errno) {
		t.Helper()
		if got := m.cat("orders/log.tsv", 100); got != want || errno != wantErrno {
			t.Fatalf("%v, log.tsv is %q, want %v, %q", errno, got, wantErrno, want)
		}
	}
	check("", m.writeAt(me, fh, 0, "a\n"), 0)
	check("", syscall.Errno(m.tree.Fsync(nil, &fuse.FsyncIn{Fh: fh})), 0) // which ends nothing
	check("", m.flush(child, fh), 0)
	check("", m.writeAt(me, fh, 2, "b"), 0)
	synced := false
	m.log.onAppend(func(_ context.Context, b *engine.Batch) error {
		synced = b.Sync
		return nil
	})
	check("\ta\\nb\n", m.flush(me, fh), 0)
	if !synced {
		t.Error("a record that was to be synced before it was whole is not when it is")
	}
	// What another process writes to the same open file goes on where the file does.
	check("\ta\\nb\n", m.writeAt(child, fh, 3, "c"), 0)
	check("\ta\\nb\n\tc\n", m.flush(child, fh), 0)
	if synced {
		t.Error("and the next one is synced as well")
	}
	check("\ta\\nb\n\tc\n", m.flush(me, fh), 0)
	m.release(fh)
	if m.tree.Carried() != 0 {
		t.Errorf("%d bytes are carried", m.tree.Carried())
	}
}

// A hole in a record, or a part of it that is written twice, cannot be made: that must be seen, and
// the rest must not pass for the record.
func TestAppendRawOutOfOrder(t *testing.T) {
	for _, place := range []uint64{0, 3, 5, 1 << 40} {
		m := newMount(t, nil)
		m.mkdir("orders")
		fh := m.open("orders/append.raw", syscall.O_WRONLY)
		m.writeAt(1, fh, 0, "four")
		if errno := m.writeAt(1, fh, place, "more"); errno != syscall.EINVAL {
			t.Errorf("a write at %d behind 4 bytes: %v, want EINVAL", place, errno)
		}
		if errno := m.writeAt(1, fh, 4, "more"); errno == 0 {
			t.Error("the record goes on")
		}
		m.flush(1, fh)
		if got := m.cat("orders/log", 100); got != "" {
			t.Errorf("%q is stored", got)
		}
		if got := m.cat(".puro/errors", 4096); !strings.Contains(got, "holes") {
			t.Errorf(".puro/errors is %s", got)
		}
	}
}

// Nor can a hole be made in other ways; a file that was not written to yet has none.
func TestAppendRawHoles(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	node := m.node("orders/append.raw")
	punch := func(fh uint64) syscall.Errno {
		return syscall.Errno(m.tree.Fallocate(nil, &fuse.FallocateIn{Fh: fh, Length: 1}))
	}
	extend := func(fh uint64) syscall.Errno {
		in := fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{
			InHeader: fuse.InHeader{NodeId: node}, Valid: fuse.FATTR_SIZE | fuse.FATTR_FH, Fh: fh, Size: 9,
		}}
		return syscall.Errno(m.tree.SetAttr(nil, &in, &fuse.AttrOut{}))
	}
	for _, hole := range []func(uint64) syscall.Errno{punch, extend} {
		fh := m.open("orders/append.raw", syscall.O_WRONLY)
		if errno := hole(fh); errno != syscall.EPERM {
			t.Errorf("a hole in nothing: %v, want EPERM", errno)
		}
		if errno := m.writeAt(1, fh, 0, "some"); errno != 0 {
			t.Errorf("write: %v", errno)
		}
		if errno := hole(fh); errno != syscall.EPERM {
			t.Errorf("a hole: %v, want EPERM", errno)
		}
		if m.tree.Carried() != 0 {
			t.Errorf("%d bytes are carried", m.tree.Carried())
		}
		m.flush(1, fh)
	}
	if got := m.cat("orders/log", 100); got != "" {
		t.Errorf("%q is stored", got)
	}
}

// A record begins where its first write is, which need not be the beginning of the file.
func TestAppendRawBeginsAnywhere(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/append.raw", syscall.O_WRONLY)
	for _, place := range []uint64{0, 5, 1 << 40} {
		for i, part := range []string{"a", "bc", "d"} {
			if errno := m.writeAt(1, fh, place+[]uint64{0, 1, 3}[i], part); errno != 0 {
				t.Errorf("write of %q to a record at %d: %v", part, place, errno)
			}
		}
		if errno := m.flush(1, fh); errno != 0 {
			t.Errorf("close: %v", errno)
		}
	}
	if got, want := m.cat("orders/log", 100), "abcd\nabcd\nabcd\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
}

// A write whose records could not be stored leaves the line that it ended as it was, and can be
// made again.
func TestAppendOfAnEndedLineFails(t *testing.T) {
	tests := []struct{ name, begun, rest string }{
		{"append", "begun ", "and ended\n"},
		{"append.jsonl", `{"value":"begun `, `and ended"}` + "\n"},
		{"append.tsv", "\tbegun ", "and ended\n"},
	}
	for _, test := range tests {
		m := newMount(t, nil)
		m.mkdir("orders")
		fh := m.open("orders/"+test.name, syscall.O_WRONLY)
		if errno := m.writeAs(1, fh, test.begun); errno != 0 {
			t.Fatal(errno)
		}
		m.log.onAppend(func(context.Context, *engine.Batch) error { return engine.ErrLocked })
		for range 3 {
			if errno := m.writeAs(1, fh, test.rest); errno != syscall.EBUSY {
				t.Errorf("%s: got %v, want EBUSY", test.name, errno)
			}
		}
		m.log.onAppend(nil)
		if errno := m.writeAs(1, fh, test.rest); errno != 0 {
			t.Errorf("%s: %v", test.name, errno)
		}
		if got, want := m.cat("orders/log", 100), "begun and ended\n"; got != want {
			t.Errorf("%s: log is %q, want %q", test.name, got, want)
		}
	}
}

func TestAppendRawTooLong(t *testing.T) {
	m := newMount(t, func(c *nodes.Config) { c.ValueBytes = 8 })
	m.mkdir("orders")
	for data, want := range map[string]syscall.Errno{
		"12345678": 0, "123456789": syscall.EMSGSIZE,
	} {
		if errno := m.write("orders/append.raw", data); errno != want {
			t.Errorf("%s: got %v, want %v", data, errno, want)
		}
	}
	if got := m.cat("orders/log", 100); got != "12345678\n" {
		t.Errorf("log is %q", got)
	}
}

// What a log is in JSONL or TSV, written to another topic, makes the same records: of any bytes,
// and of the largest size.
func TestFaithfulCopy(t *testing.T) {
	const valueBytes = 1 << 20
	m := newMount(t, func(c *nodes.Config) { c.ValueBytes = valueBytes })
	records := someRecords(7, 100)
	largest := strings.Repeat("\x00", valueBytes)
	records = append(records, keyed{"large", largest}, keyed{"not text", largest[1:] + "\xff"},
		keyed{strings.Repeat("\x01", 1000), ""}, keyed{"", largest[:1000] + "é\n\t\\"})
	m.mkdir("original")
	for _, r := range records {
		m.add("original", r)
	}
	want := m.text("original", codec.TSV)
	for _, format := range textFormats {
		topic := "copy" + format.Suffix()
		m.mkdir(topic)
		text := m.cat("original/log"+format.Suffix(), 1<<20)
		if errno := m.write(topic+"/append"+format.Suffix(), text); errno != 0 {
			t.Fatalf("%s: %v", topic, errno)
		}
		if got := m.text(topic, codec.TSV); got != want {
			t.Errorf("%s is different: %d bytes, want %d", topic, len(got), len(want))
		}
	}
	if m.tree.Carried() != 0 {
		t.Errorf("%d bytes are carried", m.tree.Carried())
	}
}
