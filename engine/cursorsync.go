package engine

import (
	"errors"
	"sync"

	"purofs/engine/segment"
)

// cursorSyncs are the files of cursors that were written since the last sync of SyncInterval. One
// file for each inode is enough, which bounds them by the number of cursors.
type cursorSyncs struct {
	mu      sync.Mutex
	due     map[uint64]*cursorFile
	batch   []*cursorFile // of run
	stopped bool          // the log is closed: there is no next sync
}

// add notes that a file was written.
func (s *cursorSyncs) add(f *cursorFile) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return f.Datasync()
	}
	if s.due == nil {
		s.due = make(map[uint64]*cursorFile)
	}
	if s.due[f.inode] == nil {
		s.due[f.inode] = f
	}
	return nil
}

// release gives a cursor's lock back, and closes its file unless that is still to be synced.
func (s *cursorSyncs) release(f *cursorFile) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.syncing || s.due[f.inode] == f {
		f.closed = true
		return segment.UnlockFile(f.File)
	}
	return f.Close()
}

// run syncs what is due.
func (s *cursorSyncs) run() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batch = s.batch[:0]
	for _, f := range s.due {
		f.syncing = true
		s.batch = append(s.batch, f)
	}
	clear(s.due) // from here on a write makes its file due again
	for _, f := range s.batch {
		s.mu.Unlock()
		err = errors.Join(err, f.Datasync())
		s.mu.Lock()
		f.syncing = false
		if f.closed && s.due[f.inode] != f { // otherwise it was written meanwhile
			err = errors.Join(err, f.Close())
		}
	}
	clear(s.batch)
	return err
}

// stop syncs what is due, and from now on every file at once.
func (s *cursorSyncs) stop() error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	return s.run()
}
