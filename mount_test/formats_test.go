package mount_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"purofs/engine"
)

// What tools do with the formats. Each script runs in the directory of a topic of its own, with a
// directory $tmp outside of the mount.
var formatTools = []struct{ name, tool, script, want string }{
	{"jq in and out", "jq", `
jq -cn '{key: "a", value: "one"}, {key: "b", value: {n: 1}}' > append.jsonl
jq -r '[.offset, .key, .value] | @csv' log.jsonl`, `0,"a","one"
1,"b","{""n"":1}"
`},
	{"jq reads a stream", "jq", `
seq 3 > append; head -n 3 stream.jsonl | jq -c '.value | tonumber'`, "1\n2\n3\n"},
	{"jq -c is the identity", "jq", `
printf 'k\tv\n\ttwo\\nlines "and" \303\251\n' > append.tsv
jq -c . log.jsonl | cmp - log.jsonl && echo same`, "same\n"},
	{"python json", "python3", `
python3 -c '
import json
with open("append.jsonl", "w") as f:
    for i in range(3): print(json.dumps({"key": str(i), "value": "zwölf\n" * i}), file=f)
records = [json.loads(line) for line in open("log.jsonl")]
print([(r["offset"], r["key"], r["value"]) for r in records])
print(sorted(records[0]))'`,
		`[(0, '0', ''), (1, '1', 'zwölf\n'), (2, '2', 'zwölf\nzwölf\n')]` + "\n" +
			`['key', 'offset', 'time', 'value']` + "\n"},
	{"python csv", "python3", `
printf 'a\tone\nb\ttwo\\n"2"\n' > append.tsv
python3 -c '
import csv
for row in csv.reader(open("log.tsv"), delimiter="\t", quoting=csv.QUOTE_NONE): print(row)'`,
		`['a', 'one']` + "\n" + `['b', 'two\\n"2"']` + "\n"},
	{"sqlite3 .import", "sqlite3", `
seq 1000 | sed 's/.*/key&\t&/' > append.tsv
sqlite3 :memory: '.mode tabs' 'create table t(k, v integer)' '.import log.tsv t' \
	'select count(*), sum(v), max(k) from t'`, "1000\t500500\tkey999\n"},
	{"sqlite3 reads JSONL", "sqlite3", `
seq 10 > append
sqlite3 :memory: 'create table t(line)' '.mode ascii' '.separator "\t" "\n"' '.import log.jsonl t' \
	"select sum(json_extract(line, '\$.value')) from t"`, "55\n"},
	{"awk", "", `
printf 'a\t1\nb\t2\na\t3\n' > append.tsv
awk -F'\t' '{ sum[$1] += $2 } END { print sum["a"], sum["b"] }' log.tsv`, "4 2\n"},
	{"cut and sort", "", `
printf 'b\t1\na\t2\n' > append.tsv; cut -f 1 log.tsv | sort`, "a\nb\n"},
	{"while read of TSV", "", `
printf 'a\t1\nb\t2\n' > append.tsv
while IFS=$'\t' read -r key value; do echo "$value $key"; done < log.tsv`, "1 a\n2 b\n"},
	{"cp of a file", "", `
head -c 3000000 /dev/urandom > $tmp/picture; cp $tmp/picture append.raw
head -c 3000000 stream.raw | cmp - $tmp/picture
cp $tmp/picture append.raw; cmp records/0 records/1 && cmp records/0 $tmp/picture && echo same`,
		"same\n"},
	{"cp --reflink and --sparse=never", "", `
echo picture > $tmp/p; cp --reflink=auto $tmp/p append.raw; cp --sparse=never $tmp/p append.raw
wc -c < records/0; wc -c < records/1`, "8\n8\n"},
	{"cat to raw", "", `seq 1000 | cat > append.raw; seq 1000 | cmp - records/0 && echo same`,
		"same\n"},
	{"dd to raw", "", `
seq 100000 | dd of=append.raw bs=1000 conv=fsync status=none
seq 100000 | cmp - records/0 && echo same`,
		"same\n"},
	{"append to raw", "", `printf 'a\n' >> append.raw; printf b >> append.raw; cat log`, "a\n\nb\n"},
	{"nothing to raw", "", `: > append.raw; cp /dev/null append.raw; touch append.raw; cat log`, ""},
	{"python raw", "python3", `
python3 -c '
with open("append.raw", "wb") as f:
    for i in range(256): f.write(bytes([i]) * 1000)
import os
fd = os.open("stream.raw", os.O_RDONLY)
whole = os.read(fd, 1 << 20)
print(len(whole), whole == b"".join(bytes([i]) * 1000 for i in range(256)))'`, "256000 True\n"},
	{"tail -n of a log", "", `
seq 100000 > append; tail -n 2 log.tsv; tail -n +100000 log.tsv; tail -c 3 log.tsv`,
		"\t99999\n\t100000\n\t100000\n00\n"},
	{"wc, tac, split, cmp", "", `
seq 1000 > append; wc -l -c < log.tsv; wc -c < stream.tsv < /dev/null; tac log.tsv | head -n 1
cat log.tsv | cmp - log.tsv && split -b 1000 --filter='cat' log.tsv | cmp - log.tsv && echo same`,
		"1000 4893\n0\n\t1000\nsame\n"},
	{"dd skip", "", `seq 1000 > append; dd if=log.tsv bs=1 skip=4888 status=none`, "1000\n"},
	{"read and write of the same topic", "", `
echo one > append; cat log.jsonl > append.jsonl; cat log`, "one\none\n"},
	{"from", "", `seq 10 > append; head -n 1 from/-3.tsv; head -n 1 from/0.tsv`, "\t8\n\t1\n"},
	{"ls", "", `echo one > append; ls; stat -c %F log.jsonl stream.tsv`, `append
append.jsonl
append.raw
append.tsv
cursors
from
info
keys
log
log.jsonl
log.tsv
records
stream
stream.jsonl
stream.raw
stream.tsv
regular file
regular file
`},
}

func TestFormatTools(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	for i, test := range formatTools {
		t.Run(test.name, func(t *testing.T) {
			if test.tool != "" {
				needTool(t, test.tool)
			}
			m := m.in(t)
			topic := fmt.Sprint("topic", i)
			m.mkdir(topic)
			got := m.sh("set +o pipefail; cd " + topic + "; tmp=" + t.TempDir() + "\n" + test.script)
			if got != test.want {
				t.Errorf("it prints %s, want %s", brief(got), brief(test.want))
			}
		})
	}
	m.verify()
}

// Tools that follow a file in a format get what is new, in the format.
func TestFollowingFormats(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, tool, script string }{
		{"tail -f log.tsv", "", `tail -n 2 -s 0.05 -f t/log.tsv`},
		{"tail -F log.tsv", "", `tail -n 2 -s 0.05 -F t/log.tsv`},
		{"tail -f stream.tsv", "", `tail -n 2 -s 0.05 -f t/stream.tsv`},
		{"tail -f stream.jsonl to jq", "jq",
			`tail -n 2 -s 0.05 -f t/stream.jsonl | jq --unbuffered -r '"\t" + .value'`},
		{"tail -f log.jsonl to jq", "jq",
			`tail -n 2 -s 0.05 -f t/log.jsonl | jq --unbuffered -r '"\t" + .value'`},
		{"jq of a stream", "jq", `jq --unbuffered -r '"\t" + .value' t/from/-2.jsonl`},
		{"cat from", "", `cat t/from/-2.tsv`},
		{"while read", "", `while read -r line; do printf '\t%s\n' "$line"; done < t/from/-2.tsv`},
		{"python", "python3",
			`python3 -uc 'for line in open("t/from/-2.tsv"): print(line, end="")'`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.tool != "" {
				needTool(t, test.tool)
			}
			m := mountStore(t)
			m.mkdir("t")
			m.sh(`printf 'one\ntwo\nthree\n' >> t/append`)
			reader := m.start(test.script)
			reader.wantLines("\ttwo", "\tthree")
			log := openLog(t, m.store)
			for i := range 3 {
				line := fmt.Sprint("more ", i)
				appendLines(t, log, "t", line)
				reader.wantLines("\t" + line)
			}
		})
	}
}

// The shell reads a block and seeks back behind each line.
func TestShellReadsFormats(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	m.sh(`seq 20000 > t/append`)
	for _, file := range []string{"log.tsv", "stream.tsv", "from/0.tsv"} {
		got := m.sh(`n=0; while read -r l; do n=$((n + l)); [ $l != 20000 ] || break; done < t/` +
			file + `; echo $n`)
		if got != "200010000\n" {
			t.Errorf("%s: the sum is %s", file, got)
		}
	}
}

// A copy of a topic by cat has the same keys and values, whatever their bytes, up to the largest
// ones: a second copy, back again, has the same checksum.
func TestFaithfulCopies(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	log := openLog(t, m.store)
	random := rand.New(rand.NewPCG(11, 12))
	for i := range 200 {
		var batch engine.Batch
		key, value := make([]byte, random.IntN(20)), make([]byte, random.IntN(2000))
		for _, b := range [][]byte{key, value} {
			for j := range b {
				if b[j] = byte(random.IntN(256)); i%2 == 0 {
					b[j] &= 0x7f
				}
			}
		}
		batch.Add("a", key, value)
		if err := log.Append(t.Context(), &batch); err != nil {
			t.Fatal(err)
		}
	}
	for _, value := range [][]byte{
		nil, bytes.Repeat([]byte("a\tb\\c\x00"), 100_000), bytes.Repeat([]byte{0xff}, 10<<20),
	} {
		var batch engine.Batch
		batch.Add("a", []byte("large"), value)
		if err := log.Append(t.Context(), &batch); err != nil {
			t.Fatal(err)
		}
	}
	for _, format := range []string{"jsonl", "tsv"} {
		out := m.sh(fmt.Sprintf(`
			b=b-%[1]s c=c-%[1]s; mkdir $b $c
			cat a/log.%[1]s > $b/append.%[1]s; cat $b/log.%[1]s > $c/append.%[1]s
			for t in a $b $c; do md5sum < $t/log.tsv; LC_ALL=C sed 's/"time":"[^"]*"//' $t/log.jsonl | md5sum
			done | sort | uniq -c | wc -l
			for r in 199 200 201 202; do cmp a/records/$r $c/records/$r || echo different; done`,
			format))
		if out != "2\n" {
			t.Errorf("%s: %s checksums of two texts of three topics", format, out)
		}
	}
	m.verify()
}

// What is wrong with a line is told by the tool, by its errno and, with its number, by the mount.
func TestBadLinesAreRefused(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "max_record=1000")
	m.mkdir("t")
	tests := []struct {
		name, script string
		errno        syscall.Errno
		reason       string
	}{
		{"JSON", `cat > t/append.jsonl <<< $'{"value":"a"}\n{"value":b}'`, syscall.EINVAL,
			"line 2: invalid character 'b'"},
		{"unknown member", `echo '{"valeu":"a"}' > t/append.jsonl`, syscall.EINVAL,
			"line 1: unknown member"},
		{"TSV", `seq 10 > t/append.tsv`, syscall.EINVAL, "line 1: no TAB"},
		{"by cat", `echo x > ../cat.txt; cat ../cat.txt > t/append.tsv`, syscall.EINVAL, "no TAB"},
		{"at close", `printf '{"value":' | cp /dev/stdin t/append.jsonl`, syscall.EINVAL,
			"close: line 1: the object has no end"},
		{"too long", `printf '\t%02000d\n' 1 > t/append.tsv`, syscall.EMSGSIZE, "max_record"},
		{"too long in JSON", `printf '{"value":"%01001d"}\n' 1 > t/append.jsonl`, syscall.EMSGSIZE,
			"max_record"},
		{"too long in raw", `head -c 1001 /dev/zero > t/append.raw`, syscall.EMSGSIZE, "max_record"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := m.in(t)
			p := m.start(test.script)
			p.in.Close()
			status, said := p.wait(), strings.ToLower(p.errors())
			if status == 0 || !strings.Contains(said, test.errno.Error()) {
				t.Errorf("exit status %d, and on standard error %s", status, brief(p.errors()))
			}
			lines := splitLines(m.read(".puro/errors"))
			if last := lines[len(lines)-1]; !strings.Contains(last, test.reason) {
				t.Errorf(".puro/errors says %s", last)
			}
			m.want("t/log", "")
		})
	}
}

// A file with a hole in it would not become the record that its reader expects.
func TestHolesInRaw(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	file := filepath.Join(t.TempDir(), "holes")
	m.sh(`printf begin > ` + file + `; truncate -s 1M ` + file + `; printf end >> ` + file)
	f, err := os.OpenFile(m.path("t/append.raw"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("one"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("two"), 4096); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a write behind a hole: %v, want EINVAL", err)
	}
	f.Close()
	m.want("t/log", "")
	p := m.start(`cp --sparse=always ` + file + ` t/append.raw`)
	p.in.Close()
	if status := p.wait(); status == 0 {
		t.Errorf("cp --sparse=always succeeds")
	}
	m.want("t/log", "")
	m.sh(`cp --sparse=never ` + file + ` t/append.raw; cmp ` + file + ` t/records/0`)
}
