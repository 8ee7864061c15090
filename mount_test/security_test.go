package mount_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/oracle"
)

// What nobody can do with a topic of root's, for each mode of it, with and without allow_other: the
// table of docs/security.md.
func TestOtherUsersTable(t *testing.T) {
	t.Parallel()
	const stat, read, appended, create, unlink = "stat t/log", "cat t/log", "echo two >> t/append",
		"touch t/new", "rm -f t/append"
	allowed := map[string]bool{ // mode, allow_other, call; what is missing is refused
		// A topic's directory has x where its mode has r or w.
		"0666 true " + stat: true, "0666 true " + read: true, "0666 true " + appended: true,
	}
	for _, others := range []bool{false, true} {
		m := mountStore(t)
		if others {
			m = mountStore(t, "allow_other")
		}
		for _, mode := range []string{"0600", "0640", "0666"} {
			m.sh(`mkdir t` + mode + `; echo one >> t` + mode + `/append; chmod ` + mode + ` t` + mode)
			for _, call := range []string{stat, read, appended, create, unlink} {
				p := asNobody(t, m.dir, strings.ReplaceAll(call, "t/", "t"+mode+"/"))
				status := p.wait()
				if want := allowed[fmt.Sprintf("%s %t %s", mode, others, call)]; want != (status == 0) {
					t.Errorf("%s of a topic of mode %s, allow_other %t: exit status %d, %s",
						call, mode, others, status, brief(p.errors()))
				}
			}
			want := "one\n"
			if others && mode == "0666" {
				want += "two\n"
			}
			m.want("t"+mode+"/log", want)
		}
	}
}

// memory is how much memory a process has, in bytes.
func memory(t *testing.T, p *process) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if kilobytes, found := strings.CutPrefix(line, "VmRSS:"); found {
			n, err := strconv.ParseInt(strings.Fields(kilobytes)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("no VmRSS in %s", status)
	return 0
}

// A user who opens whatever they can, leaves lines unfinished as long as that goes, and writes a
// line without an end: the daemon stays within bounds, and others are served as before, with
// unfinished lines of their own.
func TestExhaustionByOneUser(t *testing.T) {
	t.Parallel()
	needRoot(t)
	run := oracle.Start(t, "T20")
	m := mountStore(t, "allow_other")
	m.sh(`mkdir -m 777 t; mkdir -m 755 gate; mkdir ours`)
	needTool(t, "python3")
	opens, rounds := oracle.Size(3_000, 100_000), oracle.Size(60, 10_000)
	const lines = 240 << 20 // bytes of all unfinished ones, of which one user's share is about a half
	greedy := asNobody(t, m.dir, fmt.Sprintf(`exec python3 -c '
import os, resource
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
# As many processes as it takes have the streams open until the gate opens.
opens, each, opened = %d, limit - 100, os.pipe()
for first in range(0, opens, each):
    if os.fork() == 0:
        for i in range(first, min(first + each, opens)):
            os.open("t/stream", os.O_RDONLY)
        os.write(opened[1], b"!")
        open("gate/stream").readline()
        os._exit(0)
for first in range(0, opens, each):
    os.read(opened[0], 1)
def full(fd, pieces, size):
    for i in range(pieces):
        try:
            os.write(fd, b"x" * size)
        except OSError:
            return 1
    return 0
append = [os.open("t/append", os.O_WRONLY) for i in range(%d)]
print(sum(full(fd, 4, %d) for fd in append), flush=True)
print(full(append[0], 1 << 10, 1 << 20), flush=True)
open("gate/stream").readline()
for first in range(0, opens, each):
    os.wait()
os._exit(0)'`, opens, rounds, lines/rounds/4))
	refused, err := strconv.Atoi(greedy.line())
	if err != nil || refused < rounds/4 || refused > 3*rounds/4 {
		t.Errorf("%d of %d unfinished lines were refused (%v), want about a half", refused, rounds, err)
	}
	if got := greedy.line(); got != "1" {
		t.Errorf("a line of 1 GiB was not refused")
	}
	begun := time.Now()
	m.sh(`exec 3>> ours/append; head -c 4M /dev/zero | tr '\0' y >&3; echo . >&3
		echo more >> ours/append
		test "$(tail -n 1 ours/log)" = more; test $(wc -c < ours/log) -gt 4000000`)
	run.Note("milliseconds of another user", time.Since(begun).Milliseconds())
	got := memory(t, m.daemon)
	if got > 1<<30 {
		t.Errorf("the daemon has %d bytes of memory", got)
	}
	run.Note("mebibytes of the daemon", got>>20)
	run.Count("opens", opens)
	run.Count("unfinished lines", rounds)
	run.Count("unfinished lines that were refused", refused)
	m.sh(`echo >> gate/append`)
	greedy.succeed()
	m.verify()
}

// Somebody who may write to the store's directory puts a link in the place of a segment, again and
// again, while programs open it: nothing outside the store is ever read or written.
func TestLinksInTheStore(t *testing.T) {
	t.Parallel()
	const rounds = 1000
	dir := t.TempDir()
	victim, store := filepath.Join(dir, "victim"), filepath.Join(dir, "store")
	for path, topic := range map[string]string{victim: "secret", store: "ours"} {
		log, err := engine.Open(context.Background(), path, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		appendLines(t, log, topic, "a line")
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	name, aside := filepath.Join(store, "stream0.puro"), filepath.Join(dir, "aside")
	secret := filepath.Join(victim, "stream0.puro")
	before, err := os.ReadFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	stop, swapped := make(chan struct{}), make(chan error, 1)
	go func() { swapped <- swapForLinks(name, aside, secret, stop) }()
	for round := range rounds {
		log, err := engine.Open(context.Background(), store, engine.Options{ReadOnly: round%2 == 0})
		if err != nil {
			continue // it met the link, or nothing at all
		}
		for _, topic := range log.Topics() {
			if topic.Name != "ours" {
				t.Errorf("round %d: topic %q was read through a link", round, topic.Name)
			}
		}
		var b engine.Batch
		b.Add("ours", nil, []byte("more"))
		_ = log.Append(context.Background(), &b)
		_ = log.Close()
	}
	close(stop)
	if err := <-swapped; err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(secret); err != nil || string(after) != string(before) {
		t.Errorf("the file behind the link was changed (%v)", err)
	}
}

// swapForLinks lets a name be its file and a link to another one in turns, and leaves the file.
func swapForLinks(name, aside, target string, stop chan struct{}) error {
	for {
		if err := os.Rename(name, aside); err != nil {
			return err
		}
		// Where a program has made a new segment meanwhile there will be no link this time.
		if err := os.Symlink(target, name); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := os.Rename(aside, name); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		default:
		}
	}
}

// A daemon that is stopped holds up who asks it, and a connection that is aborted lets them go with
// an error; whatever was acknowledged is there afterwards.
func TestStoppedDaemonIsAborted(t *testing.T) {
	t.Parallel()
	needRoot(t)
	m := mountStore(t)
	m.sh(`mkdir t; echo one >> t/append`)
	number := connection(m)
	m.daemon.signal(syscall.SIGSTOP)
	writer := m.start(`echo two >> t/append`)
	writer.awaitBlocked()
	abortConnection(m, number)
	if status := writer.wait(); status == 0 {
		t.Error("the write succeeded without a daemon")
	}
	m.daemon.signal(syscall.SIGCONT)
	m.daemon.wait()
	again := mountOn(t, m.store)
	again.want("t/log", "one\n")
}

// Names of topics that would upset a terminal, or forge a line of a log, are only ever quoted in
// what the daemon logs.
func TestNamesInTheLog(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	for _, name := range []string{"a\nforged line", "\x1b[31mred", "a\xff", "tab\there"} {
		if err := os.Mkdir(m.path(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(m.path(name)); err == nil {
			t.Errorf("rmdir of %q without allow_delete succeeded", name)
		}
	}
	text := m.daemon.errors()
	if !strings.Contains(text, "forged line") {
		t.Errorf("the name is not in the log: %s", brief(text))
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "{") || strings.ContainsAny(line, "\x1b\t\r") {
			t.Errorf("the log has the line %q", line)
		}
	}
}
