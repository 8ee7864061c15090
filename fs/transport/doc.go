// Package transport serves one FUSE connection: it reads the kernel's requests from /dev/fuse, has
// a FileSystem answer them, and writes the answers back.
//
// go-fuse brings a server of its own. This one exists for what that one cannot do:
//
//   - A READ may wait for hours. Here it can be parked: it then holds neither a goroutine nor a
//     reply buffer, only a few hundred bytes, so that thousands of readers may wait.
//   - POLL is answered and the kernel is told when a polled file becomes ready, so that poll(2),
//     select(2) and epoll(7) tell the truth. go-fuse answers ENOSYS.
//   - READ and WRITE, on which everything depends, allocate nothing.
//
// Everything else is decoded by go-fuse's ProtocolServer, so a FileSystem is a fuse.RawFileSystem
// with three methods more.
//
//	/dev/fuse --read(2)--> worker --+-- READ, WRITE, POLL --> FileSystem.ServeRead, ServeWrite, ...
//	    ^                           |
//	    |                           +-- the others --> ProtocolServer --> fuse.RawFileSystem
//	    |                                                                      |
//	    +------write(2)---- the answer, at once or from elsewhere (Park) ------+
//
// # Workers
//
// A worker is a goroutine that reads a request and serves it itself, for handing it to another
// costs more than most requests do. While requests take long, another worker waits for the next
// one, so that they hold up nobody; while they are quick one worker does it all, at nearly twice
// the rate (see crew).
//
// # Interrupts
//
// A signal to a process that waits for an answer arrives as an INTERRUPT request, and the process
// goes on only when its request is answered, killed or not. A WRITE sees it as the end of its
// context, a parked READ by a call of its interrupted function, the others by their cancel channel.
// All of them are interrupted when the connection ends.
package transport
