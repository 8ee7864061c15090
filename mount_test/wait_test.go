package mount_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A reader that waits gets what others append, whoever they are.
func TestStreamGetsWhatOthersAppend(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	other := mountOn(t, m.store)
	log := openLog(t, m.store)
	m.mkdir("t")
	reader := m.start(`cat t/stream`)
	writers := []struct {
		name  string
		write func(line string)
	}{
		{"this mount", func(line string) { m.sh("echo " + line + " >> t/append") }},
		{"another mount", func(line string) { other.sh("echo " + line + " >> t/append") }},
		{"a program with the library", func(line string) { appendLines(t, log, "t", line) }},
		{"purofs append", func(line string) {
			m.sh("echo " + line + " | purofs append " + m.store + " t")
		}},
	}
	for round := range 3 {
		for _, w := range writers {
			reader.awaitBlocked()
			line := fmt.Sprintf("%d-%s", round, strings.ReplaceAll(w.name, " ", "-"))
			w.write(line)
			reader.wantLines(line)
		}
	}
}

// A signal ends a reader that waits, and nobody else.
func TestSignalsEndAWaitingReader(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	m.sh(`printf one > t/append.raw`)
	for file, first := range map[string]string{
		"stream": "one", "from/start": "one", "from/-1": "one", "from/0": "one",
		"stream.tsv": "\tone", "from/0.tsv": "\tone",
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(fmt.Sprint(file, " ", sig), func(t *testing.T) {
				m := m.in(t)
				reader, other := m.start(`exec cat t/`+file), m.start(`exec cat t/`+file)
				reader.wantLines(first)
				other.wantLines(first)
				reader.awaitBlocked()
				reader.signal(sig)
				if got, want := reader.wait(), 128+int(sig); got != want {
					t.Errorf("exit status %d, want %d", got, want)
				}
				if other.awaitBlocked(); other.cmd.ProcessState != nil {
					t.Error("the other reader ended, too")
				}
			})
		}
	}
}

// A handler of a signal runs, and the read goes on or fails with EINTR as the program has asked
// for.
func TestSignalHandlersRun(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	for file, want := range map[string]string{"stream": "one", "stream.tsv": "\tone"} {
		topic := "topic-" + file
		m.mkdir(topic)
		script := writeFile(t, "script.py", `
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: print("handled", flush=True))
fd = os.open("`+topic+"/"+file+`", os.O_RDONLY)
print("reading", flush=True)
print(os.read(fd, 100).decode(), end="")`)
		p := m.start("exec python3 " + script)
		p.wantLines("reading")
		for range 3 {
			p.awaitBlocked()
			p.signal(syscall.SIGUSR1)
			p.wantLines("handled")
		}
		p.awaitBlocked()
		m.sh(`echo one >> ` + topic + `/append`)
		p.wantLines(want)
		p.succeed()
	}
}

// The end of the daemon is the end of the file for everyone who waits, however many they are.
func TestUnmountEndsWaitingReaders(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	m.sh(`echo one >> t/append`)
	readers := make([]*process, 100)
	for i := range readers {
		file := []string{"stream", "from/0", "from/-1", "from/start"}[i%4]
		readers[i] = m.start(`exec cat t/` + file)
	}
	for _, reader := range readers {
		reader.wantLines("one")
		reader.awaitBlocked()
	}
	m.unmount()
	for _, reader := range readers {
		if rest := reader.rest(); rest != "" {
			t.Errorf("a reader got %s", brief(rest))
		}
		reader.succeed()
	}
}

// A reader that polls is woken by the end of the daemon as well.
func TestUnmountEndsPolls(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	script := writeFile(t, "script.py", `
import os, select
fd = os.open("t/stream", os.O_RDONLY)
e = select.epoll(); e.register(fd, select.EPOLLIN)
print("armed", flush=True)
assert e.poll(60), "not woken"`)
	p := m.start("python3 " + script)
	p.wantLines("armed")
	p.awaitBlocked()
	m.unmount()
	p.succeed()
}

// The removal of a topic, through this mount or another, is the end of the file.
func TestRemovalEndsWaitingReaders(t *testing.T) {
	t.Parallel()
	for _, elsewhere := range []bool{false, true} {
		t.Run(fmt.Sprint("elsewhere ", elsewhere), func(t *testing.T) {
			t.Parallel()
			m := mountStore(t, "allow_delete")
			remover := m
			if elsewhere {
				remover = mountOn(t, m.store, "allow_delete")
			}
			m.mkdir("t")
			m.sh(`echo one >> t/append`)
			reader, later := m.start(`cat t/stream`), m.start(`cat t/from/7`)
			reader.wantLines("one")
			reader.awaitBlocked()
			later.awaitBlocked()
			remover.sh(`rmdir t`)
			reader.succeed()
			later.succeed()
			until(t, "the topic is gone", func() bool {
				_, err := os.Stat(m.path("t"))
				return err != nil
			})
			// A topic of the same name is a new one, whose offsets go on.
			m.sh(`mkdir t; echo two >> t/append`)
			m.want("t/log", "two\n")
			m.sh(`test $(jq .first t/info) = 1`)
		})
	}
}

// A reader can be there before the topic has a record, and after the mount has made one of its
// name.
func TestWaitingForATopic(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "auto_create")
	reader := m.start(`cat t/stream`)
	reader.awaitBlocked()
	log := openLog(t, m.store)
	appendLines(t, log, "t", "one")
	reader.wantLines("one")
	m.sh(`echo two >> other/append; echo two >> t/append`)
	reader.wantLines("two")
	m.want("other/log", "two\n")
}

// Where the files under from/ begin.
func TestPositions(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	log := openLog(t, m.store)
	m.mkdir("t")
	m.mkdir("empty")
	appendLines(t, log, "t", "0", "1", "2", "3", "4")
	first := lastTime(m)
	until(t, "the clock has gone on", func() bool { return time.Now().After(first) })
	appendLines(t, log, "t", "5", "6", "7", "8", "9")
	second := lastTime(m)
	tests := []struct {
		position string
		first    int // 10 is one that is still to come
	}{
		{"start", 0}, {"beginning", 0}, {"0", 0}, {"3", 3}, {"9", 9}, {"007", 7},
		{"end", 10}, {"latest", 10}, {"10", 10}, {"-0", 10},
		{"-1", 9}, {"-3", 7}, {"-10", 0}, {"-1000", 0},
		{"1h", 0}, {"3d", 0}, {"2w", 0}, {"1h30m", 0}, {"0s", 10},
		{first.Format(time.RFC3339Nano), 0},
		{second.Format(time.RFC3339Nano), 5},
		{second.In(time.FixedZone("", 7200)).Format(time.RFC3339Nano), 5},
		{second.Add(time.Hour).Format(time.RFC3339), 10},
		{"2001-01-01T00:00:00Z", 0},
		{"@0", 0}, {"@" + strconv.FormatInt(second.Unix()+3600, 10), 10},
		{fmt.Sprintf("@%d.%09d", second.Unix(), second.Nanosecond()), 5},
	}
	readers := make([]*process, len(tests))
	for i, test := range tests {
		readers[i] = m.start("cat t/from/" + test.position)
		for n := test.first; n < 10; n++ {
			readers[i].wantLines(strconv.Itoa(n))
		}
		readers[i].awaitBlocked()
	}
	beyond, empty := m.start(`cat t/from/12`), m.start(`cat empty/from/-5`)
	beyond.awaitBlocked()
	empty.awaitBlocked()
	appendLines(t, log, "t", "10", "11")
	appendLines(t, log, "empty", "first")
	for _, reader := range readers {
		reader.wantLines("10", "11")
	}
	empty.wantLines("first")
	appendLines(t, log, "t", "12")
	beyond.wantLines("12")
}

// lastTime returns the time of the newest record of topic t.
func lastTime(m *mount) time.Time {
	m.Helper()
	last, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(m.sh(`jq -r .last_time t/info`)))
	if err != nil {
		m.Fatal(err)
	}
	return last
}

// What is no position is no file.
func TestNoPositions(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	for _, name := range []string{
		"x", "--1", "1.5", "+1", "-", "@", "@x", "1x", "-1h", "2026-11-22", "2026-13-01T00:00:00Z",
		"18446744073709551616", "start ", " start", "START", "@99999999999999999999", "1h-", "\x01",
		"\xff", ".hidden", "1,000", "0x10",
	} {
		if _, err := os.Stat(m.path("t/from/" + name)); !os.IsNotExist(err) {
			t.Errorf("from/%q: %v, want that it does not exist", name, err)
		}
	}
	if names := m.sh(`ls -A t/from`); names != "" {
		t.Errorf("from/ lists %q", names)
	}
}
