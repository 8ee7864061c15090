package mount_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	"purofs/engine/format"
	"purofs/engine/oracle"
)

// Names that someone may want a topic to have, and what mkdir says of them.
func topicNames() map[string]syscall.Errno {
	names := map[string]syscall.Errno{
		".puro": syscall.EEXIST, ".puro2": syscall.EINVAL, ".puro.old": syscall.EINVAL,
		".pur": 0, ".Puro": 0, "a.puro": 0, ".": syscall.EEXIST, "..": syscall.EEXIST, "": syscall.ENOENT,
		"...": 0, ".hidden": 0, "-": 0, "--help": 0, "-rf": 0, "~": 0, "*": 0, "?": 0, "a b": 0, " ": 0,
		"\t": syscall.EINVAL, "a\tb": 0, "\n": syscall.EINVAL, "a\nb": 0, "\r\n": 0, "\x1b[31mred": 0,
		"\x7f": 0, "\x80": 0, "\xff\xfe": 0, "\xed\xa0\x80": 0, "caf\u00e9": 0, "cafe\u0301": 0,
		"\u202ertl": 0, "\U0001f4a5": 0, "%": 0, "%2F": syscall.EINVAL, "%00": syscall.EINVAL,
		"%25": syscall.EINVAL, "a%2Fb": syscall.EINVAL, "a%00b": syscall.EINVAL, "%2f": 0,
		"%2E": syscall.EINVAL, "%2e": 0,
		"50%25": syscall.EINVAL, "100%": 0, "%s%n": 0, "$(true)": 0, "`true`": 0,
		"a;b": 0, "a'b": 0, `a"b`: 0, `a\b`: 0, "append": 0, "log": 0, "stream": 0, "stream0.puro": 0,
		"lost": 0, "index": 0, "0": 0, "-1": 0, "CON": 0, "a:b": 0,
		strings.Repeat("n", 255):      0,
		strings.Repeat("\u00e9", 127): 0,
		strings.Repeat("n", 256):      syscall.ENAMETOOLONG,
		strings.Repeat("\u00e9", 128): syscall.ENAMETOOLONG,
		strings.Repeat("n", 1000):     syscall.ENAMETOOLONG,
		strings.Repeat("n", 1024):     syscall.ENAMETOOLONG,
		strings.Repeat("n", 5000):     syscall.ENAMETOOLONG,
	}
	for b := byte(1); b < 0x20; b++ {
		names[string([]byte{b})] = syscall.EINVAL // topics of control records
	}
	return names
}

// Each name that is allowed makes a topic that takes and gives records, is listed as it was given,
// and is the same for a program with the library.
func TestTopicNames(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	made := map[string]bool{".puro": true}
	for name, errno := range topicNames() {
		err := os.Mkdir(m.dir+"/"+name, 0o755)
		if name == "" {
			err = syscall.Mkdir("", 0o755)
		}
		if errno != 0 {
			if !errors.Is(err, errno) {
				t.Errorf("mkdir %.50q: %v, want %v", name, err, errno)
			}
			continue
		}
		if err != nil {
			t.Errorf("mkdir %.50q: %v", name, err)
			continue
		}
		made[name] = true
		if err := os.WriteFile(m.path(name+"/append"), fmt.Appendln(nil, "of", name), 0); err != nil {
			t.Errorf("append to %.50q: %v", name, err)
		}
	}
	for name := range made {
		if name != ".puro" && m.read(name+"/log") != fmt.Sprintln("of", name) {
			t.Errorf("the log of %.50q is %q", name, m.read(name+"/log"))
		}
	}
	for _, dir := range []*mount{m, mountOn(t, m.store)} {
		wantListed(dir, made)
	}
	if got := len(openLog(t, m.store).Topics()); got != len(made)-1 {
		t.Errorf("%d topics in the library, want %d", got, len(made)-1)
	}
	m.verify()
}

// Random names: each is refused for a reason that names can have, or makes a topic that is listed
// under that name and can be removed again. A store remembers the topics that it had, so it does
// not see many of them.
func TestRandomTopicNames(t *testing.T) {
	t.Parallel()
	run := oracle.Start(t, "T20")
	const ofAStore = 10_000
	for left := oracle.Size(2_000, 1_000_000); left > 0 && !t.Failed(); left -= ofAStore {
		m := mountStore(t, "allow_delete")
		for range min(left, ofAStore) / 100 {
			made := m.makeRandomNames(run, 100)
			wantListed(m, made)
			delete(made, ".puro")
			for name := range made {
				if err := syscall.Rmdir(m.dir + "/" + name); err != nil {
					t.Errorf("rmdir %q: %v", name, err)
				}
			}
		}
		wantListed(m, map[string]bool{".puro": true})
		m.verify()
		m.unmount()
	}
}

// makeRandomNames makes topics of random names, as far as they can be, and returns all that there
// is in the root then.
func (m *mount) makeRandomNames(run *oracle.Run, names int) (made map[string]bool) {
	m.Helper()
	made = map[string]bool{".puro": true}
	for range names {
		name := randomName(run.Rand)
		err := syscall.Mkdir(m.dir+"/"+name, 0o755)
		there := made[name] || name == "." || name == ".."
		control := len(name) == 1 && name[0] < ' ' // the topics of control records
		switch {
		case errors.Is(err, syscall.EINVAL) && (control || strings.ContainsAny(name, ".%")):
		case control, errors.Is(err, syscall.ENAMETOOLONG) != (len(name) > 255),
			errors.Is(err, syscall.EEXIST) != there, err != nil && len(name) <= 255 && !there:
			m.Errorf("mkdir %q: %v", name, err)
		}
		if err == nil {
			made[name] = true
			run.Count("names made", 1)
		}
		run.Count("names", 1)
	}
	return made
}

// randomName is a name of bytes that a file's name can have; many are near to what is refused.
func randomName(rnd *rand.Rand) string {
	length := 1 + rnd.IntN(12)
	if rnd.IntN(16) == 0 {
		length = 1 + rnd.IntN(300)
	}
	name := make([]byte, length)
	for i := range name {
		name[i] = byte(1 + rnd.IntN(255))
	}
	if rnd.IntN(2) == 0 {
		const near = ".puro%2F05E\x01\n\xff"
		for i := range name {
			name[i] = near[rnd.IntN(len(near))]
		}
	}
	return strings.ReplaceAll(string(name), "/", ".puro")
}

// wantListed checks which names the root of a mount lists.
func wantListed(m *mount, want map[string]bool) {
	m.Helper()
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		m.Fatal(err)
	}
	listed := map[string]bool{}
	for _, entry := range entries {
		if listed[entry.Name()] = true; !want[entry.Name()] {
			m.Errorf("%.50q is listed", entry.Name())
		}
	}
	for name := range want {
		if !listed[name] {
			m.Errorf("%.50q is not listed", name)
		}
	}
}

// Topics whose names no file can have, because another producer has put slashes and NUL bytes in
// them, show these percent-encoded, and so do those which would look the same.
func TestTopicNamesOfOthers(t *testing.T) {
	t.Parallel()
	names := map[string]string{ // as in the log, and as shown
		"a/b": "a%2Fb", "/": "%2F", "a\x00": "a%00", "../../etc": "..%2F..%2Fetc",
		"/100%": "%2F100%25", "a%2Fb": "a%252Fb", "50%": "50%",
	}
	var block []byte
	for name, shown := range names {
		block = format.AppendRecord(block, []byte(name), nil, []byte("of "+shown))
	}
	length := format.StartBytes + len(block)
	segment := append(format.AppendStart(nil, length), block...)
	segment = format.AppendEnd(segment, length)
	segment[format.SignalOffset] = 1
	m := mountOn(t, storeOf(t, segment))
	listed := map[string]bool{".puro": true}
	for _, shown := range names {
		listed[shown] = true
		m.want(shown+"/log", "of "+shown+"\n")
	}
	wantListed(m, listed)
}

// Looking at names that are none costs nothing and makes nothing.
func TestUnknownNames(t *testing.T) {
	t.Parallel()
	for _, options := range [][]string{nil, {"auto_create"}} {
		m := mountStore(t, options...)
		before := m.verify()
		m.sh(`for name in .git .Trash-1000 .hidden autorun.inf nothing; do
				stat $name 2> /dev/null || stat $name/log 2> /dev/null || true
			done > /dev/null
			ls -d nothing 2> /dev/null || true`)
		if got := m.sh(`ls`); got != "" {
			t.Errorf("the root lists %q", got)
		}
		if after := m.verify(); after.Blocks != before.Blocks {
			t.Errorf("%d blocks were written", after.Blocks-before.Blocks)
		}
	}
}
