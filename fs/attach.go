package fs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"purofs/fs/transport"
)

// attach mounts and returns the open /dev/fuse that serves the mount.
func attach(config *Config) (fd int, err error) {
	if os.Geteuid() == 0 {
		return attachDirectly(config)
	}
	return attachByHelper(config)
}

// attachDirectly mounts by mount(2), which is root's to do.
func attachDirectly(config *Config) (fd int, err error) {
	fd, err = unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open /dev/fuse: %w (load the kernel's module with: modprobe fuse; "+
			"in a container, allow the device)", err)
	}
	options := append(kernelOptions(config),
		fmt.Sprintf("fd=%d", fd), "rootmode=40000",
		fmt.Sprintf("user_id=%d", os.Geteuid()), fmt.Sprintf("group_id=%d", os.Getegid()))
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if config.ReadOnly {
		flags |= unix.MS_RDONLY
	}
	err = unix.Mount(config.Store, config.Mountpoint, fsType, flags, strings.Join(options, ","))
	if err == nil {
		return fd, nil
	}
	_ = unix.Close(fd)
	if errors.Is(err, unix.EPERM) {
		return -1, fmt.Errorf("mount: %w (root may mount only with CAP_SYS_ADMIN; "+
			"give it to the container)", err)
	}
	return -1, fmt.Errorf("mount: %w", err)
}

// kernelOptions are those that the kernel takes from root and fusermount3 from users.
func kernelOptions(config *Config) []string {
	options := []string{fmt.Sprintf("max_read=%d", transport.MaxWrite)}
	if config.AllowOther {
		// Without default_permissions everybody could do everything.
		options = append(options, "allow_other", "default_permissions")
	}
	return options
}

// attachByHelper has fusermount3, which is root's, mount for a user. It hands over the open device
// through a socket.
func attachByHelper(config *Config) (fd int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make a socket for fusermount3: %w", err)
	}
	ours, theirs := pair[0], os.NewFile(uintptr(pair[1]), "fusermount3")
	defer unix.Close(ours)
	defer theirs.Close()

	options := append(kernelOptions(config), "nosuid", "nodev", "noexec",
		"fsname="+escapeOption(config.Store), "subtype=purofs")
	if config.ReadOnly {
		options = append(options, "ro")
	}
	helper, err := fusermount("-o", strings.Join(options, ","), "--", config.Mountpoint)
	if err != nil {
		return -1, err
	}
	helper.ExtraFiles = []*os.File{theirs}
	helper.Env = append(os.Environ(), "_FUSE_COMMFD=3")
	if err := runHelper(helper); err != nil {
		return -1, err
	}
	// With our copy gone the socket has an end, should nothing have been sent.
	if err := theirs.Close(); err != nil {
		return -1, err
	}
	return receiveDescriptor(ours)
}

// escapeOption protects a value in a list of options.
func escapeOption(s string) string {
	return strings.NewReplacer(`\`, `\\`, ",", `\,`).Replace(s)
}

// receiveDescriptor takes the descriptor that fusermount3 has sent.
func receiveDescriptor(socket int) (fd int, err error) {
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("receive the device from fusermount3: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	var fds []int
	if err == nil && len(messages) == 1 {
		fds, err = unix.ParseUnixRights(&messages[0])
	}
	if err != nil {
		return -1, fmt.Errorf("receive the device from fusermount3: %w", err)
	}
	if len(fds) != 1 {
		return -1, fmt.Errorf("fusermount3 says that it has mounted, and sent %d descriptors in "+
			"place of one (mount as root, or look which fusermount3 that is)", len(fds))
	}
	return fds[0], nil
}

// detach unmounts what is mounted on a directory: lazily if it is in use, so that its name is free.
func detach(point string) error {
	if os.Geteuid() != 0 {
		return detachByHelper(point)
	}
	err := unix.Unmount(point, unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EBUSY) {
		err = unix.Unmount(point, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH)
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", point, err)
	}
	return nil
}

func detachByHelper(point string) error {
	var err error
	for _, how := range []string{"-u", "-uz"} {
		var helper *exec.Cmd
		if helper, err = fusermount(how, "--", point); err != nil {
			return err
		}
		if err = runHelper(helper); err == nil {
			return nil
		}
	}
	return err
}

// fusermount finds the program that mounts and unmounts for users.
func fusermount(arguments ...string) (*exec.Cmd, error) {
	var program string
	var err error
	for _, name := range []string{"fusermount3", "fusermount", "/bin/fusermount3"} {
		if program, err = exec.LookPath(name); err == nil {
			return exec.Command(program, arguments...), nil
		}
	}
	return nil, fmt.Errorf("%w (install it, the package is called fuse3, or mount as root)", err)
}

// runHelper runs fusermount3; its error is what that says.
func runHelper(helper *exec.Cmd) error {
	var said bytes.Buffer
	helper.Stderr = &said
	err := helper.Run()
	text := strings.TrimSpace(said.String())
	if err == nil || text == "" {
		return err
	}
	return fmt.Errorf("%s: %w", text, err)
}

// fuseControl is where the kernel lets the connections of FUSE be controlled, usually.
const fuseControl = "/sys/fs/fuse/connections"

// abort has the kernel end the connection of a mount: who still uses it gets ENOTCONN.
func abort(device string) error {
	_, connection, _ := strings.Cut(device, ":") // the minor number of the device
	err := abortIn(fuseControl, connection)
	if err == nil || os.Geteuid() != 0 {
		return err
	}
	// In a container nobody has mounted it.
	control, err := os.MkdirTemp("", "purofs-fusectl-")
	if err != nil {
		return err
	}
	defer os.Remove(control)
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("fusectl", control, "fusectl", flags, ""); err != nil {
		return fmt.Errorf("mount fusectl: %w", err)
	}
	defer unix.Unmount(control, unix.MNT_DETACH)
	return abortIn(control, connection)
}

func abortIn(control, connection string) error {
	file, err := os.OpenFile(filepath.Join(control, connection, "abort"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString("1")
	return err
}
