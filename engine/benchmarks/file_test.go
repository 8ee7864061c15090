package benchmarks

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A fileStore is a plain file: what the machine allows, without any promise but that of write(2).
type fileStore struct {
	file   *os.File
	synced bool
}

func openFile(dir string, opts options) (store, error) {
	file, err := os.OpenFile(filepath.Join(dir, "log"), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	return fileStore{file, opts.synced}, err
}

func (s fileStore) producer() (appender, error) {
	var buf []byte
	return func(records int) error {
		if len(buf) != records*recordBytes {
			buf = bytes.Repeat(record, records)
		}
		if _, err := s.file.Write(buf); err != nil {
			return err
		}
		if s.synced {
			return unix.Fdatasync(int(s.file.Fd()))
		}
		return nil
	}, nil
}

// read reads as cat does.
func (s fileStore) read() (int, error) {
	total := int64(0)
	buf := make([]byte, 128<<10)
	for {
		n, err := s.file.ReadAt(buf, total)
		total += int64(n)
		if errors.Is(err, io.EOF) {
			return int(total / recordBytes), nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func (s fileStore) Close() error { return s.file.Close() }
