// Purofs keeps event logs in plain files and shows them as a file system.
//
// A store is a directory of append-only segment files that any number of processes share, without a
// broker. Mounted, each of its topics is a directory, and every tool that reads and writes files is
// a producer or a consumer:
//
//	purofs mount /srv/events /mnt/events &
//	mkdir /mnt/events/orders
//	echo 'two coffees' >> /mnt/events/orders/append
//	tail -f /mnt/events/orders/log
//
// The commands append, cat, topics and verify work on the store itself, mounted or not.
//
// # Conventions
//
// Each command is a struct in a file of its own: its fields are its flags, its Run does the work,
// and a constructor describes it to cobra. What commands have in common is the environment: the
// streams of the process and how to log.
//
// A failed command prints one line, "purofs: what: why; what to do", and the exit status says what
// kind of failure it was (see the exit constants). Ctrl-C ends every command at once by the
// signal's default action, for a store is sound whenever a process dies; mount alone catches it, to
// unmount.
package main
