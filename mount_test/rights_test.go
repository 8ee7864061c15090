package mount_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is a user, and a group, without any rights.
const nobody = 65534

// asNobody starts a script of bash in a directory as nobody.
func asNobody(t *testing.T, dir, script string) *process {
	t.Helper()
	needRoot(t)
	cmd := exec.Command("bash", "-c", "set -euo pipefail\ncd "+dir+"\n"+script)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: false},
	}
	p := start(t, cmd)
	p.in.Close()
	return p
}

// Without allow_other nobody else gets in, not even to look.
func TestOtherUsersStayOutside(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	m.sh(`mkdir -m 777 t; echo one >> t/append`)
	for _, script := range []string{`ls`, `stat t`, `cat t/log`, `echo two >> t/append`, `mkdir u`} {
		p := asNobody(t, m.dir, script)
		if status := p.wait(); status == 0 || !strings.Contains(p.errors(), "Permission denied") {
			t.Errorf("%s: exit status %d, %s", script, status, brief(p.errors()))
		}
	}
	m.want("t/log", "one\n")
}

// With allow_other the modes of the topics are honoured.
func TestOtherUsersByMode(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "allow_other")
	log := openLog(t, m.store)
	tests := []struct {
		mode, owner                string
		list, stat, read, appended bool
	}{
		{"777", "0:0", true, true, true, true},
		{"755", "0:0", true, true, true, false},
		{"722", "0:0", false, true, false, true},
		{"711", "0:0", false, true, false, false},
		{"700", "0:0", false, false, false, false},
		{"640", "0:0", false, false, false, false},
		{"644", "0:0", true, true, true, false},
		{"770", "0:65534", true, true, true, true},
		{"750", "0:65534", true, true, true, false},
		{"700", "65534:0", true, true, true, true},
		{"200", "65534:0", false, true, false, true},
		{"077", "65534:0", false, false, false, false},
	}
	for i, test := range tests {
		t.Run(test.mode+" "+test.owner, func(t *testing.T) {
			m := m.in(t)
			topic := fmt.Sprint("topic", i)
			put(t, log, topic, "k", []byte("of a key"))
			m.sh(fmt.Sprintf(`echo one >> %s/append
				chown %[2]s %[1]s; chmod %[3]s %[1]s`, topic, test.owner, test.mode))
			for _, try := range []struct {
				script  string
				allowed bool
			}{
				{`ls t/`, test.list}, {`stat t/log`, test.stat}, {`cat t/log`, test.read},
				{`head -n 1 t/stream`, test.read}, {`head -n 1 t/from/-1`, test.read},
				{`cat t/records/0`, test.read}, {`ls t/records`, test.read},
				{`cat t/keys/k`, test.read}, {`ls t/keys`, test.read},
				{`cat t/info`, test.read}, {`echo two >> t/append`, test.appended},
				{`echo two > t/append`, test.appended}, {`touch t/append`, test.appended},
				{`cat t/append`, false}, {`echo two >> t/log`, false}, {`touch t/new`, false},
			} {
				p := asNobody(t, m.dir, strings.ReplaceAll(try.script, "t/", topic+"/"))
				if status := p.wait(); (status == 0) != try.allowed {
					t.Errorf("%s: exit status %d, %s", try.script, status, brief(p.errors()))
				}
			}
		})
	}
}

// Who may do what to the root and to topics with allow_other: those who own them.
func TestOtherUsersAndTopics(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "allow_other", "allow_delete")
	m.sh(`mkdir -m 777 theirs; mkdir ours; chown 65534:65534 ours`)
	for _, try := range []struct {
		script  string
		allowed bool
	}{
		{`ls; cat .puro/status.json .puro/errors`, true},
		{`mkdir new`, false}, {`rmdir theirs`, false}, {`rmdir ours`, false},
		{`chmod 700 theirs`, false}, {`chown 65534 theirs`, false}, {`touch new`, false},
		{`chmod 770 ours`, true}, {`chown 0 ours`, false}, {`chmod 700 ours`, true},
	} {
		p := asNobody(t, m.dir, try.script)
		if status := p.wait(); (status == 0) != try.allowed {
			t.Errorf("%s: exit status %d, %s", try.script, status, brief(p.errors()))
		}
	}
	if got := m.sh(`stat -c '%a %u %g %n' *`); got != "700 65534 65534 ours\n777 0 0 theirs\n" {
		t.Errorf("the topics are %q", got)
	}
}

// A mount never runs programs, and never honours devices or set-user-ID bits.
func TestMountFlags(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store")
	for _, options := range [][]string{nil, {"allow_other"}, {"suid,dev,exec"}, {"ro"}} {
		m := mountOn(t, store, options...)
		flags := m.sh(`findmnt -n -o OPTIONS -T .`)
		for _, flag := range []string{"nosuid", "nodev", "noexec"} {
			if !strings.Contains(flags, flag) {
				t.Errorf("with options %v the mount has flags %s", options, flags)
			}
		}
		if others := len(options) > 0 && options[0] == "allow_other"; others !=
			strings.Contains(flags, "default_permissions,allow_other") {
			t.Errorf("with options %v the mount has flags %s", options, flags)
		}
	}
}

// A user without rights mounts a store of their own, through fusermount3. Where only root may open
// /dev/fuse, a name space of its own has another one.
func TestMountAsUser(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needFuse(t)
	needTool(t, "fusermount3")
	needTool(t, "unshare")
	home := newDir(t, "home")
	if err := os.Chown(home, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	script := writeFile(t, "script", `
		set -euo pipefail
		cd `+home+`
		mkdir mnt
		purofs mount --daemon store mnt
		mkdir mnt/t; echo one >> mnt/t/append; cat mnt/t/log; stat -c '%u %g' mnt mnt/t mnt/t/log
		purofs umount mnt; test ! -e mnt/t
		purofs mount --daemon store mnt; fusermount3 -u mnt; purofs cat store t`)
	p := start(t, exec.Command("unshare", "--mount", "bash", "-c", fmt.Sprintf(`
		set -e
		mknod %[1]s/../fuse c 10 229
		chmod 666 %[1]s/../fuse
		mount --bind %[1]s/../fuse /dev/fuse
		exec setpriv --reuid=%[2]d --regid=%[2]d --clear-groups bash -s < %[3]s`,
		home, nobody, script)))
	p.wantLines("one", "65534 65534", "65534 65534", "65534 65534", "one")
	p.succeed()
	daemonsGone(t, home)
}
