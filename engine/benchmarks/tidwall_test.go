package benchmarks

import (
	"sync"

	"github.com/tidwall/wal"
)

type tidwallStore struct {
	log *wal.Log

	mu   sync.Mutex // guards next, and makes its users one writer
	next uint64
}

func openTidwall(dir string, opts options) (store, error) {
	return openTidwallAs(dir, opts, *wal.DefaultOptions)
}

// openTidwallNoCopy returns a store whose reads yield the bytes of the segment in memory.
func openTidwallNoCopy(dir string, opts options) (store, error) {
	o := *wal.DefaultOptions
	o.NoCopy = true
	return openTidwallAs(dir, opts, o)
}

func openTidwallAs(dir string, opts options, o wal.Options) (store, error) {
	o.NoSync = !opts.synced
	if opts.segmentBytes > 0 {
		o.SegmentSize = opts.segmentBytes
	}
	log, err := wal.Open(dir, &o)
	if err != nil {
		return nil, err
	}
	last, err := log.LastIndex()
	return &tidwallStore{log: log, next: last + 1}, err
}

func (s *tidwallStore) producer() (appender, error) {
	var batch wal.Batch
	return func(records int) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if records == 1 {
			s.next++
			return s.log.Write(s.next-1, record)
		}
		batch.Clear()
		for range records {
			batch.Write(s.next, record)
			s.next++
		}
		return s.log.WriteBatch(&batch)
	}, nil
}

func (s *tidwallStore) read() (int, error) {
	first, err := s.log.FirstIndex()
	if err != nil {
		return 0, err
	}
	last, err := s.log.LastIndex()
	if err != nil {
		return 0, err
	}
	n := 0
	for i := first; i <= last; i++ {
		if _, err := s.log.Read(i); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (s *tidwallStore) Close() error { return s.log.Close() }
