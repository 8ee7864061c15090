package fs

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fsType is the type of our mounts in the mount table.
const fsType = "fuse.purofs"

// mountTableName is the kernel's list of mounts; see proc_pid_mountinfo(5).
const mountTableName = "/proc/self/mountinfo"

// A mountEntry is one line of the mount table.
type mountEntry struct {
	device string // major:minor, unique among what is mounted
	point  string
	fsType string
}

// readMountTable returns all mounts, in the order in which they were mounted over each other.
func readMountTable() ([]mountEntry, error) {
	file, err := os.Open(mountTableName)
	if err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	defer file.Close()
	return parseMountTable(file)
}

func parseMountTable(r io.Reader) ([]mountEntry, error) {
	var entries []mountEntry
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		// 36 35 98:0 /root /point options [optional fields] - type source options
		fields := strings.Fields(lines.Text())
		for i := 6; i < len(fields)-1; i++ {
			if fields[i] == "-" {
				entry := mountEntry{fields[2], unescapeMount(fields[4]), fields[i+1]}
				entries = append(entries, entry)
				break
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	return entries, nil
}

// unescapeMount undoes the octal escapes of blanks and backslashes.
func unescapeMount(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if code, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// topMount returns what is mounted on a directory, the topmost if there are several.
func topMount(entries []mountEntry, point string) (top mountEntry, ok bool) {
	for _, entry := range entries {
		if entry.point == point {
			top, ok = entry, true
		}
	}
	return top, ok
}

// A mountWatch tells when a file system has vanished from the mount table although it is still in
// use: that is what a lazy unmount does.
type mountWatch struct {
	// detached is closed when that has happened, or cannot be seen.
	detached chan struct{}

	table *os.File
	quit  int // an eventfd
	ended chan struct{}
}

// watchMount begins to watch for the end of the mounts of a device. Call stop in the end.
func watchMount(device string) (*mountWatch, error) {
	// Not os.Open: it would give the file to the runtime's poller, and whoever polls first takes
	// the news from the other.
	fd, err := unix.Open(mountTableName, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("watch the mount table: %w", err)
	}
	table := os.NewFile(uintptr(fd), mountTableName)
	quit, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		table.Close()
		return nil, fmt.Errorf("watch the mount table: %w", err)
	}
	w := &mountWatch{
		detached: make(chan struct{}), table: table, quit: quit, ended: make(chan struct{}),
	}
	go w.run(device)
	return w, nil
}

func (w *mountWatch) run(device string) {
	defer close(w.ended)
	// The kernel tells of each change since the table was opened, once.
	fds := []unix.PollFd{
		{Fd: int32(w.table.Fd()), Events: unix.POLLPRI},
		{Fd: int32(w.quit), Events: unix.POLLIN},
	}
	for w.mounted(device) {
		for {
			if _, err := unix.Poll(fds, -1); err != unix.EINTR {
				break
			}
		}
		if fds[1].Revents != 0 {
			return
		}
	}
	close(w.detached)
}

func (w *mountWatch) mounted(device string) bool {
	if _, err := w.table.Seek(0, io.SeekStart); err != nil {
		return false
	}
	entries, err := parseMountTable(w.table)
	for _, entry := range entries {
		if entry.device == device {
			return true
		}
	}
	return err != nil
}

// stop ends the watch.
func (w *mountWatch) stop() {
	if _, err := unix.Write(w.quit, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		panic("BUG: an eventfd refuses its first event: " + err.Error())
	}
	<-w.ended
	_ = unix.Close(w.quit)
	_ = w.table.Close()
}
