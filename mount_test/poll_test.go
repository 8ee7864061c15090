package mount_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// How programs wait for a stream to become readable: each script says "armed" when it is about to
// wait, and prints what it then reads without waiting.
var pollers = []struct{ name, script string }{
	{"poll", `
p = select.poll(); p.register(fd, select.POLLIN)
assert p.poll(0) == [], "readable too early"
print("armed", flush=True)
assert p.poll(60000) == [(fd, select.POLLIN)], "not woken"`},
	{"select", `
assert select.select([fd], [], [], 0) == ([], [], []), "readable too early"
print("armed", flush=True)
assert select.select([fd], [], [], 60) == ([fd], [], []), "not woken"`},
	{"epoll", `
e = select.epoll(); e.register(fd, select.EPOLLIN)
assert e.poll(0) == [], "readable too early"
print("armed", flush=True)
assert e.poll(60) == [(fd, select.EPOLLIN)], "not woken"`},
	{"epoll, edge-triggered", `
e = select.epoll(); e.register(fd, select.EPOLLIN | select.EPOLLET)
assert e.poll(0) == [], "readable too early"
print("armed", flush=True)
assert e.poll(60) == [(fd, select.EPOLLIN)], "not woken"`},
	{"two that poll one file", `
p = select.poll(); p.register(fd, select.POLLIN)
e = select.epoll(); e.register(fd, select.EPOLLIN)
assert e.poll(0) == [] and p.poll(0) == [], "readable too early"
print("armed", flush=True)
assert p.poll(60000) == [(fd, select.POLLIN)], "not woken"
assert e.poll(60) == [(fd, select.EPOLLIN)], "the second was not woken"`},
	{"asyncio-like selectors", `
import selectors
s = selectors.DefaultSelector(); s.register(fd, selectors.EVENT_READ)
assert s.select(0) == [], "readable too early"
print("armed", flush=True)
assert len(s.select(60)) == 1, "not woken"`},
}

// poll, select and epoll tell truly whether a stream can be read, and wake when another process has
// appended.
func TestPoll(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	log := openLog(t, m.store)
	for i, test := range pollers {
		for j, file := range []string{"stream", "from/end", "stream.jsonl"} {
			t.Run(test.name+" "+file, func(t *testing.T) {
				m := m.in(t)
				topic := fmt.Sprintf("topic%d-%d", i, j)
				m.mkdir(topic)
				script := writeFile(t, "script.py", `import json, os, select
fd = os.open("`+topic+"/"+file+`", os.O_RDONLY | os.O_NONBLOCK)
for n in range(3):`+indent(test.script+`
line = os.read(fd, 200).decode()
if line[0] == "{": line = json.loads(line)["value"] + "\n"
print(line, end="", flush=True)
assert select.select([fd], [], [], 0) == ([], [], []), "readable, though all is read"
if "e" in globals(): e.unregister(fd)`))
				p := m.start("python3 " + script)
				for n := range 3 {
					p.wantLines("armed")
					p.awaitBlocked()
					appendLines(t, log, topic, fmt.Sprint("line ", n))
					p.wantLines(fmt.Sprint("line ", n))
				}
				p.succeed()
			})
		}
	}
}

// Who asked to be told of edges is told of each record, though it does not ask again in between. So
// do the runtimes of Go and Rust wait for a file that was opened with O_NONBLOCK.
func TestPollForEdges(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	m.sh(`echo "line 0" >> t/append`)
	p := m.start("python3 " + writeFile(t, "script.py", `
import os, select
fd = os.open("t/stream", os.O_RDONLY | os.O_NONBLOCK)
e = select.epoll(); e.register(fd, select.EPOLLIN | select.EPOLLET)
while e.poll(60) == [(fd, select.EPOLLIN)]:
    try:
        while True: print(os.read(fd, 200).decode(), end="", flush=True)
    except BlockingIOError: pass`))
	for n := range 4 {
		p.wantLines(fmt.Sprint("line ", n))
		p.awaitBlocked()
		m.sh(fmt.Sprintf(`echo "line %d" >> t/append`, n+1))
	}
}

// indent makes the body of a loop of a Python script.
func indent(script string) string {
	body := ""
	for _, line := range splitLines(script) {
		body += "    " + line + "\n"
	}
	return "\n" + body
}

// Files that are always ready say so, as all plain files do.
func TestPollOfFilesThatAreReady(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	m.sh(`echo one >> t/append
		python3 -c '
import os, select
for name in ("t/log", "t/stream", "t/from/0", "t/info", ".puro/status.json",
             "t/log.jsonl", "t/stream.jsonl", "t/stream.raw", "t/from/0.tsv"):
    fd = os.open(name, os.O_RDONLY)
    assert select.select([fd], [], [], 0) == ([fd], [], []), name
fd = os.open("t/append", os.O_WRONLY)
assert select.select([], [fd], [], 0) == ([], [fd], [])'`)
}

// Who opens a stream with O_NONBLOCK is told that there is nothing yet; what was open before waits,
// whatever is done to it later.
func TestNonBlocking(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	for _, name := range []string{"t/stream", "t/from/start", "t/from/end", "t/from/5",
		"t/stream.jsonl", "t/stream.raw", "t/from/5.tsv"} {
		fd, err := syscall.Open(m.path(name), syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(fd)
		if n, err := syscall.Read(fd, make([]byte, 10)); !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("read of %s: %d, %v, want EAGAIN", name, n, err)
		}
	}
	script := writeFile(t, "script.py", `
import fcntl, os
fd = os.open("t/stream", os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
print("reading", flush=True)
print(os.read(fd, 100).decode(), end="")`)
	p := m.start("python3 " + script)
	p.wantLines("reading")
	p.awaitBlocked()
	m.sh(`echo one >> t/append`)
	p.wantLines("one")
	p.succeed()
}

// In Go a read that waits ends at its deadline, and by the close of its file, if that was opened
// with O_NONBLOCK.
func TestGoEndsAWaitingRead(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.mkdir("t")
	file, err := os.OpenFile(m.path("t/from/end"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := file.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("at the deadline: read %q, %v", buf[:n], err)
	}
	if err := file.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	m.sh(`echo one >> t/append`)
	if n, err := file.Read(buf); err != nil || string(buf[:n]) != "one\n" {
		t.Errorf("read %q, %v, want one", buf[:n], err)
	}
	read := make(chan error)
	go func() {
		_, err := file.Read(buf)
		read <- err
	}()
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if err := <-read; !errors.Is(err, os.ErrClosed) {
		t.Errorf("a read of a closed file: %v", err)
	}
}
