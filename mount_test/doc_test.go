// Package mount_test drives the real program, on real mounts, with the tools that people use:
// shells, tail, grep, dd, Python, a Go client, umount. It knows nothing of the program's inside but
// the library of package engine, which plays the part of another process on the same store.
//
// Each test has a store and a mount of its own, and leaves nothing mounted. Nothing here sleeps to
// let something happen: a test waits for the event itself, a line from a pipe, the end of a
// process, the program's report that the mount answers. The only exceptions are states that nothing
// reports (a process is blocked in a system call), which are asked for until they are there. Every
// wait ends after a time that is never reached unless something is broken, and then fails the test.
//
//	m := mountStore(t, "sync=always")
//	m.sh(`mkdir orders; echo 'two coffees' >> orders/append`)
//	reader := m.start(`cat orders/stream`)
//	reader.wantLines("two coffees")
//	reader.signal(syscall.SIGINT)
//	reader.wait()
package mount_test
