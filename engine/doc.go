// Package engine is a log of records that any number of processes share by sharing a directory:
// there is no server. Each record belongs to a topic and has an offset there, counted from 0; all
// topics of a log are in one total order, which every reader sees.
//
// # Promises
//
//   - A Batch is atomic: every reader, in every process, sees all of its records or none.
//   - When Append returns nil its records can be read by everyone and survive the death of every
//     process. What they survive beyond that is said by the SyncMode: with SyncAlways and
//     SyncFlip, and with Batch.Sync, also a power cut.
//   - When Append returns an error nothing is stored, then or later; but see ErrPoisoned.
//   - Offsets of a topic are dense, never change, and are never used again, not even if the topic
//     is deleted and made again, or if a damaged block is lost.
//   - A Reader yields nothing that was not written. Damaged bytes are reported once, as a
//     *DamageError, and what is sound is read on behind them.
//   - The position of a Cursor that Commit has acknowledged survives what a record survives that
//     Append has acknowledged, and a record that was not done is never skipped.
//   - No lock is stolen. A process that is stopped while it appends holds the others up; they get
//     ErrLocked after Options.LockTimeout.
//
// # What is not promised
//
//   - Order between processes that do not wait for each other's Append to return.
//   - Anything on network file systems, whose locks can be lost: such a store is refused.
//   - Safety from programs that write to the directory without the locks, and from disks that say
//     something is stored when it is not.
//   - That damage is found in blocks that Puro wrote: they have a check of one byte for each record
//     only, which in a record of 10 kB misses half of it. Ours have a CRC-32C.
//
// # The life of an append
//
// Append puts its batch in a queue. Whoever gets to lead takes the producer's lock of the active
// segment, takes what waits in the queue as one group, looks at what other processes appended
// since, removes a torn tail that a dead one left, or ends a full segment, and writes the group as
// one block with a low signal. Then it raises the signal, a single byte, which makes the block
// visible to everyone. With SyncAlways it forces the block to the disk before it answers the
// group.
//
// # The life of a read
//
// OpenReader finds a place in the log for a Position: the segment by the headers of segments, then
// the block by the index of that segment. The Reader hops from block to block, whose headers say
// which topics are in them, and decodes the records of its own. Where its topic is rare it goes by
// the index: from one place with blocks of the topic to the next, so that it costs what the topic
// has and not what the log has. Offsets are dense, so a place that the index had left out shows at
// the next one, or at the end of the log; then the Reader turns back and hops. At the end it gives
// its buffer and its file back; Wait and Watch tell when there is more, in this process directly
// and from others by inotify(7).
//
// # Cursors
//
// A Cursor is a position with a name that outlives its reader. It does not read; whoever holds it
// reads by a Reader, or by the text, and commits what is done. Its file is not part of the log, so
// a power cut may leave a position that is newer than the log: then other records get the offsets
// of those that were done and lost. So it also holds the time of the last block that was done, and
// a position that was on the disk with all records before it, to fall back to.
//
// # Example
//
//	l, err := engine.Open(ctx, "/var/lib/orders", engine.Options{})
//	var b engine.Batch
//	b.Add("orders", []byte("k-17"), []byte("two coffees"))
//	err = l.Append(ctx, &b)
//
//	r, err := l.OpenReader("orders", engine.Start())
//	record, err := r.TryNext() // ErrNoRecord at the end; then r.Wait(ctx)
//
// # Layout
//
//	log.go, store.go                  Log: opening, closing, the directory
//	recover.go, checkpoint.go         where the log ends, after a crash too
//	tail.go, follower.go, watch.go    what others append, and who has to be told
//	table.go, topic.go, topics.go     what is known of each topic
//	batch.go, block.go, append.go     from records to a block in the active segment
//	prepare.go                        repairing, ending and starting segments before it
//	sync.go                           what is on the disk
//	position.go, seek.go, reader.go   from a position to records; crossing.go to the next segment,
//	                                  lines.go to their text
//	leap.go, locate.go                reading and seeking by the index
//	places.go, indexing.go            the index of each segment, how it is built, and
//	indexfile.go                      its file
//	keys.go, keytables.go             the newest record of each key
//	cursor.go, cursors.go             durable positions; their files, when they are synced, and
//	                                  what they are worth after a power cut: cursor*.go
//	verify.go, status.go, trouble.go  what state it all is in
//	sweep.go, besides.go, asides.go   what Verify and Repair walk with, and over: segments, what
//	                                  stands beside them, indexes and cursors
//	repair.go, mend.go                Repair: what there is to do, and doing it; to what stands
//	mendbesides.go                    beside segments
//	inspect.go, inspect_records.go    Inspect: any segment file, piece by piece
//
// Below it are the packages segment (one file: locks, scanning, repair), index (places of a topic
// in a segment), format (bytes) and disk (the one way to files, where tests put faults).
package engine
