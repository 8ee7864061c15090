package benchmarks

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// recordBytes is the size of every record.
const recordBytes = 100

// record is what every record holds; nobody changes it.
var record = bytes.Repeat([]byte("0123456789"), recordBytes/10)

// A side is one of the logs that are compared.
type side struct {
	name string
	open func(dir string, opts options) (store, error)
}

// options say how a store is opened.
type options struct {
	synced       bool // an append returns when its records are on the disk
	segmentBytes int  // about how large a segment may become; 0: as the side has it by default
}

// A store is an open log of some side, with one topic.
type store interface {
	// producer returns a function that appends so many records in one call. It is used by one
	// goroutine, beside others that have their own, and is of no more use once the store is closed.
	producer() (appender, error)
	// read reads all records, from the oldest to the newest, and counts them.
	read() (int, error)
	Close() error
}

// An appender appends so many records in one call.
type appender func(records int) error

var (
	purofsSide    = side{"purofs", openPurofs}
	raftWALSide   = side{"raft-wal", openRaftWAL}
	tidwallSide   = side{"tidwall", openTidwall}
	noCopySide    = side{"tidwall-nocopy", openTidwallNoCopy}
	jetstreamSide = side{"jetstream", openJetStream}
	fileSide      = side{"file", openFile}

	allSides = []side{purofsSide, raftWALSide, tidwallSide, jetstreamSide, fileSide}
)

// mustOpen opens a fresh store that is closed when the benchmark ends.
func (s side) mustOpen(b *testing.B, opts options) store {
	b.Helper()
	st, err := s.open(b.TempDir(), opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	return st
}

// mustFill appends so many records, so many a call.
func mustFill(b *testing.B, st store, total, each int) {
	b.Helper()
	add, err := st.producer()
	if err != nil {
		b.Fatal(err)
	}
	for range total / each {
		if err := add(each); err != nil {
			b.Fatal(err)
		}
	}
}

// bytesUsed is the size of all files below dir, each without the zeros at its end: some sides make
// their files larger in advance.
func bytesUsed(dir string) (int, error) {
	total := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		total += len(bytes.TrimRight(content, "\x00"))
		return err
	})
	return total, err
}
