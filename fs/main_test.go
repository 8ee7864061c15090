package fs_test

import (
	"bufio"
	"context"
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

	"purofs/engine/oracle"
	"purofs/fs"
)

// With this variable set the test binary is a daemon that mounts "STORE MOUNTPOINT" and says
// "ready".
const daemonEnv = "FS_TEST_DAEMON"

func TestMain(m *testing.M) {
	oracle.RunJob()
	if paths := os.Getenv(daemonEnv); paths != "" {
		store, mountpoint, _ := strings.Cut(paths, " ")
		config := fs.Config{Store: store, Mountpoint: mountpoint}
		mount, err := fs.Mount(context.Background(), config)
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
	os.Exit(oracle.RunKept(m, "purofs-fs-test", nil))
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
	if err := oracle.Spawn(d.Cmd); err != nil {
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

// kill kills the daemon, which leaves its mount dead.
func (d *daemon) kill(t *testing.T) {
	t.Helper()
	if err := d.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = d.Wait()
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

// shell runs a script with the mount point as $M. The mount must not be used by this process
// itself.
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
	if err := oracle.Spawn(p.Cmd); err != nil {
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

// victimEnv is set for the tests that TestKilledTests kills.
const victimEnv = "FS_TEST_VICTIM"

// Tests that are killed in the middle of their work leave neither a mount nor a file.
func TestKilledTests(t *testing.T) {
	if os.Getenv(victimEnv) != "" {
		mount(t, newConfig(t))
		fmt.Println("mounted")
		<-t.Context().Done()
		return
	}
	needRoot(t)
	dir := t.TempDir()
	victim := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	victim.Env = append(os.Environ(), victimEnv+"=1", "TMPDIR="+dir)
	stdout, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := victim.StderrPipe() // which the keeper has, too
	if err != nil {
		t.Fatal(err)
	}
	if err := oracle.Spawn(victim); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "mounted\n" {
		t.Errorf("the tests said %q, %v", line, err)
	}
	if err := victim.Process.Kill(); err != nil {
		t.Error(err)
	}
	if said, err := io.ReadAll(stderr); len(said) > 0 || err != nil {
		t.Errorf("the keeper said %q, %v", said, err)
	}
	_ = victim.Wait()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) > 0 {
		t.Errorf("left are %v, %v", files, err)
	}
}
