// Package nodes is the tree that a mount shows: what each name is and what each call on it does.
//
//	/                  topics as directories; mkdir makes one, rmdir removes one
//	├── .puro/         status.json, errors
//	└── TOPIC/
//	    ├── append     write: every line is a record; also append.jsonl, .tsv, .raw
//	    ├── log        read: all records, then EOF; also log.jsonl, .tsv
//	    ├── stream     read: all records, then wait for more; also stream.jsonl, .tsv, .raw
//	    ├── from/POS   like stream, from elsewhere; looked up, not listed
//	    ├── records/N  one record, any bytes; looked up, not listed
//	    ├── keys/KEY   the newest value of a key
//	    └── info       JSON: offsets, size, times, owner
//
// A Tree implements fuse.RawFileSystem of go-fuse for all that is rare, and three methods of its
// own for what is not: ServeRead, ServeWrite and ServePoll. Through ServeRead a read that has to
// wait parks its request, and then holds neither a goroutine nor a buffer. The Tree knows nothing
// of the connection to the kernel but the interface Kernel, and nothing of the log but the
// interface Log.
//
// # Nodes
//
// A node's id is computed: the number that its topic got when it was first seen, and its kind. So
// looking up a name allocates nothing and forgetting a node does next to nothing. The nodes with
// names of their own, as those under from/, are numbered while the kernel remembers them. Numbers
// are never used again. Inode numbers are a hash of the topic's name, the kind and that name, the
// same on every mount.
//
// # What the kernel may remember
//
// Records never change, but may be removed, so their names are not remembered. The names in a
// topic's directory never change and are remembered for long. A topic can be removed, and its
// rights changed, through another mount, so its name and attributes are remembered for a second; a
// removal that is noticed is told to the kernel at once. The size and time of log, stream and
// from/POS are never remembered: stat of a live file is never stale.
//
// A name that is remembered for no time still takes memory, in the kernel and here, until the
// kernel is short of it. So when there are many of records and positions it is told to drop the
// oldest.
//
// # Topics that appear by themselves
//
// With Config.AutoCreate every legal name that does not begin with a dot looks like a topic, and is
// one from its first record on. So mkdir says that it exists; mkdir -p and chmod do what they
// should.
//
// # Guarantees
//
//   - All whole lines of one WRITE are one atomic append. If it fails, nothing of that write is
//     stored and the handle is as it was before.
//   - An error of a record is returned by the write, fsync or close that was to store it, never
//     later, and a record that is stored is never reported as an error.
//   - A read that waits is answered exactly once: with data, with EINTR, or with EOF when its
//     topic is removed or the tree is shut down.
//
// # Locks
//
// Each handle has one lock, which orders the calls on it; it may be held while the log appends, and
// never while a read waits. The tables (topics, handles, waiters) have locks of their own that are
// held for a few instructions, never across a call to the log or to the kernel.
package nodes
