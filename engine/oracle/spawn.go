package oracle

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Spawn starts a command that does not outlive this process: if the process is killed, the kernel
// kills the command, though not what that has started. Every test that goes on while a process runs
// starts it with Spawn. It is safe for concurrent use.
func Spawn(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error, 1)
	spawner() <- func() { started <- cmd.Start() }
	return <-started
}

// spawner starts the thread that starts all commands. The parent whose death the kernel reports to
// a child is the thread that started it, not the process, and the runtime ends threads as it likes:
// so one goroutine has a thread to itself, and never returns.
var spawner = sync.OnceValue(func() chan<- func() {
	starts := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range starts {
			start()
		}
	}()
	return starts
})
