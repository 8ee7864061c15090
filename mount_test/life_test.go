package mount_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"purofs/engine/oracle"
)

// daemonsGone waits until no process is left whose command line names a file in a directory.
func daemonsGone(t *testing.T, dir string) {
	t.Helper()
	commands, err := oracle.CommandsBelow(dir)
	if err != nil {
		t.Fatal(err)
	}
	for pid, command := range commands {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // it has ended since
		}
		ended := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(ended, int(patience.Milliseconds()))
		for err == syscall.EINTR {
			n, err = unix.Poll(ended, int(patience.Milliseconds()))
		}
		unix.Close(fd)
		if err != nil || n != 1 {
			t.Errorf("still running: %s (%v)", command, err)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// newPlace returns a directory to mount on, next to which a store can be. In the end nothing is
// mounted on it, and no daemon is left.
func newPlace(t *testing.T) (store, dir string) {
	t.Helper()
	needFuse(t)
	dir = newDir(t, "mnt")
	t.Cleanup(func() {
		(&mount{T: t, dir: dir}).detach()
		daemonsGone(t, filepath.Dir(dir))
	})
	return filepath.Join(filepath.Dir(dir), "store"), dir
}

// Each way to end a mount ends its daemon as well, with status 0.
func TestWaysToUnmount(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, tool, script string }{
		{"purofs umount", "purofs", `purofs umount $mnt`},
		{"purofs unmount", "purofs", `purofs unmount $mnt`},
		{"umount", "umount", `umount $mnt`},
		{"umount -l", "umount", `umount -l $mnt`},
		{"fusermount3 -u", "fusermount3", `fusermount3 -u $mnt`},
		{"SIGTERM", "kill", `kill -TERM $daemon`},
		{"SIGINT", "kill", `kill -INT $daemon`},
		{"SIGHUP", "kill", `kill -HUP $daemon`},
		{"SIGTERM again and again", "kill", `kill $daemon; while kill $daemon; do :; done 2> /dev/null`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.tool != "purofs" {
				needTool(t, test.tool)
			}
			m := mountStore(t)
			m.sh(`mkdir t; printf one >> t/append`)
			p := start(t, exec.Command("bash", "-c", fmt.Sprintf("set -e\nmnt=%s\ndaemon=%d\n%s",
				m.dir, m.daemon.cmd.Process.Pid, test.script)))
			p.succeed()
			m.wantEnded()
			if _, stdout, _ := run(t, "cat", m.store, "t"); stdout != "one\n" {
				t.Errorf("the store holds %q", stdout)
			}
		})
	}
}

// While programs stand in the mount, or have files open, umount(8) says so and nothing happens; a
// signal ends the mount all the same.
func TestUnmountWhileBusy(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.sh(`mkdir t; echo one >> t/append`)
	busy := m.start(`cd t; exec 3>> append; echo ready; read -r go; echo two >&3`)
	busy.wantLines("ready")
	p := start(t, exec.Command("umount", m.dir))
	if status := p.wait(); status == 0 {
		t.Error("umount of a mount that is in use succeeded")
	}
	m.sh(`echo more >> t/append`)
	m.unmount()
	busy.say("go")
	stored := busy.wait() == 0
	_, stdout, _ := run(t, "cat", m.store, "t")
	want := "one\nmore\n"
	if stored {
		want += "two\n"
	}
	if stdout != want {
		t.Errorf("the store holds %q, want %q", stdout, want)
	}
}

// A writer in mid-line when the daemon is told to end: either its line is stored, or it is told.
func TestEndInMidLine(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.sh(`mkdir t`)
	fd, err := syscall.Open(m.path("t/append"), syscall.O_WRONLY|syscall.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := syscall.Write(fd, []byte("half")); err != nil {
		t.Fatal(err)
	}
	m.daemon.signal(syscall.SIGTERM)
	m.daemon.succeed()
	reported := syscall.Close(fd)
	_, stdout, _ := run(t, "cat", m.store, "t")
	if stored := stdout == "half\n"; stored == (reported != nil) {
		t.Errorf("the store holds %q, and close says: %v", stdout, reported)
	}
}

// The forms of the command line that leave a daemon behind, which answers as soon as they return.
func TestDaemons(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, tool, script string }{
		{"--daemon", "purofs", `purofs mount --daemon $store $mnt`},
		{"the form of mount(8)", "purofs", `purofs $store $mnt -o rw,nodev,noatime`},
		{"relative paths", "purofs", `cd ${mnt%/*}; purofs mount --daemon store mnt`},
		{"through a link", "purofs", `ln -s $mnt $mnt.link; purofs mount --daemon $store $mnt.link`},
		{"sync", "purofs", `purofs $store $mnt -o sync`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			store, dir := newPlace(t)
			cmd := exec.Command("bash", "-c", fmt.Sprintf("set -e\nstore=%s\nmnt=%s\n", store, dir)+
				test.script+`
				mkdir $mnt/t; echo one >> $mnt/t/append; cat $mnt/t/log
				purofs umount $mnt; test ! -e $mnt/t; purofs cat $store t`)
			p := start(t, cmd)
			p.wantLines("one", "one")
			p.succeed()
		})
	}
}

// mount(8) finds the program where programs are installed. So that this test needs no installation,
// a name space of its own has the program there.
func TestMountCommand(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needTool(t, "mount.fuse3")
	needTool(t, "unshare")
	store, dir := newPlace(t)
	p := start(t, exec.Command("unshare", "--mount", "bash", "-c", fmt.Sprintf(`
		set -e
		mount -t tmpfs none /usr/local/bin
		cp %s /usr/local/bin/purofs
		mount -t fuse.purofs -o sync=always,noatime,x-example %s %s
		cd %[3]s; mkdir t; echo one >> t/append; cat t/log; cd /
		findmnt -n -o FSTYPE %[3]s
		umount %[3]s`, program, store, dir)))
	p.wantLines("one", "fuse.purofs")
	p.succeed()
}

// What cannot be mounted is refused with what to do about it, in the foreground and by a daemon
// alike, and nothing is left mounted.
func TestRefusedMounts(t *testing.T) {
	t.Parallel()
	mounted := mountStore(t)
	for _, test := range []struct{ name, setup, args, says string }{
		{"unknown option", ``, `-o snyc=always store mnt`, "sync=MODE, segment_size=SIZE"},
		{"bad value", ``, `-o sync=sometimes store mnt`, "none, interval, always or flip"},
		{"no mount point", ``, `store missing`, "mkdir"},
		{"a file as mount point", `touch file`, `store file`, "not a directory"},
		{"not empty", `touch mnt/file`, `store mnt`, "not empty"},
		{"not a store", `mkdir diary; touch diary/monday`, `diary mnt`, "not a purofs store"},
		{"the store in the mount point", ``, `mnt/store mnt`, "inside the mount point"},
		{"the mount point in the store", `mkdir -p s/mnt`, `s s/mnt`, "inside the store"},
		{"the store as mount point", ``, `mnt mnt`, "inside the mount point"},
		{"a store in a link to the mount point", `ln -s mnt link`, `link/store mnt`,
			"inside the mount point"},
		{"mounted already", ``, `store ` + mounted.dir, "already"},
		{"no directory for the store", ``, `missing/store mnt`, "no such file or directory"},
	} {
		for _, daemon := range []string{"", "--daemon "} {
			t.Run(daemon+test.name, func(t *testing.T) {
				_, dir := newPlace(t)
				cmd := exec.Command("bash", "-c", test.setup+"\nexec purofs mount "+daemon+test.args)
				cmd.Dir = filepath.Dir(dir)
				p := start(t, cmd)
				if status := p.wait(); status != 1 && status != 2 {
					t.Errorf("exit status %d", status)
				}
				said := p.errors()
				if !strings.Contains(said, test.says) || strings.Count(said, "\n") != 1 {
					t.Errorf("it says %q, which does not mention %q", said, test.says)
				}
			})
		}
	}
	mounted.sh(`mkdir t; echo one >> t/append; cat t/log`)
}

// Mounting again and again leaves nothing behind.
func TestMountingAgainAndAgain(t *testing.T) {
	t.Parallel()
	store, dir := newPlace(t)
	rounds := oracle.Size(50, 1_000)
	if raceEnabled() {
		rounds = oracle.Size(15, 300) // each start takes ten times as long
	}
	const each = 50 // a script
	for done := 0; done < rounds; done += each {
		p := start(t, exec.Command("bash", "-c", fmt.Sprintf(`set -e
			for i in $(seq %d %d); do
				purofs mount --daemon %s %s
				mkdir -p %[4]s/t; echo $i >> %[4]s/t/append
				purofs umount %[4]s
			done`, done+1, min(done+each, rounds), store, dir)))
		p.succeed()
	}
	if _, stdout, _ := run(t, "cat", store, "t"); stdout != numbers(1, rounds) {
		t.Errorf("the store holds %s", brief(stdout))
	}
	names, err := filepath.Glob(store + "/*")
	if err != nil || len(names) > 2 {
		t.Errorf("the store has files %v (%v), want one segment and a checkpoint", names, err)
	}
	daemonsGone(t, filepath.Dir(dir))
	verify(t, store)
}

// The control files are what monitors and people read.
func TestControlFiles(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "sync=always")
	m.sh(`mkdir t u; seq 10 >> t/append; echo -n '' >> u/append`)
	if got := m.sh(`jq -r '"\(.store) \(.sync) \(.topics) \(.records) \(.healthy) \(.troubles)"' ` +
		`.puro/status.json`); got != m.store+" always 2 10 true 0\n" {
		t.Errorf("status.json says %s", got)
	}
	if got := m.sh(`jq -c '[.topic, .first, .next, .records, .bytes, .mode]' t/info`); got !=
		`["t",0,10,10,21,"0755"]`+"\n" {
		t.Errorf("info says %s", got)
	}
	if got := m.sh(`rmdir t 2> /dev/null || grep -c allow_delete .puro/errors`); got != "1\n" {
		t.Errorf("errors does not tell why: %s", m.read(".puro/errors"))
	}
	if got := m.sh(`echo $(ls -A) : $(ls t)`); got != ".puro t u : append append.jsonl append.raw "+
		"append.tsv cursors from info keys log log.jsonl log.tsv records stream stream.jsonl stream.raw "+
		"stream.tsv\n" {
		t.Errorf("the tree lists %q", got)
	}
}
