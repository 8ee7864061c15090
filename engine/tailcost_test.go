package engine_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"purofs/engine"
	"purofs/engine/disk"
	"purofs/engine/format"
	"purofs/engine/oracle"
	"purofs/engine/segment"
)

// A readMap is a hook that notes which bytes of which files are read.
type readMap struct {
	mu    sync.Mutex
	spans map[string][]span // by the name of the file
}

// A span is the bytes of a read.
type span struct{ from, to int64 }

func (*readMap) Before(*disk.Op) error { return nil }

func (m *readMap) After(op *disk.Op, n int, _ error) {
	if op.Kind != disk.OpRead || n <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.spans == nil {
		m.spans = make(map[string][]span)
	}
	name := filepath.Base(op.Path)
	m.spans[name] = append(m.spans[name], span{op.At, op.At + int64(n)})
}

// bytes is how many bytes of a segment were read below a place; what was read twice counts twice.
func (m *readMap) bytes(order uint32, below int64) (n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.spans[segment.Name(order)] {
		n += max(0, min(s.to, below)-s.from)
	}
	return n
}

// all is how many bytes of all files were read.
func (m *readMap) all() (n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, spans := range m.spans {
		for _, s := range spans {
			n += s.to - s.from
		}
	}
	return n
}

// A crashed is a store whose newest segment ends within a block, with two small segments before it.
// Its checkpoint is as far behind as one can be: the gap after which a running producer writes one.
type crashed struct {
	dir        string
	checkpoint []byte
	first      int64  // where the first block of the newest segment ends
	from, end  int64  // the place of the checkpoint, and of the torn block
	torn       []byte // what stands there
}

// crashedLast is the order of a crashed store's newest segment, to which more can be appended,
// however large it is.
const crashedLast = 2

var crashedOptions = engine.Options{Sync: engine.SyncNone, SegmentBytes: engine.SegmentBytesMax}

// newCrashed makes a store with about so many bytes and blocks in its newest segment.
func newCrashed(t testing.TB, bytes, blocks int) *crashed {
	t.Helper()
	const gap = 16 << 20
	s := &crashed{dir: newStore(t)}
	fillSegments := func(opts engine.Options, more func(l *engine.Log) bool, size int) {
		l := open(t, s.dir, opts)
		value := string(make([]byte, size))
		for more(l) {
			appendTo(t, l, "t", value)
		}
		closeLog(t, l)
	}
	short := engine.Options{Sync: engine.SyncNone, SegmentBytes: 1 << 20}
	fillSegments(short, func(l *engine.Log) bool { return l.Status().Segments <= crashedLast }, 10_000)
	tail := blocks * min(gap, bytes/4) / bytes
	for _, n := range []int{blocks - tail, tail} {
		s.checkpoint, s.from = readFile(t, s.path("checkpoint")), s.size(t)
		fillSegments(crashedOptions, func(*engine.Log) bool { n--; return n >= 0 }, bytes/blocks-60)
	}
	s.end = s.size(t)
	head, tailBytes := make([]byte, 1<<16), make([]byte, bytes/blocks/2)
	file, err := os.Open(s.path(segment.Name(crashedLast)))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for at, b := range map[int64][]byte{0: head, s.from: tailBytes} {
		if _, err := file.ReadAt(b, at); err != nil {
			t.Fatal(err)
		}
	}
	start, err := format.ParseStart(head[len(format.Magic):])
	if err != nil {
		t.Fatal(err)
	}
	s.first = int64(len(format.Magic) + start.Length + format.EndBytes)
	s.torn = tailBytes
	s.torn[format.SignalOffset] = 0
	return s
}

func (s *crashed) path(name string) string { return filepath.Join(s.dir, name) }

func (s *crashed) size(t testing.TB) int64 {
	t.Helper()
	info, err := os.Stat(s.path(segment.Name(crashedLast)))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// reset has the store be as the crash left it, with a changed checkpoint.
func (s *crashed) reset(t testing.TB, change func(c *format.Checkpoint)) {
	t.Helper()
	name := s.path(segment.Name(crashedLast))
	if err := os.Truncate(name, s.end); err != nil {
		t.Fatal(err)
	}
	s.overwrite(t, s.end, s.torn)
	if err := os.RemoveAll(s.path("lost")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.path("checkpoint"), s.checkpoint)
	writeFile(t, s.path("checkpoint"), checkpointOf(t, s.dir, change))
}

// overwrite changes bytes of the newest segment.
func (s *crashed) overwrite(t testing.TB, at int64, b []byte) {
	t.Helper()
	file, err := os.OpenFile(s.path(segment.Name(crashedLast)), os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteAt(b, at)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// What the checkpoint of a crashed store says after each kind of crash.
func killedProducer(*format.Checkpoint) {}

func crashedMachine(c *format.Checkpoint) { c.BootID[0]++ }

func crashedSynced(c *format.Checkpoint) {
	c.BootID[0]++
	c.SyncedOrder, c.SyncedPos = c.Log.Order, c.Pos
}

// T21. To open a store after a crash, and to append to it, reads what the checkpoint does not vouch
// for once, and nothing else but the first block of that segment: of a killed producer what is
// behind the checkpoint, after a crash of the machine what is behind the place that was synced, and
// never more than the newest segment, unless its first block did not reach the disk.
func TestOpeningReadsTheTailOnly(t *testing.T) {
	t.Parallel()
	run := oracle.Start(t, "T21")
	s := newCrashed(t, oracle.Size(64<<20, 1<<30), oracle.Size(10_000, 1_000_000))
	older, err := os.Stat(s.path(segment.Name(crashedLast - 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(c *format.Checkpoint)
		spoil  bool  // the first block of the newest segment did not reach the disk
		from   int64 // what is behind it has to be read
		older  int64 // bytes of the segment before that may be read
	}{
		{"producer", killedProducer, false, s.from, 0},
		{"machine, synced", crashedSynced, false, s.from, 0},
		{"machine, not synced", crashedMachine, false, 0, 0},
		{"machine, first block lost", crashedMachine, true, 0, older.Size()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.reset(t, tt.change)
			if tt.spoil {
				s.overwrite(t, s.first-format.EndBytes-1, []byte{1}) // the end of a value of zeros
			}
			reads := new(readMap)
			opts := crashedOptions
			opts.FileHook = reads
			l := open(t, s.dir, opts)
			appendTo(t, l, "t", "and on")
			closeLog(t, l)
			s.requireReads(t, reads, tt.from, tt.older)
			run.Count(tt.name+", bytes", int(reads.bytes(crashedLast, 1<<62)))
		})
	}
}

// requireReads requires that not much more was read than what is behind a place of the newest
// segment, and so many bytes of the segment before it.
func (s *crashed) requireReads(t *testing.T, reads *readMap, from, older int64) {
	t.Helper()
	// The first block is looked at to see whose the checkpoint is, and where the log begins. The torn
	// one is looked at again, since its producer may be at work, and copied.
	const looks, window = 8, 4 << 10
	first := looks * (s.first + window)
	got, most := reads.bytes(crashedLast, 1<<62), s.end-from+first+looks*int64(len(s.torn)+window)
	t.Logf("read %d bytes of %d behind byte %d; %d before it", got, s.end-from, from,
		reads.bytes(crashedLast, from))
	if got < (s.end-from)/1000 || got > most {
		t.Errorf("read %d bytes of the newest segment, want at most %d", got, most)
	}
	if got := reads.bytes(crashedLast, from); got > first {
		t.Errorf("read %d bytes before byte %d, want at most %d", got, from, first)
	}
	if got := reads.bytes(crashedLast-1, 1<<62); got > older+older/10 {
		t.Errorf("read %d bytes of the segment before the newest, want at most %d", got, older)
	}
	if got := reads.bytes(0, 1<<62); got > 0 {
		t.Errorf("read %d bytes of the oldest segment", got)
	}
}
