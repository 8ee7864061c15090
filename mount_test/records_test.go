package mount_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"purofs/engine"
)

// put appends one record with a key, as a program with the library does.
func put(t *testing.T, log *engine.Log, topic, key string, value []byte) {
	t.Helper()
	var batch engine.Batch
	batch.Add(topic, []byte(key), value)
	if err := log.Append(context.Background(), &batch); err != nil {
		t.Fatal(err)
	}
}

// randomBytes are bytes of all kinds, the same ones each time.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// A record of any bytes comes out as a file like any other.
func TestRecordsAreFiles(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	log := openLog(t, m.store)
	picture := randomBytes(10 << 20)
	copied := writeFile(t, "picture", string(picture))
	put(t, log, "t", "pictures/1", picture)
	put(t, log, "t", "", nil)
	put(t, log, "t", "k", []byte("two\nlines\n"))
	info, err := log.Topic("t")
	if err != nil {
		t.Fatal(err)
	}
	m.sh(`cp t/records/0 ` + copied + `.2; cmp ` + copied + ` ` + copied + `.2
		cmp t/records/0 ` + copied + `
		cmp <(dd if=t/records/0 bs=777 skip=5000 count=20 status=none) \
			<(dd if=` + copied + ` bs=777 skip=5000 count=20 status=none)
		cmp <(tail -c 100000 t/records/0) <(tail -c 100000 ` + copied + `)`)
	for _, test := range []struct{ script, want string }{
		{`stat -c %s t/records/{0,1,2}`, "10485760\n0\n10\n"},
		{`cat t/records/2`, "two\nlines\n"},
		{`stat -c %.9Y t/records/2`, fmt.Sprintf("%d.%09d\n", info.Time.Unix(), info.Time.Nanosecond())},
		{`ls t/records`, ""},
		{`test -f t/records/1 -a ! -s t/records/1 -a ! -e t/records/3 && echo yes`, "yes\n"},
		{`cd t/records; for ((i = 0; ; i++)); do test -e $i || break; done; echo $i`, "3\n"},
		{`python3 -c '
import mmap
with open("t/records/0", "rb") as f: print(len(mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)))'`,
			"10485760\n"},
	} {
		if got := m.sh(test.script); got != test.want {
			t.Errorf("%s\nprints %q, want %q", test.script, got, test.want)
		}
	}
	put(t, log, "t", "", []byte("later"))
	m.want("t/records/3", "later")
}

// The key, the offset and the time of a record are extended attributes.
func TestRecordsHaveAttributes(t *testing.T) {
	t.Parallel()
	needTool(t, "getfattr")
	m := mountStore(t)
	log := openLog(t, m.store)
	put(t, log, "t", "the key", []byte("a"))
	put(t, log, "t", "", []byte("b"))
	put(t, log, "t", "\x00\xff", []byte("c"))
	info, err := log.Topic("t")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ script, want string }{
		{`getfattr --only-values -n user.puro.key t/records/0`, "the key"},
		{`getfattr -d -e hex t/records/2 | sed 1d | grep -v time`,
			"user.puro.key=0x00ff\nuser.puro.offset=0x32\n\n"},
		{`getfattr --only-values -n user.puro.time t/records/2`,
			info.Time.UTC().Format(time.RFC3339Nano)},
		{`getfattr t/records/1 | sed 1d`, "user.puro.offset\nuser.puro.time\n\n"},
		{`getfattr -d t/append t/log t .`, ""},
		{`python3 -c 'import os; print(os.getxattr("t/records/0", "user.puro.offset"))'`, "b'0'\n"},
		{`! getfattr -n user.puro.key t/records/1 2>&1`,
			"t/records/1: user.puro.key: No such attribute\n"},
	} {
		if got := m.sh(test.script); got != test.want {
			t.Errorf("%s\nprints %q, want %q", test.script, got, test.want)
		}
	}
	// Tools that keep attributes get them along.
	tmp := newDir(t, "tmp")
	if got := m.sh(`cp --preserve=xattr,timestamps t/records/0 ` + tmp + `/0
		stat -c %.9Y t/records/0 ` + tmp + `/0 | uniq | wc -l`); got != "1\n" {
		t.Errorf("a copy has another time, %s", got)
	}
}

// A damaged record is an error, not a short file; its neighbours are what they were.
func TestRecordsAndDamage(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store")
	log := openLog(t, store)
	for _, value := range []string{"before", "damaged", "behind"} {
		appendLines(t, log, "t", value)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(store, "stream0.puro")
	segment, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	segment[bytes.LastIndex(segment, []byte("damaged"))] ^= 1
	if err := os.WriteFile(name, segment, 0o600); err != nil {
		t.Fatal(err)
	}
	m := mountOn(t, store)
	m.want("t/records/0", "before")
	m.want("t/records/2", "behind")
	if _, err := os.ReadFile(m.path("t/records/1")); !errors.Is(err, syscall.EIO) {
		t.Errorf("the damaged record: %v, want EIO", err)
	}
	if got := m.read(".puro/errors"); strings.Count(got, "CRC") != 1 {
		t.Errorf(".puro/errors is %q", got)
	}
}
