package mount_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"purofs/engine"
	"purofs/engine/oracle"
)

// The disk refuses a write, so the sync behind an append fails, and the kernel forgets: it takes
// the pages for clean, and would call every later sync a success. Nothing is acknowledged from then
// on, and nothing that is acknowledged after the log was opened again rests on what never reached
// the disk.
func TestDiskRefusesAWrite(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	run := oracle.Start(t, "T14")
	m := newMachine(t)
	for _, kind := range fileSystems {
		// A disk that is provided thinly can run out of space, too.
		for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
			t.Run(kind.name+"/"+errno.Error(), func(t *testing.T) {
				p := newPowerTest(t, run, m, kind, engine.SyncAlways)
				p.record(func(l *powerLoad) { refuseOnce(l, errno) })
				p.requireAfter("one", "after")
				p.machine.boot(0)
				run.Count("refused writes", 1)
			})
		}
	}
}

// refuseOnce has the disk refuse one write of a log that is mounted.
func refuseOnce(l *powerLoad, errno syscall.Errno) {
	m := mountOn(l.T, l.store, "sync=always")
	m.sh(`mkdir a; echo one >> a/append`)
	l.disk.fail(errno, 1, "REFUSED")
	reader := m.start(`cat a/stream`)
	reader.wantLines("one")
	// It has pages of its own, which no later append makes dirty again.
	refused := "REFUSED" + strings.Repeat("x", 40_000)
	for _, line := range []string{refused, "next", "last"} {
		out := m.sh(`! echo ` + line + ` 2>&1 >> a/append`)
		if !strings.Contains(out, "Input/output error") {
			l.Fatalf("writing %s says %q, want an I/O error", brief(line), out)
		}
	}
	if status := m.read(".puro/status.json"); !strings.Contains(status, `"healthy": false`) {
		l.Errorf("the status is %s", status)
	}
	m.daemon.signal(syscall.SIGTERM)
	if status := m.daemon.wait(); status == 0 {
		l.Error("the daemon ends with status 0, though not everything is on the disk")
	}

	again := mountAt(l.T, l.store, m.dir, "sync=always")
	got := again.read("a/log")
	if got != "one\n" && got != "one\n"+refused+"\n" {
		l.Errorf("mounted again the log is %s", brief(got))
	}
	again.sh(`echo after >> a/append`)
	l.acked = l.tracePos()
	again.unmount()
}

// requireAfter cuts the power when the last append of the run was just acknowledged, and checks
// that those lines are there, in this order.
func (p *powerTest) requireAfter(lines ...string) {
	p.Helper()
	cut := powerCut{entry: p.rec.entryAt(p.load.acked)}
	if !p.mountCut(cut) {
		return
	}
	defer unmountImage(p.T, p.mnt)
	p.machine.boot(1)
	log := openLog(p.T, p.store())
	defer log.Close()
	r, err := log.OpenReader("a", engine.Start())
	if err != nil {
		p.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.TryNext()
		if errors.Is(err, engine.ErrNoRecord) {
			break
		}
		if err != nil {
			p.Fatal(err)
		}
		if len(lines) > 0 && string(rec.Value) == lines[0] {
			lines = lines[1:]
		}
	}
	if len(lines) > 0 {
		p.Errorf("these lines are lost: %q", lines)
	}
}
