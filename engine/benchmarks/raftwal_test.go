package benchmarks

import (
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

type raftWALStore struct {
	log *wal.WAL

	mu   sync.Mutex // guards next, and makes its users one writer
	next uint64
}

func openRaftWAL(dir string, opts options) (store, error) {
	var vfs types.VFS = fs.New()
	if !opts.synced {
		vfs = unsyncedFS{vfs}
	}
	log, err := wal.Open(dir, wal.WithLogger(hclog.NewNullLogger()),
		wal.WithSegmentFiler(segment.NewFiler(dir, vfs)), wal.WithSegmentSize(opts.segmentBytes))
	if err != nil {
		return nil, err
	}
	last, err := log.LastIndex()
	return &raftWALStore{log: log, next: last + 1}, err
}

func (s *raftWALStore) producer() (appender, error) {
	var logs []*raft.Log
	return func(records int) error {
		for len(logs) < records {
			logs = append(logs, &raft.Log{Data: record})
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := range records {
			logs[i].Index = s.next + uint64(i)
		}
		s.next += uint64(records)
		return s.log.StoreLogs(logs[:records])
	}, nil
}

func (s *raftWALStore) read() (int, error) {
	first, err := s.log.FirstIndex()
	if err != nil {
		return 0, err
	}
	last, err := s.log.LastIndex()
	if err != nil {
		return 0, err
	}
	n := 0
	var entry raft.Log
	for i := first; i <= last; i++ {
		if err := s.log.GetLog(i, &entry); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (s *raftWALStore) Close() error { return s.log.Close() }

// unsyncedFS is a file system that does not sync the files it makes or opens.
type unsyncedFS struct{ types.VFS }

func (f unsyncedFS) Create(dir, name string, size uint64) (types.WritableFile, error) {
	file, err := f.VFS.Create(dir, name, size)
	return unsyncedFile{file}, err
}

func (f unsyncedFS) OpenWriter(dir, name string) (types.WritableFile, error) {
	file, err := f.VFS.OpenWriter(dir, name)
	return unsyncedFile{file}, err
}

type unsyncedFile struct{ types.WritableFile }

func (unsyncedFile) Sync() error { return nil }
