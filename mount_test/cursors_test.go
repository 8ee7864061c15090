package mount_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var cursorSeed = flag.Uint64("cursor-seed", uint64(time.Now().UnixNano()),
	"`seed` of when loops by a cursor are killed")

// cursorLoop is what a consumer is in bash; done is a file outside of the mount.
const cursorLoop = `while read -r l; do echo "$l" >> "$DONE"; done < orders/cursors/billing/stream`

// A consumer runs cursorLoop again and again.
type consumer struct {
	*mount
	done   string
	random *rand.Rand
}

func newConsumer(m *mount) *consumer {
	m.Logf("-cursor-seed=%d", *cursorSeed)
	return &consumer{
		mount: m, done: filepath.Join(m.TempDir(), "done"),
		random: rand.New(rand.NewPCG(*cursorSeed, 0)),
	}
}

func (c *consumer) loop() *process {
	c.Helper()
	return c.start("DONE=" + c.done + "\n" + cursorLoop)
}

// processed returns how often each record was done.
func (c *consumer) processed() map[string]int {
	text, err := os.ReadFile(c.done)
	if err != nil && !os.IsNotExist(err) {
		c.Fatal(err)
	}
	times := map[string]int{}
	for _, line := range splitLines(string(text)) {
		times[line]++
	}
	return times
}

// awaitMore returns when some more records are done, or all n of them.
func (c *consumer) awaitMore(n int) {
	c.Helper()
	want := min(len(c.processed())+1+c.random.IntN(20), n)
	until(c.T, "records are done", func() bool { return len(c.processed()) >= want })
}

// A consumer that is killed resumes at the record it had not finished: each is done, and at most
// one of them again for each kill.
func TestCursorLoopKilled(t *testing.T) {
	const records, kills = 2000, 100
	m := mountStore(t)
	m.sh("mkdir orders; seq 1 2000 > orders/append; mkdir orders/cursors/billing")
	c := newConsumer(m)
	for range kills {
		loop := c.loop()
		c.awaitMore(records)
		loop.signal(syscall.SIGKILL)
		loop.wait()
	}
	last := c.loop()
	until(t, "nothing is behind", func() bool { return m.read("orders/cursors/billing/lag") == "0\n" })
	last.signal(syscall.SIGKILL)
	c.check(records, kills)
}

func (c *consumer) check(records, deaths int) {
	c.Helper()
	times := c.processed()
	again := 0
	for i := range records {
		switch n := times[fmt.Sprint(i+1)]; n {
		case 0:
			c.Errorf("record %d was never done", i+1)
		default:
			again += n - 1
		}
	}
	if again > deaths || len(times) != records {
		c.Errorf("%d records, %d done again, want %d and at most %d", len(times), again, records, deaths)
	}
}

// No position that was acknowledged is lost when the daemon is killed.
func TestCursorDaemonKilled(t *testing.T) {
	const records, kills = 200, 5
	m := mountStore(t)
	m.sh("mkdir orders; seq 1 200 > orders/append; mkdir orders/cursors/billing")
	c := newConsumer(m)
	for range kills {
		loop := c.loop()
		c.awaitMore(records)
		m.daemon.signal(syscall.SIGKILL)
		m.daemon.wait()
		loop.wait()                    // its read fails
		m = mountAt(t, m.store, m.dir) // in the place of what is left
		c.mount = m
	}
	c.loop()
	until(t, "nothing is behind", func() bool { return m.read("orders/cursors/billing/lag") == "0\n" })
	c.check(records, kills)
}

// One reader has a cursor, whatever mount the others come by.
func TestCursorHasOneReader(t *testing.T) {
	m := mountStore(t)
	m.sh("mkdir orders; echo 1 > orders/append; mkdir orders/cursors/billing")
	other := mountOn(t, m.store)
	first := m.start(`while read -r l; do echo "$l"; done < orders/cursors/billing/stream`)
	first.wantLines("1")
	for _, m := range []*mount{m, other} {
		for _, call := range []string{
			"cat orders/cursors/billing/next", "cat orders/cursors/billing/stream",
			"echo end > orders/cursors/billing/position", "rmdir orders/cursors/billing",
		} {
			second := m.start(call)
			if status := second.wait(); status == 0 || !strings.Contains(second.errors(), "busy") {
				t.Errorf("%s: status %d, %s", call, status, second.errors())
			}
		}
	}
	first.signal(syscall.SIGKILL)
	first.wait()
	other.sh("echo end > orders/cursors/billing/position; rmdir orders/cursors/billing")
	if _, err := os.Stat(m.path("orders/cursors/billing")); !os.IsNotExist(err) {
		t.Errorf("got %v, want that the cursor is gone", err)
	}
}

// Who opens a cursor when the last reader has closed it gets it, on whichever mount.
func TestCursorNextOnTwoMounts(t *testing.T) {
	m := mountStore(t)
	other := mountOn(t, m.store)
	m.sh("mkdir orders; seq 1 1000 > orders/append; mkdir orders/cursors/billing")
	got := m.sh(fmt.Sprintf(`for i in {1..500}; do
		cat orders/cursors/billing/next
		m=$(cat %s/orders/cursors/billing/next)
		echo "$m"
	done`, other.dir))
	if want := m.sh("seq 1 1000"); got != want {
		t.Errorf("got %s", brief(got))
	}
	m.want("orders/cursors/billing/position", "1000\n")
	other.want("orders/cursors/billing/lag", "0\n")
}

// Whatever a program is written in, its loop acknowledges what it has read.
func TestCursorReaders(t *testing.T) {
	for _, test := range []struct{ tool, script string }{
		{"bash", `while read -r l; do echo "$l"; done < FILE`},
		{"python3", `exec python3 -uc 'for l in open("FILE"): print(l, end="")'`},
		{"perl", `exec perl -e '$| = 1; open F, "<", "FILE"; print while <F>'`},
		{"jq", `exec jq --unbuffered -r .value < FILE.jsonl`},
	} {
		t.Run(test.tool, func(t *testing.T) {
			needTool(t, test.tool)
			m := mountStore(t).in(t)
			m.sh(`mkdir orders; seq 1 10 > orders/append; mkdir orders/cursors/billing
				echo 5 > orders/cursors/billing/position`)
			p := m.start(strings.ReplaceAll(test.script, "FILE", "orders/cursors/billing/stream"))
			p.wantLines("6", "7", "8", "9", "10")
			until(t, "all is done", func() bool {
				return m.read("orders/cursors/billing/position") == "10\n"
			})
			p.signal(syscall.SIGKILL)
		})
	}
}

func TestCursorBadPosition(t *testing.T) {
	m := mountStore(t)
	m.sh("mkdir orders; mkdir orders/cursors/billing")
	p := m.start("echo whenever > orders/cursors/billing/position")
	if status := p.wait(); status == 0 || !strings.Contains(p.errors(), "Invalid argument") {
		t.Errorf("status %d, %s", status, p.errors())
	}
	if got := m.read(".puro/errors"); !strings.Contains(got, "whenever") {
		t.Errorf(".puro/errors does not tell the reason: %s", got)
	}
}
