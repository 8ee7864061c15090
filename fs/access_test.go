package fs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"purofs/fs"
)

func TestReadOnly(t *testing.T) {
	config := newConfig(t)
	first := mount(t, config)
	shell(t, config, `mkdir $M/t && echo hello >> $M/t/append`)
	unmount(t, first)
	config.ReadOnly = true
	mount(t, config)
	got := shell(t, config, `cat $M/t/log; echo x 2>&1 >> $M/t/append; mkdir $M/u 2>&1; true`)
	if !strings.HasPrefix(got, "hello\n") || strings.Count(got, "Read-only file system") != 2 {
		t.Errorf("got %q, want hello and two refusals", got)
	}
}

const nobodyID = 65534

func nobody() *syscall.Credential { return &syscall.Credential{Uid: nobodyID, Gid: nobodyID} }

func TestOthersEnterOnlyIfAllowed(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		t.Run(fmt.Sprint(allowed), func(t *testing.T) {
			config := openConfig(t)
			config.AllowOther = allowed
			mount(t, config)
			shell(t, config, `mkdir -m 755 $M/public && mkdir -m 700 $M/private
				echo x >> $M/public/append; echo x >> $M/private/append`)
			for script, want := range map[string]bool{
				`ls $M`: allowed, `cat $M/public/log`: allowed, `cat $M/private/log`: false,
				`echo y >> $M/public/append`: false,
			} {
				cmd := command(config, script)
				cmd.Dir = "/"
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: nobody()}
				if out, err := cmd.CombinedOutput(); (err == nil) != want {
					t.Errorf("%s as another user: got %v, want %v\n%s", script, err, want, out)
				}
			}
		})
	}
}

// openConfig is a config whose directories every user can reach.
func openConfig(t *testing.T) fs.Config {
	t.Helper()
	config := newConfig(t)
	dir := config.Mountpoint
	for dir = filepath.Dir(dir); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return config
}

func TestUsersMountWithFusermount(t *testing.T) {
	needRoot(t)
	if _, err := exec.LookPath("fusermount3"); err != nil {
		t.Skip(err)
	}
	if device, err := os.Stat("/dev/fuse"); err != nil || device.Mode().Perm()&0o006 != 0o006 {
		t.Skip("this machine does not let users open /dev/fuse")
	}
	config := openConfig(t)
	as := nobody()
	for _, dir := range []string{filepath.Dir(config.Mountpoint), config.Mountpoint} {
		if err := os.Chown(dir, nobodyID, nobodyID); err != nil {
			t.Fatal(err)
		}
	}
	d := startDaemon(t, config.Store, config.Mountpoint, as)
	run := func(script string) (string, error) {
		cmd := command(config, script)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	got, err := run(`mkdir $M/t && echo hello >> $M/t/append && cat $M/t/log`)
	if got != "hello\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	table := shell(t, config, `grep " $M " /proc/self/mountinfo`)
	if !strings.Contains(table, "noexec") {
		t.Errorf("mounted without noexec: %q", table)
	}
	if out, err := run(`fusermount3 -u $M`); err != nil {
		t.Errorf("fusermount3 -u: %v\n%s", err, out)
	}
	if err := d.Wait(); err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
}
