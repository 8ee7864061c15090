package fs_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"purofs/engine"
	"purofs/fs"
)

// With this variable set the test binary is a daemon that mounts "STORE MOUNTPOINT" and says "ready".
const daemonEnv = "FS_TEST_DAEMON"

func TestMain(m *testing.M) {
	if paths := os.Getenv(daemonEnv); paths != "" {
		store, mountpoint, _ := strings.Cut(paths, " ")
		mount, err := fs.Mount(context.Background(), fs.Config{Store: store, Mountpoint: mountpoint})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("ready")
		if err := mount.Wait(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A daemon serves a mount in a process of its own.
type daemon struct {
	*exec.Cmd
	said *bufio.Reader
}

func startDaemon(t *testing.T, store, mountpoint string, as *syscall.Credential) *daemon {
	t.Helper()
	d := &daemon{Cmd: exec.Command(copyOfTest(t, filepath.Dir(mountpoint)))}
	d.Env = append(os.Environ(), daemonEnv+"="+store+" "+mountpoint)
	d.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	d.Dir = "/"
	stdout, err := d.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.said = bufio.NewReader(stdout)
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.Process.Kill()
		_ = d.Wait()
		_ = unix.Unmount(mountpoint, unix.MNT_DETACH)
	})
	if line, err := d.said.ReadString('\n'); line != "ready\n" {
		rest, _ := io.ReadAll(d.said)
		t.Fatalf("the daemon said %q (%v)", line+string(rest), err)
	}
	return d
}

// copyOfTest copies the test binary to where other users may run it.
func copyOfTest(t *testing.T, dir string) (name string) {
	t.Helper()
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(dir, "fs.test")
	if err := os.WriteFile(name, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting directly needs root")
	}
}

// newConfig is that of a new store and a new directory.
func newConfig(t *testing.T) fs.Config {
	t.Helper()
	dir := t.TempDir()
	config := fs.Config{
		Store: filepath.Join(dir, "store"), Mountpoint: filepath.Join(dir, "mnt"), Version: "test",
	}
	if err := os.Mkdir(config.Mountpoint, 0o755); err != nil {
		t.Fatal(err)
	}
	return config
}

func mount(t *testing.T, config fs.Config) *fs.Mounted {
	t.Helper()
	needRoot(t)
	mounted, err := fs.Mount(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unmount(t, mounted) })
	return mounted
}

// unmount fails instead of hanging.
func unmount(t *testing.T, mounted *fs.Mounted) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := mounted.Unmount(ctx); err != nil {
		t.Errorf("unmount: %v", err)
	}
}

// shell runs a script with the mount point as $M. The mount must not be used by this process itself.
func shell(t *testing.T, config fs.Config, script string) string {
	t.Helper()
	out, err := command(config, script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

func command(config fs.Config, script string) *exec.Cmd {
	cmd := exec.Command("bash", "-c", script)
	cmd.Env = append(os.Environ(), "M="+config.Mountpoint)
	return cmd
}

// A program is a script that runs beside the test.
type program struct {
	*exec.Cmd
	stdin  io.WriteCloser
	output *bufio.Reader
}

// start starts a script whose first line of output tells that it has come to its point.
func start(t *testing.T, config fs.Config, script string) *program {
	t.Helper()
	p := &program{Cmd: command(config, script)}
	stdin, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.stdin, p.output = stdin, bufio.NewReader(stdout)
	if line, err := p.output.ReadString('\n'); err != nil {
		t.Fatalf("%s: said %q: %v", script, line, err)
	}
	return p
}

// isMounted tells whether the mount table has the mount point.
func isMounted(t *testing.T, mountpoint string) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(table), " "+mountpoint+" ")
}

func TestMountServesAndEnds(t *testing.T) {
	config := newConfig(t)
	mounted := mount(t, config)
	got := shell(t, config, `mkdir $M/t && echo hello >> $M/t/append && cat $M/t/log && stat -f -c %T $M`)
	if !strings.HasPrefix(got, "hello\n") {
		t.Errorf("got %q, want hello", got)
	}
	table := shell(t, config, `grep " $M " /proc/self/mountinfo`)
	for _, want := range []string{"nosuid", "nodev", "noexec", " fuse.purofs " + config.Store} {
		if !strings.Contains(table, want) {
			t.Errorf("%s is not in %q", want, table)
		}
	}
	if strings.Contains(table, "allow_other") {
		t.Errorf("others may enter: %q", table)
	}
	unmount(t, mounted)
	if err := mounted.Wait(); err != nil {
		t.Errorf("Wait: %v", err)
	}
	if isMounted(t, config.Mountpoint) {
		t.Error("it is still mounted")
	}
	// What was written is there for the next one.
	mount(t, config)
	if got := shell(t, config, `cat $M/t/log`); got != "hello\n" {
		t.Errorf("after another mount: got %q", got)
	}
}

// waitingReaders are cats that have read one record and wait for the next.
func waitingReaders(t *testing.T, config fs.Config, n int) []*program {
	t.Helper()
	shell(t, config, `mkdir -p $M/t && echo first >> $M/t/append`)
	cats := make([]*program, n)
	for i := range cats {
		cats[i] = start(t, config, `exec cat $M/t/stream`)
	}
	return cats
}

func TestEndLetsReadersGo(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, mounted *fs.Mounted, point string){
		"unmount": func(t *testing.T, mounted *fs.Mounted, _ string) { unmount(t, mounted) },
		"unmount by path": func(t *testing.T, _ *fs.Mounted, point string) {
			if err := fs.UnmountPath(point); err != nil {
				t.Error(err)
			}
		},
		"lazy unmount by somebody": func(t *testing.T, _ *fs.Mounted, point string) {
			if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(t)
			mounted := mount(t, config)
			cats := waitingReaders(t, config, 100)
			end(t, mounted, config.Mountpoint)
			for _, cat := range cats {
				if err := cat.Wait(); err != nil {
					t.Errorf("a reader did not see the end of the file: %v", err)
				}
			}
			if err := mounted.Wait(); err != nil {
				t.Errorf("Wait: %v", err)
			}
			if isMounted(t, config.Mountpoint) {
				t.Error("it is still mounted")
			}
		})
	}
}

func TestUnmountBySomebodyElse(t *testing.T) {
	config := newConfig(t)
	mounted := mount(t, config)
	shell(t, config, `umount $M`)
	if err := mounted.Wait(); err != nil {
		t.Errorf("Wait: %v", err)
	}
	unmount(t, mounted)
}

// Who has a file open and does not let go is cut off.
func TestUnmountWhileInUse(t *testing.T) {
	config := newConfig(t)
	mounted := mount(t, config)
	holder := start(t, config, `mkdir $M/t && cd $M/t && exec 3>> append && echo whole >&3 &&
		echo open && read -r && ! echo more >&3 && echo cut off`)
	unmount(t, mounted)
	if isMounted(t, config.Mountpoint) {
		t.Error("it is still mounted")
	}
	if _, err := io.WriteString(holder.stdin, "go on\n"); err != nil {
		t.Error(err)
	}
	if line, err := holder.output.ReadString('\n'); line != "cut off\n" {
		t.Errorf("who held a file open said %q, %v; want cut off", line, err)
	}
	if err := holder.Wait(); err != nil {
		t.Error(err)
	}
	log, err := engine.Open(context.Background(), config.Store, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if info, err := log.Topic("t"); err != nil || info.Next != 1 {
		t.Errorf("the store has %+v, %v; want one record", info, err)
	}
}

func TestDeadMountIsCleanedUp(t *testing.T) {
	needRoot(t)
	config := newConfig(t)
	d := startDaemon(t, config.Store, config.Mountpoint, nil)
	shell(t, config, `mkdir $M/t && echo hello >> $M/t/append`)
	if err := d.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = d.Wait()
	var st unix.Stat_t
	if err := unix.Stat(config.Mountpoint, &st); err != unix.ENOTCONN {
		t.Fatalf("stat of a dead mount: got %v, want ENOTCONN", err)
	}
	mount(t, config)
	if got := shell(t, config, `cat $M/t/log`); got != "hello\n" {
		t.Errorf("got %q, want hello", got)
	}
}

func TestPlacesThatAreRefused(t *testing.T) {
	needRoot(t)
	for name, c := range map[string]struct {
		prepare func(t *testing.T, config *fs.Config)
		want    string
	}{
		"missing": {func(t *testing.T, c *fs.Config) { remove(t, c.Mountpoint) }, "make it with: mkdir"},
		"file": {func(t *testing.T, c *fs.Config) {
			remove(t, c.Mountpoint)
			write(t, c.Mountpoint)
		}, "is not a directory"},
		"not empty": {func(t *testing.T, c *fs.Config) {
			write(t, filepath.Join(c.Mountpoint, "x"))
		}, "is not empty"},
		"mounted already": {func(t *testing.T, c *fs.Config) {
			other := newConfig(t)
			other.Mountpoint = c.Mountpoint
			mount(t, other)
		}, "is mounted on"},
		"store inside": {func(_ *testing.T, c *fs.Config) {
			c.Store = filepath.Join(c.Mountpoint, "store")
		}, "inside the mount point"},
		"the same": {func(_ *testing.T, c *fs.Config) { c.Store = c.Mountpoint }, "inside the mount point"},
		"inside the store": {func(_ *testing.T, c *fs.Config) {
			c.Store = filepath.Dir(c.Mountpoint)
		}, "inside the store"},
		"inside by a link": {func(t *testing.T, c *fs.Config) {
			link := filepath.Join(filepath.Dir(c.Mountpoint), "link")
			if err := os.Symlink(c.Mountpoint, link); err != nil {
				t.Fatal(err)
			}
			c.Store = filepath.Join(link, "store")
		}, "inside the mount point"},
	} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(t)
			c.prepare(t, &config)
			mounted, err := fs.Mount(context.Background(), config)
			if err == nil {
				unmount(t, mounted)
				t.Fatal("it was mounted")
			}
			if !errors.Is(err, fs.ErrPlace) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want an ErrPlace with %q", err, c.want)
			}
		})
	}
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(name, nil, 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestUnmountPathRefuses(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := fs.UnmountPath(dir); !errors.Is(err, fs.ErrPlace) {
		t.Errorf("nothing mounted: got %v, want ErrPlace", err)
	}
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if err := fs.UnmountPath(dir); !errors.Is(err, fs.ErrPlace) || !strings.Contains(err.Error(), "tmpfs") {
		t.Errorf("another file system: got %v, want ErrPlace with its type", err)
	}
}

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

const nobody = 65534

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
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
				if out, err := cmd.CombinedOutput(); (err == nil) != want {
					t.Errorf("%s as another user: got %v, want %v\n%s", script, err == nil, want, out)
				}
			}
		})
	}
}

// openConfig is a config whose directories every user can reach.
func openConfig(t *testing.T) fs.Config {
	t.Helper()
	config := newConfig(t)
	for dir := filepath.Dir(config.Mountpoint); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
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
	config := openConfig(t)
	as := &syscall.Credential{Uid: nobody, Gid: nobody}
	for _, dir := range []string{filepath.Dir(config.Mountpoint), config.Mountpoint} {
		if err := os.Chown(dir, nobody, nobody); err != nil {
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
	if table := shell(t, config, `grep " $M " /proc/self/mountinfo`); !strings.Contains(table, "noexec") {
		t.Errorf("mounted without noexec: %q", table)
	}
	if out, err := run(`fusermount3 -u $M`); err != nil {
		t.Errorf("fusermount3 -u: %v\n%s", err, out)
	}
	if err := d.Wait(); err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
}
