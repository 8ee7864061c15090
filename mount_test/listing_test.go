package mount_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A listed world has two topics with records, one older than the other, one without any, and a file
// outside that is as old as the older topic.
func newListed(t *testing.T) (m *mount, older, newer time.Time) {
	m = mountStore(t)
	log := openLog(t, m.store)
	times := map[string]time.Time{}
	for _, topic := range []string{"older", "newer"} {
		put(t, log, topic, "k", []byte("one"))
		put(t, log, topic, "", []byte(strings.Repeat("x", 1020)))
		info, err := log.Topic(topic)
		if err != nil {
			t.Fatal(err)
		}
		times[topic] = info.Time
	}
	m.sh("umask 077; mkdir none newer/cursors/c")
	return m, times["older"], times["newer"]
}

// What ls, stat, find and du show of the tree: exact sizes, the time of the newest record, numbers
// that stay, and rights that say what can be done.
func TestListings(t *testing.T) {
	t.Parallel()
	m, older, newer := newListed(t)
	mark := writeFile(t, "mark", "")
	m.sh(fmt.Sprintf("touch -d %s %s", older.UTC().Format(time.RFC3339Nano), mark))
	for _, test := range []struct{ script, want string }{
		{`cd older; stat -c '%A %h %s %b %n' *`, `
--w------- 1 0 0 append
--w------- 1 0 0 append.jsonl
--w------- 1 0 0 append.raw
--w------- 1 0 0 append.tsv
drwx------ 1 0 0 cursors
dr-x------ 1 0 0 from
-r-------- 1 0 0 info
dr-x------ 1 0 0 keys
-r-------- 1 1025 3 log
-r-------- 1 1170 3 log.jsonl
-r-------- 1 1028 3 log.tsv
dr-x------ 1 0 0 records
-r-------- 1 1025 3 stream
-r-------- 1 1170 3 stream.jsonl
-r-------- 1 0 0 stream.raw
-r-------- 1 1028 3 stream.tsv
`},
		{`stat -c '%A %s %n' newer/{keys/k,records/1,cursors/c,cursors/c/*} none/log`, `
-r-------- 3 newer/keys/k
-r-------- 1020 newer/records/1
dr-x------ 0 newer/cursors/c
-r-------- 0 newer/cursors/c/lag
-r-------- 0 newer/cursors/c/next
-rw------- 0 newer/cursors/c/position
-r-------- 0 newer/cursors/c/stream
-r-------- 0 newer/cursors/c/stream.jsonl
-r-------- 0 none/log
`},
		{`ls -l --time-style=+%s.%N older/log newer/log | awk '{ print $1, $2, $5, $6, $7 }'`,
			fmt.Sprintf("\n-r-------- 1 1025 %d.%09d newer/log\n-r-------- 1 1025 %d.%09d older/log\n",
				newer.Unix(), newer.Nanosecond(), older.Unix(), older.Nanosecond())},
		{`stat -c %Y older older/stream older/log.tsv older/keys older/append | sort -u`,
			fmt.Sprintf("\n%d\n", older.Unix())},
		{`ls -t newer/log older/log`, "\nnewer/log\nolder/log\n"},
		{`ls -tr newer/keys/k older/records/1`, "\nolder/records/1\nnewer/keys/k\n"},
		{`ls -S none/log newer/log`, "\nnewer/log\nnone/log\n"},
		{`ls -s --block-size=512 newer/log`, "\n3 newer/log\n"},
		{`ls -A; ls -A newer/keys newer/cursors newer/records newer/from`, `
.puro
newer
none
older
newer/cursors:
c

newer/from:

newer/keys:
k

newer/records:
`},
		{`find . -name log -newer ` + mark + ` | sort`, "\n./newer/log\n./none/log\n"},
		{`find older newer -name 'log*' -newer ` + mark + ` | sort`,
			"\nnewer/log\nnewer/log.jsonl\nnewer/log.tsv\n"},
		{`find . -name log -size +1k | sort; find . -name log -empty`,
			"\n./newer/log\n./older/log\n./none/log\n"},
		{`find newer -type d | sort`, `
newer
newer/cursors
newer/cursors/c
newer/from
newer/keys
newer/records
`},
		{`find . -mmin +5 -o -mmin -0`, "\n"},
		{`find none newer older -name log -printf '%s %m %k %f\n'`,
			"\n0 400 0 log\n1025 400 2 log\n1025 400 2 log\n"},
		{`du -b newer/log newer/records/1 none/log`,
			"\n1025\tnewer/log\n1020\tnewer/records/1\n0\tnone/log\n"},
		{`du -B512 newer/log newer/keys; du -sb newer none`,
			"\n3\tnewer/log\n1\tnewer/keys\n6449\tnewer\n0\tnone\n"},
		{`[ newer/log -nt older/log ] && [ older/log -ot ` + mark + ` ] || echo no; ` +
			`[ -s newer/log ] && [ ! -s none/log ] && echo yes`, "\nno\nyes\n"},
		{`python3 -c '
import os
for root, dirs, files in os.walk("older"): print(root, *sorted(dirs), len(files))' | sort`, `
older cursors from keys records 12
older/cursors 0
older/from 0
older/keys 1
older/records 0
`},
	} {
		if got := "\n" + m.sh(test.script); got != test.want {
			t.Errorf("%s\nprints%swant%s", test.script, got, test.want)
		}
	}
}

// The numbers of all that can be listed are the same in each mount, and no two share one.
func TestNumbersOfFilesStay(t *testing.T) {
	t.Parallel()
	m, _, _ := newListed(t)
	const list = `find . -printf '%i %p\n' | sort`
	before := m.sh(list)
	if double := m.sh(`find . -printf '%i\n' | sort | uniq -d`); double != "" {
		t.Errorf("inode numbers that two files have: %s", double)
	}
	if n := len(splitLines(before)); n < 3*16+9 {
		t.Errorf("only %d files", n)
	}
	if got := mountOn(t, m.store).sh(list); got != before {
		t.Errorf("another mount numbers files otherwise:\n%swant\n%s", got, before)
	}
}

// A size is exact at once, and a time new, whoever has appended: this mount, another one, or a
// program with the library.
func TestListingsAreNotStale(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	other := mountOn(t, m.store)
	log := openLog(t, m.store)
	m.mkdir("t")
	stat := func() string { return m.sh(`stat -c '%s %.9Y' t/log`) }
	want := func(size int) {
		t.Helper()
		info, err := log.Topic("t")
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%d %d.%09d\n", size, info.Time.Unix(), info.Time.Nanosecond())
		if got := stat(); got != want {
			t.Errorf("stat shows %q, want %q", got, want)
		}
	}
	for i := range 5 {
		m.sh("stat t/log; echo mine >> t/append")
		want(15*i + 5)
		stat()
		other.sh("echo its >> t/append")
		want(15*i + 9)
		stat()
		appendLines(t, log, "t", "third")
		want(15*i + 15)
	}
}
