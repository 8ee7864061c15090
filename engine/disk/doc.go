// Package disk is the one way in which the engine touches files: directories and files, with an
// optional Hook that sees each operation before and after it and can make it fail, cut it short, or
// end the process there. That is how tests put a fault at every place where one can happen, and how
// they learn what would be left after a power cut.
//
// # Promises
//
//   - Without a Hook an operation costs what its system call costs, and allocates nothing.
//   - A write is complete or an error; how much of a failed one is there is for Size to tell.
//   - Names are looked up within their Dir, whatever links stand there (os.Root).
//
// # What it does not promise
//
//   - That something is on the disk before Sync or Datasync has returned, or the name of a file
//     before the Sync of its Dir.
//   - Locks: package segment has them, on File.Fd.
//
// # Files
//
//	dir.go    Dir: a directory, and the names in it
//	file.go   File: an open file
//	hook.go   Op, Hook: what tests see and change
package disk
