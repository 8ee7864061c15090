// Package segment is one segment file: opening and locking it, walking its blocks, telling the
// state of its tail, appending to it and repairing it. It is the only place with fcntl.
//
// # Promises
//
//   - A block that was appended is seen whole or not at all, by every process, at every moment: it
//     is written with a low signal behind the last sound block, and then one byte is changed.
//   - A segment only grows. No sound block is ever changed, and nothing is truncated but a torn
//     tail, under the producer's lock and after its bytes were kept. Replace, for who decides to
//     repair, changes damaged bytes in their place, under the same conditions.
//   - A Scanner never yields a block that is not sound as far as it looked: its frame, its header,
//     and, where it was told to read bodies, their checks.
//
// What it does not promise: that appended bytes survive a power cut before Sync returned, or that a
// process that ignores the locks does no harm.
//
// # Locks
//
// Locks are those of open file descriptions (fcntl(2), F_OFD_SETLK): they belong to the Segment,
// not to the process, and they exclude the POSIX locks of other programs. A producer holds one
// exclusive range from shortly before the end of the file to infinity; ranges computed from stale
// sizes overlap.
//
// # Files
//
//	file.go    Segment: open, create, read, append, sync
//	lock.go    the producer's lock, with a wait that can be given up, and that of other files
//	window.go  a view that moves over the file
//	scan.go    Scanner: from block to block
//	block.go   what stands inside a block
//	resync.go  what an unsound place is, and where sound blocks begin again
//	repair.go  keeping and removing a torn tail, and replacing what is damaged
package segment
