package segment_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/segment"
)

// lowBlock is a block with a header and one record for each value, not raised yet. Its offsets are
// those of the time, so that each block of a test can have its own.
func lowBlock(time int64, topic string, values ...string) []byte {
	var body []byte
	run := format.Run{Offset: uint64(time), Records: uint64(len(values))}
	for _, v := range values {
		body = format.AppendRecord(body, []byte(topic), nil, []byte(v))
		run.ValueBytes += uint64(len(v))
	}
	return frame(format.AppendHeader(nil, time, []format.Run{run}, body), body)
}

// bareBlock is a block as Puro writes it, without a header.
func bareBlock(topic string, values ...string) []byte {
	var body []byte
	for _, v := range values {
		body = format.AppendRecord(body, []byte(topic), nil, []byte(v))
	}
	return raise(frame(body))
}

// block is lowBlock with its signal raised.
func block(time int64, topic string, values ...string) []byte {
	return raise(lowBlock(time, topic, values...))
}

// tombstoneBlock is the block that ends a segment.
func tombstoneBlock(time int64) []byte {
	body := format.AppendRecord(nil, []byte{format.TopicTombstone}, nil, nil)
	return raise(frame(format.AppendHeader(nil, time, nil, body), body))
}

func frame(parts ...[]byte) []byte {
	inside := join(parts...)
	length := format.StartBytes + len(inside)
	return format.AppendEnd(append(format.AppendStart(nil, length), inside...), length)
}

func raise(b []byte) []byte {
	b[format.SignalOffset] = 1
	return b
}

func join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// image is a segment of those blocks, with the magic in front.
func image(blocks ...[]byte) []byte { return join(format.Magic[:], join(blocks...)) }

// openImage opens a store whose segment 0 holds those bytes.
func openImage(t testing.TB, bytes []byte) (*disk.Dir, *segment.Segment) {
	t.Helper()
	path := t.TempDir()
	name := filepath.Join(path, segment.Name(0))
	if err := os.WriteFile(name, bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := disk.OpenDir(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	return dir, openSegment(t, dir)
}

// openSegment opens segment 0 once more.
func openSegment(t testing.TB, dir *disk.Dir) *segment.Segment {
	t.Helper()
	s, err := segment.Open(dir, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// contents is what the file of segment 0 holds.
func contents(t testing.TB, dir *disk.Dir) []byte {
	t.Helper()
	return readFile(t, dir, segment.Name(0))
}

func readFile(t testing.TB, dir *disk.Dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir.Path(), name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, dir *disk.Dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir.Path(), name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A walk is what a scanner found in a segment.
type walk struct {
	values []string // of all records, in order
	damage []*segment.DamageError
	end    error // why it stopped
	pos    int64 // where
	sealed bool
}

// walkAll scans a segment from its beginning to its end and goes on behind damage.
func walkAll(t testing.TB, s *segment.Segment, full bool, limit int64) walk {
	t.Helper()
	scan := segment.NewScanner(s, 0, limit)
	scan.Full = full
	defer scan.Release()
	return walkOn(t, scan)
}

func walkOn(t testing.TB, scan *segment.Scanner) walk {
	t.Helper()
	var w walk
	for {
		at := scan.Pos()
		b, err := scan.Next()
		if err == nil {
			var body []byte
			if body, err = scan.Body(); err == nil {
				if b.Pos < at || b.End != scan.Pos() {
					t.Fatalf("block %d-%d of a scanner that went from %d to %d", b.Pos, b.End, at, scan.Pos())
				}
				w.values = append(w.values, valuesOf(t, body)...)
				continue
			}
		}
		var damage *segment.DamageError
		if errors.As(err, &damage) && len(w.damage) < 1000 {
			w.damage = append(w.damage, damage)
			if damage.End >= 0 {
				continue
			}
		}
		w.end, w.pos, w.sealed = err, scan.Pos(), scan.Sealed()
		return w
	}
}

// valuesOf returns the values of a block's records, control records aside.
func valuesOf(t testing.TB, body []byte) (values []string) {
	t.Helper()
	for len(body) > 0 {
		r, n, err := format.ParseRecord(body)
		if err != nil {
			t.Fatalf("a record of a sound block: %v", err)
		}
		if _, control := r.Control(); !control {
			values = append(values, string(r.Value))
		}
		body = body[n:]
	}
	return values
}

// lockNow takes the producer's lock if it is free.
func lockNow(s *segment.Segment) error { return s.LockTail(context.Background(), 0, 0) }

func requireLocked(t *testing.T, s *segment.Segment, what string) {
	t.Helper()
	if err := lockNow(s); !errors.Is(err, segment.ErrLocked) {
		t.Fatalf("%s: got %v, want ErrLocked", what, err)
	}
}

func requireLock(t *testing.T, s *segment.Segment, what string) {
	t.Helper()
	if err := s.LockTail(context.Background(), 0, time.Minute); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func requireWalk(t *testing.T, got walk, values []string, end error) {
	t.Helper()
	if fmt.Sprint(got.values) != fmt.Sprint(values) {
		t.Errorf("got the records %.300q, want %.300q", got.values, values)
	}
	if !errors.Is(got.end, end) {
		t.Errorf("got the end %v, want %v", got.end, end)
	}
	if end == io.EOF && len(got.damage) > 0 {
		t.Errorf("got damage: %v", got.damage)
	}
}
