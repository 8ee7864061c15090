package mount_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Whatever a tool does to write lines, each line is a record, and none is lost, split or changed.
// Each script runs in the directory of a topic of its own; $tmp is a directory outside of the
// mount.
var writingTools = []struct {
	name   string
	tool   string // that may be missing
	script string
	want   string
}{
	{"echo", "", `echo one >> append; echo two >> append`, "one\ntwo\n"},
	{"echo without append", "", `echo one > append; echo two > append`, "one\ntwo\n"},
	{"clobber", "", `echo one >> append; set -C; echo two >| append`, "one\ntwo\n"},
	{"truncate alone", "", `echo one >> append; : > append; true > append`, "one\n"},
	{"printf without newline", "", `printf one >> append; printf two >> append`, "one\ntwo\n"},
	{"printf in one file", "", `{ printf one; printf two; } >> append`, "onetwo\n"},
	{"fork in mid-line", "",
		`{ echo a; printf b; true; /bin/true; (exit 0); printf 'c\n'; } >> append`, "a\nbc\n"},
	{"background child outlives the line", "",
		`{ printf a; /bin/true & wait; printf 'b\nc'; } >> append`, "ab\nc\n"},
	{"here document", "", "cat >> append <<EOF\none\n\ntwo\nEOF", "one\n\ntwo\n"},
	{"a descriptor of the shell", "",
		`exec 3>> append; echo one >&3; printf two >&3; exec 3>&-; echo three >> append`,
		"one\ntwo\nthree\n"},
	{"tee", "", `printf 'one\ntwo\n' | tee append > /dev/null`, "one\ntwo\n"},
	{"tee -a", "", `printf 'one\ntwo' | tee -a append > /dev/null`, "one\ntwo\n"},
	{"cp", "", `seq 1000 > $tmp/f; cp $tmp/f append`, numbers(1, 1000)},
	{"cp --reflink", "", `seq 1000 > $tmp/f; cp --reflink=auto $tmp/f append`, numbers(1, 1000)},
	{"cp --sparse", "", `seq 1000 > $tmp/f; cp --sparse=always $tmp/f append`, numbers(1, 1000)},
	{"cp twice", "", `seq 2 > $tmp/f; cp $tmp/f append; cp $tmp/f append`, "1\n2\n1\n2\n"},
	{"dd bs=1M", "",
		`seq 300000 | dd of=append bs=1M iflag=fullblock status=none`, numbers(1, 300000)},
	{"dd bs=7", "", `seq 1000 | dd of=append bs=7 status=none`, numbers(1, 1000)},
	{"dd oflag=append", "",
		`seq 1000 | dd of=append bs=100 oflag=append conv=notrunc status=none`, numbers(1, 1000)},
	{"dd seek", "", `seq 9 | dd of=append bs=1 seek=12345 conv=notrunc status=none`, numbers(1, 9)},
	// A synchronous write promises that records are on the disk; a line that is not ended is none yet.
	{"dd oflag=sync", "", `seq 20 | dd of=append bs=3 oflag=sync status=none`, numbers(1, 20)},
	{"dd oflag=dsync", "", `seq 20 | dd of=append bs=3 oflag=dsync status=none`, numbers(1, 20)},
	{"dd conv=fsync", "", `seq 20 | dd of=append bs=3 conv=fsync status=none`, numbers(1, 20)},
	{"dd oflag=direct", "",
		`seq 1000 | dd of=append bs=512 oflag=append,direct status=none`, numbers(1, 1000)},
	{"dd conv=excl of what is there", "",
		`seq 9 | dd of=append conv=excl status=none 2> /dev/null || seq 10 > append`, numbers(1, 10)},
	// It writes over what it takes for an old file, and cuts off the rest of that.
	{"rsync --append", "rsync", `seq 1000 > $tmp/f; rsync --append $tmp/f append`, numbers(1, 1000)},
	{"rsync --inplace", "rsync", `seq 1000 > $tmp/f; rsync --inplace $tmp/f append`, numbers(1, 1000)},
	{"python truncate", "",
		`python3 -c 'f = open("append", "w"); f.write("one\n"); f.truncate(); f.write("two\n")'`,
		"one\ntwo\n"},
	{"sed w", "", `seq 9 | sed -n 'w append'`, numbers(1, 9)},
	{"awk", "", `seq 9 | awk '{ print > "append" }'`, numbers(1, 9)},
	{"sort -o", "", `seq 9 | sort -r -o append`, "9\n8\n7\n6\n5\n4\n3\n2\n1\n"},
	{"perl", "perl", `perl -e 'open F, ">>", "append"; print F "one\ntw"; print F "o\n"; close F'`,
		"one\ntwo\n"},
	{"perl syswrite", "perl",
		`perl -e 'open F, ">", "append"; syswrite F, $_ for "o", "ne\n", "two"'`, "one\ntwo\n"},
	{"node appendFileSync", "node",
		`node -e 'for (const s of ["one\n", "two"]) require("fs").appendFileSync("append", s)'`,
		"one\ntwo\n"},
	{"node stream", "node",
		`node -e 'const f = require("fs").createWriteStream("append"); f.write("o"); f.end("ne\n")'`,
		"one\n"},
	{"vim", "vim", `vim -es -u NONE -c 'normal ione' -c wq append`, "one\n"},
	{"CRLF", "", `printf 'one\r\ntwo\r\n' >> append`, "one\r\ntwo\r\n"},
	{"empty lines", "", `printf '\n\n' >> append; echo >> append`, "\n\n\n"},
	{"nothing", "", `printf '' >> append; : >> append; cp /dev/null append`, ""},
	{"NUL", "", `printf 'a\0b\n\0\n' >> append`, "a\x00b\n\x00\n"},
	{"touch", "", `touch append; touch -d @0 append; echo one >> append`, "one\n"},
	{"truncate to nothing", "", `echo one >> append; truncate -s 0 append`, "one\n"},
	{"chmod to the same mode", "", `chmod $(stat -c %a append) append; echo one >> append`, "one\n"},
	{"sync of the file", "", `printf one >> append; sync append; echo two >> append`, "one\ntwo\n"},
}

func TestWritingTools(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	for i, test := range writingTools {
		t.Run(test.name, func(t *testing.T) {
			if test.tool != "" {
				needTool(t, test.tool)
			}
			m := m.in(t)
			topic := fmt.Sprint("topic", i)
			m.mkdir(topic)
			m.sh("cd " + topic + "; tmp=" + t.TempDir() + "\n" + test.script)
			m.want(topic+"/log", test.want)
		})
	}
	m.verify()
}

// Tools that want another file in the place of one, or other rights of it. They fail, say why, and
// what they wrote before that is there. Each script is one of writingTools, and has a file $tmp/f
// of one line, "moved".
var refusedTools = []struct{ name, tool, script, says, want string }{
	{"cp -p", "", `cp -p $tmp/f append`, "preserving permissions", "one\nmoved\n"},
	{"cp -a", "", `cp -a $tmp/f append`, "preserving permissions", "one\nmoved\n"},
	{"cp --remove-destination", "", `cp --remove-destination $tmp/f append`, "cannot remove", "one\n"},
	{"cp -b", "", `cp -b $tmp/f append`, "cannot backup", "one\n"},
	{"cp into the topic", "", `cp $tmp/f .`, "cannot create", "one\n"},
	{"install", "", `install $tmp/f append`, "cannot remove", "one\n"},
	{"mv to append", "", `mv $tmp/f append`, "unable to remove target", "one\n"},
	{"mv of log", "", `mv log $tmp/log`, "cannot remove", "one\n"},
	{"mv within the topic", "", `mv log old`, "cannot move", "one\n"},
	{"ln", "", `ln log hard`, "failed to create hard link", "one\n"},
	{"ln -s", "", `ln -s log soft`, "failed to create symbolic link", "one\n"},
	{"rm", "", `rm -f log`, "cannot remove", "one\n"},
	{"truncate", "", `truncate -s +5 append`, "failed to truncate", "one\n"},
	{"sed -i", "", `sed -i s/one/two/ log`, "couldn't open temporary file", "one\n"},
	{"rsync", "rsync", `rsync $tmp/f append`, "mkstemp", "one\n"},
	{"chmod", "", `chmod 777 append`, "changing permissions", "one\n"},
}

func TestRefusedTools(t *testing.T) {
	t.Parallel()
	needRoot(t) // for others the kernel has reasons of its own
	m := mountStore(t)
	for i, test := range refusedTools {
		t.Run(test.name, func(t *testing.T) {
			if test.tool != "" {
				needTool(t, test.tool)
			}
			m := m.in(t)
			topic := fmt.Sprint("topic", i)
			m.sh("mkdir " + topic + "; echo one >> " + topic + "/append")
			p := m.start("cd " + topic + "; tmp=" + t.TempDir() + "; echo moved > $tmp/f\n" + test.script)
			p.in.Close()
			status, said := p.wait(), p.errors()
			if status == 0 || !strings.Contains(said, test.says) ||
				!strings.Contains(said, "Operation not permitted") {
				t.Errorf("exit status %d, it says %s, want %q", status, brief(said), test.says)
			}
			m.want(topic+"/log", test.want)
		})
	}
	m.verify()
}

// What Python's many ways to write come to; f is the path of append.
var pythonWriters = []struct{ name, script, want string }{
	{"append", `open(f, "a").write("one\ntwo")`, "one\ntwo\n"},
	{"write", `open(f, "w").write("one\n"); open(f, "w").write("two\n")`, "one\ntwo\n"},
	{"line by line", `
with open(f, "a", buffering=1) as file:
    for i in range(3): print("line", i, file=file)`, "line 0\nline 1\nline 2\n"},
	{"unbuffered", `
with open(f, "ab", buffering=0) as file:
    for part in b"o", b"ne\nt", b"wo\n": file.write(part)`, "one\ntwo\n"},
	{"fsync ends the line", `
fd = os.open(f, os.O_WRONLY)
os.write(fd, b"one"); os.fsync(fd); os.write(fd, b"two\n"); os.fdatasync(fd)`, "one\ntwo\n"},
	{"a duplicate ends nothing", `
fd = os.open(f, os.O_WRONLY | os.O_APPEND)
other = os.dup(fd)
os.write(fd, b"one\n"); os.close(other); os.write(fd, b"two\n"); os.close(fd)`, "one\ntwo\n"},
	{"ftruncate", `
fd = os.open(f, os.O_WRONLY)
os.write(fd, b"one\n"); os.ftruncate(fd, 0); os.write(fd, b"two\n")
try: os.ftruncate(fd, 5)
except PermissionError: os.write(fd, b"refused\n")`, "one\ntwo\nrefused\n"},
	{"pwrite anywhere", `
fd = os.open(f, os.O_WRONLY)
for place in 0, 1 << 40, 7: os.pwrite(fd, b"at %d\n" % place, place)`,
		"at 0\nat 1099511627776\nat 7\n"},
	{"writev", `
fd = os.open(f, os.O_WRONLY)
os.writev(fd, [b"a", b"b\n", b"", b"c\n"])`, "ab\nc\n"},
	{"synchronous", `
fd = os.open(f, os.O_WRONLY | os.O_APPEND | os.O_SYNC)
os.write(fd, b"one\n"); os.write(fd, b"tw"); os.write(fd, b"o\n")`, "one\ntwo\n"},
	{"read and write", `
fd = os.open(f, os.O_RDWR)
assert os.read(fd, 100) == b""
os.write(fd, b"one\n")
assert os.read(fd, 100) == b""`, "one\n"},
	{"a forked child's exit ends nothing", `
fd = os.open(f, os.O_WRONLY)
os.write(fd, b"on")
pid = os.fork()
if pid == 0: os._exit(0)
os.waitpid(pid, 0)
os.write(fd, b"e\n")`, "one\n"},
	{"exit ends the line", `
os.write(os.open(f, os.O_WRONLY), b"one"); os._exit(0)`, "one\n"},
	{"all bytes", `
with open(f, "wb") as file: file.write(bytes(b for b in range(256)))`, allBytes()},
	{"random lengths", `
import random
random.seed(7)
with open(f, "wb", buffering=0) as file:
    text = b"".join(b"%d\n" % n for n in range(1, 20001))
    while text:
        n = random.randrange(1, 3000)
        file.write(text[:n]); text = text[n:]`, numbers(1, 20000)},
}

func TestWritingFromPython(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	for i, test := range pythonWriters {
		t.Run(test.name, func(t *testing.T) {
			m := m.in(t)
			topic := fmt.Sprint("topic", i)
			m.mkdir(topic)
			script := writeFile(t, "script.py", "import os\nf = 'append'\n"+test.script)
			m.sh("cd " + topic + "; python3 " + script)
			m.want(topic+"/log", test.want)
		})
	}
	m.verify()
}

// A client in Go that uses nothing but package os.
func TestWritingFromGo(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	start(t, child("write", m.path("t/append"), "one\n", "tw", "o\n", "three")).succeed()
	m.want("t/log", "one\ntwo\nthree\n")
}

// The most that people put through a mount at once.
func TestWritingMuch(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	big := t.TempDir() + "/big"
	m.sh("seq -f 'line %.0f of a file of fifty megabytes' 1250000 > " + big + `
		cat ` + big + ` >> t/append
		cmp ` + big + ` t/log
		test $(stat -c %s t/log) = $(stat -c %s ` + big + `)`)
	m.verify()
}

func numbers(from, to int) string {
	var text strings.Builder
	for n := from; n <= to; n++ {
		fmt.Fprintln(&text, n)
	}
	return text.String()
}

// allBytes is each of the 256 bytes once, and the newline that ends the second line.
func allBytes() string {
	text := make([]byte, 256, 257)
	for i := range text {
		text[i] = byte(i)
	}
	return string(append(text, '\n'))
}

// mustWriteAll writes a text with one write(2).
func mustWriteAll(t *testing.T, file *os.File, text []byte) {
	t.Helper()
	if n, err := file.Write(text); err != nil || n != len(text) {
		t.Fatalf("write of %d bytes: %d, %v", len(text), n, err)
	}
}
