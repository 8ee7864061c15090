package segment

import "fmt"

// rewriteBytes is how much Rewrite takes at a time. No folio of the page cache, all of which are
// aligned to their size, is so large that it would be in two of these pieces.
const rewriteBytes = 8 << 20

// Rewrite writes the bytes from pos on once more, as they are, and forces them to the disk. After a
// sync that the disk refused the kernel takes them for written, and would not try again. The caller
// holds the producer's lock. What is read afterwards is what the disk has.
func (s *Segment) Rewrite(pos int64) error {
	size, err := s.Size()
	if err != nil {
		return err
	}
	from := pos - pos%rewriteBytes
	buffer := make([]byte, max(0, min(rewriteBytes, size-from)))
	for at := from; at < size; at += int64(len(buffer)) {
		buffer = buffer[:min(int64(len(buffer)), size-at)]
		if _, err := s.ReadAt(buffer, at); err != nil {
			return fmt.Errorf("reading segment %s: %w", Name(s.order), err)
		}
		// Without this ext4 writes the same page to the same place once more, but does not mark that
		// place as written any more, which it failed to do the first time: it would read as zeros later.
		if err := s.file.Uncache(at, rewriteBytes); err != nil {
			return err
		}
		if _, err := s.file.WriteAt(buffer, at); err != nil {
			return fmt.Errorf("writing to segment %s once more: %w", Name(s.order), err)
		}
	}
	if err := s.Sync(); err != nil {
		return err
	}
	return s.file.Uncache(from, 0)
}
