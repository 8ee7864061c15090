// Package benchmarks compares the engine with other logs, side by side in one run:
// hashicorp/raft-wal, tidwall/wal, an embedded NATS JetStream, and plain write(2) to a file. It is
// a module of its own, so that the others never become dependencies of purofs, and holds nothing
// but benchmarks.
//
// A machine's speed drifts, so only ratios of neighbours count. `go test -count` repeats each
// benchmark before the next one starts; run the whole binary several times instead, as `make
// bench` does, and give the output to cmd/ratios, which takes the ratios within each run and their
// medians.
//
// Every record is of 100 bytes and belongs to one topic. How each side is used, as fairly as it
// can be:
//
//   - purofs: a reused batch for each producer.
//   - raft-wal: reused log entries for each producer. It has one writer and dense indexes, so
//     producers take a mutex for both. It always syncs; without a sync it gets a file system whose
//     Sync does nothing.
//   - tidwall: as raft-wal, with its own option NoSync. Its reads copy by default; tidwall-nocopy
//     is with the option NoCopy, which is closer to what a purofs reader yields, but checks nothing
//     either.
//   - jetstream: a server in this process, and for each producer a connection that does not leave
//     it.
//   - file: write(2), O_APPEND, a record or all records of a call at once; fdatasync(2) where
//     synced.
package benchmarks
