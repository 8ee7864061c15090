package mount_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"purofs/engine"
)

// The daemon is killed while many write. Mounting again cleans up what it left, and every line that
// was acknowledged is there, once and in order.
func TestDaemonIsKilled(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "segment_size=256k")
	m.mkdir("t")
	const writers = 5
	producers := make([]*process, writers)
	for i := range producers {
		producers[i] = start(t, child("produce", m.path("t/append"), string(rune('a'+i))))
		producers[i].wantLines("ready")
		producers[i].say("go")
		producers[i].wantLines("0")
	}
	reader := m.start(`cat t/stream`)
	for range 2000 {
		reader.line()
	}
	m.daemon.signal(syscall.SIGKILL)
	if status := m.daemon.wait(); status != 128+int(syscall.SIGKILL) {
		t.Errorf("the daemon ended with status %d", status)
	}
	acknowledged := map[string]int{}
	for i, p := range producers {
		acknowledged[string(rune('a'+i))] = lastNumber(t, p)
	}
	reader.rest()
	if status := reader.wait(); status == 0 {
		t.Error("the reader did not notice that the daemon is dead")
	}
	if _, err := os.ReadDir(m.dir); !errors.Is(err, syscall.ENOTCONN) {
		t.Fatalf("listing the mount: %v, want that it is stale", err)
	}

	again := mountAt(t, m.store, m.dir)
	next := map[string]int{}
	for _, line := range splitLines(again.read("t/log")) {
		name, number, _ := strings.Cut(line, " ")
		if number != strconv.Itoa(next[name]) {
			t.Fatalf("line %q, want number %d of %s", line, next[name], name)
		}
		next[name]++
	}
	for name, last := range acknowledged {
		// One more may have been stored without its writer living to hear of it.
		if stored := next[name] - 1; stored != last && stored != last+1 {
			t.Errorf("%d lines of %s are stored, %d are acknowledged", stored+1, name, last+1)
		}
	}
	again.sh(`echo more >> t/append; test "$(tail -n 1 t/log)" = more`)
	again.verify()
}

// lastNumber returns the last number that a producer printed.
func lastNumber(t *testing.T, p *process) int {
	t.Helper()
	lines := splitLines(p.rest())
	p.succeed()
	n, err := strconv.Atoi(lines[len(lines)-1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A writer is killed in the middle of a big write: there are whole lines, whatever of it came
// through, but for the one at which it was cut off, each time.
func TestWriterIsKilled(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	const kills = 5
	for range kills {
		reader := m.start(`exec cat t/from/end`)
		reader.awaitBlocked()
		writer := start(t, child("flood", m.path("t/append")))
		reader.line()
		writer.signal(syscall.SIGKILL)
		writer.wait()
		reader.signal(syscall.SIGKILL)
		reader.wait()
	}
	file, err := os.Open(m.path("t/log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cut := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text() + "\n"
		if line == floodLine {
			continue
		}
		if cut++; !strings.HasPrefix(floodLine, lines.Text()) {
			t.Fatalf("a line is %q", lines.Text())
		}
	}
	if cut > kills {
		t.Errorf("%d lines are not whole after %d kills", cut, kills)
	}
	m.sh(`echo more >> t/append; test "$(tail -n 1 t/log)" = more`)
	m.verify()
}

// A process that dies while it appends leaves a torn tail: what stands before it is shown, nothing
// of it is, and the next append goes on. package engine does this for each byte of a block.
func TestTornTail(t *testing.T) {
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "store")
	log := openLog(t, whole)
	appendLines(t, log, "t", "one", "two")
	segment := filepath.Join(whole, "stream0.puro")
	first := fileSize(t, segment)
	appendLines(t, log, "t", "three", "four")
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	last := fileSize(t, segment)
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	for size := first; size < last; size += 7 {
		t.Run(fmt.Sprint("cut at ", size-first), func(t *testing.T) {
			m := mountOn(t, storeOf(t, text[:size]))
			m.want("t/log", "one\ntwo\n")
			reader := m.start(`cat t/stream`)
			reader.wantLines("one", "two")
			m.sh(`echo more >> t/append`)
			reader.wantLines("more")
			m.want("t/log", "one\ntwo\nmore\n")
			if report := m.verify(); report.Tail != "clean" {
				t.Errorf("the end is %s", report.Tail)
			}
		})
	}
}

// A mount that is in use when a torn tail comes to be goes on as well, and so do its readers.
func TestTornTailUnderTheMount(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.sh(`mkdir t; echo one >> t/append`)
	reader := m.start(`cat t/stream`)
	reader.wantLines("one")
	segment := filepath.Join(m.store, "stream0.puro")
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 30; n += 4 {
		// The beginning of a block, which is what every block here has in common with the first.
		file, err := os.OpenFile(segment, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		mustWriteAll(t, file, text[9:9+n])
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprint("after ", n)
		m.sh(`echo ` + line + ` >> t/append`)
		reader.wantLines(line)
	}
	m.verify()
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// Bytes that are not what was written are an I/O error at their place, once for a stream; what
// stands behind them is there.
func TestDamage(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store")
	log := openLog(t, store)
	appendLines(t, log, "t", "one")
	place := fileSize(t, filepath.Join(store, "stream0.puro"))
	appendLines(t, log, "t", "two")
	appendLines(t, log, "t", "three")
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	segment, err := os.OpenFile(filepath.Join(store, "stream0.puro"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer segment.Close()
	text, err := os.ReadFile(segment.Name())
	if err != nil {
		t.Fatal(err)
	}
	damaged := place + int64(strings.Index(string(text[place:]), "two"))
	if _, err := segment.WriteAt([]byte("TWO"), damaged); err != nil {
		t.Fatal(err)
	}
	m := mountOn(t, store)
	got := m.sh(`head -c 4 t/log; ! cat t/log 2>&1 > /dev/null; dd if=t/log bs=1 skip=8 status=none`)
	if got != "one\ncat: t/log: Input/output error\nthree\n" {
		t.Errorf("the log gives %q", got)
	}
	reader := start(t, child("skip", m.path("t/stream")))
	reader.wantLines("one", "EIO", "three")
	for _, file := range []string{"stream.tsv", "from/0.tsv"} {
		start(t, child("skip", m.path("t/"+file))).wantLines("\tone", "EIO", "\tthree")
	}
	m.sh(`echo four >> t/append`)
	reader.wantLines("four")
	if text := m.read(".puro/errors"); !strings.Contains(text, "segment=0") {
		t.Errorf(".puro/errors does not tell the place: %s", brief(text))
	}
	report, err := engine.Verify(context.Background(), store, nil)
	if err != nil || report.Sound() {
		t.Errorf("verify: %v, %v, want damage", report, err)
	}
}

// A process that ends, in whatever way, ends its line: the kernel closes the file for it, and that
// looks like close(2). (docs/guarantees.md, N11: what would tell the two apart cannot be asked for
// while the process waits for the answer.)
func TestUnfinishedLineOfADeadWriter(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	tests := []struct {
		name, last string // the last line of the script
		signal     syscall.Signal
	}{
		{"exit", `os._exit(0)`, 0},
		{"failure", `os._exit(9)`, 0},
		{"exit of many threads", `
for _ in range(20): threading.Thread(target=signal.pause, daemon=True).start()
os._exit(0)`, 0},
		{"exec", `os.execv("/bin/true", ["true"])`, 0},
		{"its own signal", `os.kill(os.getpid(), signal.SIGTERM); signal.pause()`, 0},
		{"SIGKILL", `signal.pause()`, syscall.SIGKILL},
		{"SIGKILL of many threads", `
for _ in range(20): threading.Thread(target=signal.pause, daemon=True).start()
signal.pause()`, syscall.SIGKILL},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := m.in(t)
			topic := fmt.Sprint("topic", i)
			m.mkdir(topic)
			writer := m.start("exec python3 " + writeFile(t, "script.py", `
import os, signal, threading
fd = os.open("`+topic+`/append", os.O_WRONLY)
os.write(fd, b"whole\nhalf")
print("written", flush=True)
`+test.last))
			writer.wantLines("written")
			if test.signal != 0 {
				writer.awaitBlocked()
				writer.signal(test.signal)
			}
			writer.wait()
			m.want(topic+"/log", "whole\nhalf\n")
		})
	}
}
