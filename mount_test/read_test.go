package mount_test

import (
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"
)

// What a tool prints of the file $f: the same of a log as of a plain file with the same text.
var readingTools = []struct{ name, tool, script string }{
	{"cat", "", `cat $f | md5sum`},
	{"md5sum", "", `md5sum < $f`},
	{"head -n", "", `head -n 3 $f; head -n -99990 $f`},
	{"head -c", "", `head -c 1000 $f; head -c -588000 $f`},
	{"tail -n", "", `tail -n 3 $f; tail -n +99990 $f`},
	{"tail -c", "", `tail -c 1000 $f`},
	{"wc", "", `wc < $f; wc -l < $f; wc -c < $f`},
	{"cmp", "", `cmp $f $copy; echo $?`},
	{"cmp skip", "", `cmp -i 100000 $f $copy; echo $?`},
	{"dd skip", "", `dd if=$f bs=1 skip=123456 count=20 status=none`},
	{"dd skip blocks", "", `dd if=$f bs=4k skip=100 status=none | md5sum`},
	{"dd skip_bytes", "", `dd if=$f bs=7777 skip=99999 iflag=skip_bytes status=none | md5sum`},
	{"dd beyond the end", "", `dd if=$f bs=1M skip=100 status=none`},
	{"tac", "", `tac $f | head -n 100; tac $f | md5sum`},
	{"split", "", `split -b 100k --filter=md5sum $f; split -n 3 --filter=md5sum $f`},
	{"split by lines", "", `split -l 30000 --filter=md5sum $f`},
	{"sort", "", `sort -r $f | md5sum`},
	{"grep -m", "", `grep -n -m 3 99 $f`},
	{"grep -c", "", `grep -c 7 $f`},
	{"grep, which seeks back", "", `(grep -m 1 500; head -n 1) < $f`},
	{"sed, which seeks back", "", `(sed -n 500q; head -n 1) < $f`},
	{"sed", "", `sed -n '99990,$p' $f`},
	{"awk", "", `awk '{ n += $1 } END { print n }' $f`},
	{"cut", "", `cut -c 1-2 $f | sort -u`},
	{"diff", "", `diff -q $f $copy`},
	{"cp", "", `cp $f $tmp/copied; md5sum < $tmp/copied`},
	{"cp --sparse", "", `cp --sparse=always $f $tmp/sparse; md5sum < $tmp/sparse`},
	{"cp --reflink", "", `cp --reflink=auto $f $tmp/clone; md5sum < $tmp/clone`},
	{"cp -a", "", `cp -aL $f $tmp/all; md5sum < $tmp/all; [ $f -nt $tmp/all ] || echo not newer`},
	{"install", "", `install -m 600 $f $tmp/installed; md5sum < $tmp/installed`},
	{"rsync", "rsync", `rsync -L $f $tmp/synced; md5sum < $tmp/synced`},
	{"rsync --append", "rsync",
		`head -c 5000 $f > $tmp/part; rsync -L --append-verify $f $tmp/part; md5sum < $tmp/part`},
	{"tar", "", `tar -C ${f%/*} -chf - file | tar -xOf - | md5sum`},
	{"stat", "", `stat -L -c %s $f; stat -L -c %F $f`},
	{"find", "", `find -L $f -type f -size +500k -printf '%s\n'`},
	{"test", "", `test -f $f && test -s $f && test -r $f && echo yes`},
	{"od", "", `od -A d -c -j 588000 $f`},
	{"xxd-like reads", "", `tail -c +588000 $f | od -c`},
	{"while read", "",
		`n=0; while read -r l; do n=$((n + l)); [ $l != 2000 ] || break; done < $f; echo $n`},
	{"mapfile", "", `mapfile -t l < $f; echo ${#l[@]} ${l[99998]}`},
	{"less", "less", `less -F $f | md5sum`},
	{"gzip", "", `gzip -1 < $f | gunzip | md5sum`},
	{"perl", "perl", `perl -ne 'print if $. % 10000 == 0' $f`},
	{"perl seek", "perl", `perl -e 'open F, "<", $ARGV[0]; seek F, -50, 2; print <F>' $f`},
	{"node", "node", `
node -e 'process.stdout.write(require("fs").readFileSync(process.argv[1]))' $f | md5sum`},
	{"python readline", "", `
python3 -c '
import sys
n, f = 0, open(sys.argv[1])
while line := f.readline(): n += int(line)
print(n)' $f`},
	{"python seek", "", `
python3 -c '
import sys
f = open(sys.argv[1], "rb")
f.seek(-100, 2); print(f.read()); f.seek(12345); print(f.readline(), f.tell())' $f`},
	{"python mmap", "", `
python3 -c '
import hashlib, mmap, sys
f = open(sys.argv[1], "rb")
m = mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
print(len(m), hashlib.md5(m).hexdigest(), m.rfind(b"500"))' $f`},
}

// A log is a plain file as far as any tool can tell.
func TestReadingTools(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	copied := writeFile(t, "copy", numbers(1, 100000))
	m.sh("cat " + copied + " > t/append")
	for _, test := range readingTools {
		t.Run(test.name, func(t *testing.T) {
			if test.tool != "" {
				needTool(t, test.tool)
			}
			m := m.in(t)
			// What a closed pipe makes of a tool is no concern of this test.
			setup := fmt.Sprintf("set +o pipefail\ncopy=%s\ntmp=%s\n", copied, t.TempDir())
			// Both files have the same name for those that print it.
			linked := t.TempDir() + "/file"
			if err := os.Symlink(copied, linked); err != nil {
				t.Fatal(err)
			}
			want := m.sh(setup + "f=" + linked + "\n" + test.script)
			if err := os.Remove(linked); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(m.path("t/log"), linked); err != nil {
				t.Fatal(err)
			}
			if got := m.sh(setup + "f=" + linked + "\n" + test.script); got != want {
				t.Errorf("of a log it prints %s, of a plain file %s", brief(got), brief(want))
			}
		})
	}
}

// Tools that take of a stream no more than they were asked for end by themselves.
func TestTakingFromStream(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	m.sh(`seq 100000 > t/append`)
	tests := []struct{ name, tool, script, want string }{
		{"head -n", "", `head -n 3 stream`, "1\n2\n3\n"},
		{"head -c", "", `head -c 4 stream`, "1\n2\n"},
		{"head -n all", "", `head -n 100000 stream | tail -n 1`, "100000\n"},
		{"head -c all", "", `head -c $(stat -c %s stream) stream | tail -n 1`, "100000\n"},
		{"grep -m", "", `grep -m 2 999 stream`, "999\n1999\n"},
		{"sed q", "", `sed 2q stream`, "1\n2\n"},
		{"dd", "", `dd if=stream bs=2 skip=3 count=1 status=none`, "4\n"},
		{"awk exit", "", `awk '$1 == 5 { print; exit }' stream`, "5\n"},
		{"read", "", `read -r l < stream; echo $l`, "1\n"},
		{"while read", "",
			`n=0; while read -r l; do n=$((n + l)); [ $l != 2000 ] || break; done < stream; echo $n`,
			"2001000\n"},
		{"one open file, several programs", "",
			`exec 3< stream; read -r a <&3; read -r b <&3; head -n 1 <&3; grep -m 1 5 <&3; echo $a $b`,
			"3\n5\n1 2\n"},
		{"cmp -n", "", `cmp -n 588000 stream log && echo same`, "same\n"},
		{"perl", "perl", `perl -e 'open F, "<", "stream"; print scalar <F> for 1 .. 2'`, "1\n2\n"},
		{"python", "", `python3 -c 'f = open("stream"); print(f.readline() + f.readline(), end="")'`,
			"1\n2\n"},
		{"python tail", "", `
python3 -c 'f = open("stream", "rb"); f.seek(-13, 2); print(f.read(13).decode(), end="")'`,
			"99999\n100000\n"},
		{"node", "node", `
node -e 'let s = ""; require("fs").createReadStream("stream").on("data", function(d) {
	s += d; if (s.split("\n").length > 100000) { console.log(s.length); process.exit() } })'`,
			"588895\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.tool != "" {
				needTool(t, test.tool)
			}
			m := m.in(t)
			if got := m.sh("set +o pipefail; cd t\n" + test.script); got != test.want {
				t.Errorf("it prints %s, want %s", brief(got), brief(test.want))
			}
		})
	}
}

// The shell reads 4096 bytes and seeks back behind the line, which takes a file that can be sought;
// from one that cannot it reads every byte with a system call of its own.
func TestShellDoesNotReadByteByByte(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	const lines = 500
	m.sh(fmt.Sprintf(
		`seq -f 'a line that takes fifty bytes, with number %%06.0f' %d > t/append`, lines))
	for _, file := range []string{"log", "stream", "from/start"} {
		t.Run(file, func(t *testing.T) {
			m := m.in(t)
			trace := t.TempDir() + "/trace"
			m.sh(fmt.Sprintf(`strace -qq -e trace=read -P $PWD/t/%s -o %s bash -c '
				n=0; while read -r line; do n=$((n + 1)); [ $n -lt %d ] || break; done < t/%[1]s'`,
				file, trace, lines))
			calls, err := os.ReadFile(trace)
			if err != nil {
				t.Fatal(err)
			}
			got := len(regexp.MustCompile(`(?m)^read\(`).FindAll(calls, -1))
			if got < 10 || got > lines+1 {
				t.Errorf("%d reads for %d lines", got, lines)
			}
		})
	}
}

// Followers that ask for the size again and again, and those that wait.
func TestTail(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, script string }{
		{"tail -f log", `tail -n 2 -s 0.05 -f t/log`},
		{"tail -c log", `tail -c 10 -s 0.05 -f t/log`},
		{"tail -F log", `tail -n 2 -s 0.05 -F t/log`},
		{"tail -f stream", `tail -n 2 -s 0.05 -f t/stream`},
		{"cat from", `cat t/from/-2`},
		{"purofs cat", `purofs cat --from -2 --follow $store t`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := mountStore(t)
			m.mkdir("t")
			m.sh(`printf 'one\ntwo\nthree\n' >> t/append`)
			tail := m.start("store=" + m.store + "\n" + test.script)
			tail.wantLines("two", "three")
			log := openLog(t, m.store)
			for i := range 3 {
				line := fmt.Sprint("more ", i)
				appendLines(t, log, "t", line)
				tail.wantLines(line)
			}
		})
	}
}

// The size that stat gives is that of what is there when it is asked, also when another process has
// appended just before.
func TestSizeIsNeverStale(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	log := openLog(t, m.store)
	want := ""
	for n := range 300 {
		before := time.Now()
		appendLines(t, log, "t", fmt.Sprint("line ", n))
		want += fmt.Sprintln("line", n)
		for _, name := range []string{"t/log", "t/stream", "t/from/start"} {
			info, err := os.Stat(m.path(name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Size() != int64(len(want)) {
				t.Fatalf("after line %d %s has %d bytes, want %d", n, name, info.Size(), len(want))
			}
			if info.ModTime().Before(before.Add(-time.Second)) {
				t.Fatalf("after line %d %s is of %v", n, name, info.ModTime())
			}
		}
		m.want("t/log", want)
	}
}

// A client in Go, whose os.File makes every file non-blocking that can be polled, waits all the
// same.
func TestReadingFromGo(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	log := openLog(t, m.store)
	appendLines(t, log, "t", "one", "two")
	reader := start(t, child("follow", m.path("t/stream")))
	reader.wantLines("one", "two")
	reader.awaitBlocked()
	appendLines(t, log, "t", "three")
	reader.wantLines("three")
	appendLines(t, log, "t", "end")
	reader.wantLines("end")
	reader.succeed()
}
