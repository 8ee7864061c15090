package nodes

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// exitCodeField is the place of a thread's exit code in proc_pid_stat(5), counted from the field
// behind the program's name.
const exitCodeField = 52 - 3

// killed tells whether a thread, which waits for us, is being ended by a signal. The kernel closes the
// files of a process that was killed as if it had closed them itself; only its exit code, which is
// known by then, tells the two apart. That of another user's process cannot be seen without rights: it
// counts as one that ended by itself.
func killed(thread uint32) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", thread))
	if err != nil {
		return false // of another name space of processes
	}
	// The name is in parentheses, and may contain some.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= exitCodeField {
		return false
	}
	code, err := strconv.ParseUint(string(fields[exitCodeField]), 10, 32)
	return err == nil && syscall.WaitStatus(code).Signaled()
}
