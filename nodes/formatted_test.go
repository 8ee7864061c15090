package nodes_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"purofs/engine"
	"purofs/nodes"
	"purofs/nodes/codec"
)

// A keyed is a record as a test writes it.
type keyed struct{ key, value string }

// add appends records of any bytes, as one block.
func (m *mount) add(topic string, records ...keyed) {
	m.Helper()
	var batch engine.Batch
	for _, r := range records {
		batch.Add(topic, []byte(r.key), []byte(r.value))
	}
	if err := m.log.Append(m.Context(), &batch); err != nil {
		m.Fatal(err)
	}
}

// text is what the topic is in a format, made record by record.
func (m *mount) text(topic string, f codec.Format) string {
	m.Helper()
	reader, err := m.log.Log.OpenReader(topic, engine.Start())
	if err != nil {
		m.Fatal(err)
	}
	defer reader.Close()
	text := codec.NewText(f)
	var all strings.Builder
	for {
		r, err := reader.TryNext()
		if err != nil {
			return all.String()
		}
		text.Set(r.Offset, r.Time, r.Key, r.Value)
		line := make([]byte, text.Len())
		all.Write(line[:text.Copy(line, 0)])
	}
}

// someRecords are records of all kinds, those of seed.
func someRecords(seed uint64, n int) []keyed {
	random := rand.New(rand.NewPCG(seed, 0))
	values := []string{"", "plain", "two\nlines", "\xff\xfe", "\t\\\"", strings.Repeat("long ", 300)}
	records := make([]keyed, n)
	for i := range records {
		value := values[random.IntN(len(values))]
		records[i] = keyed{fmt.Sprint("key", random.IntN(20)), value}
		if i%10 == 0 {
			records[i].key = "\xff\t"
		}
	}
	return records
}

var textFormats = []codec.Format{codec.JSONL, codec.TSV}

// Whatever place is read, and however much, a log in any format is one file, and its size is that
// of its bytes.
func TestFormattedLogIsAFile(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	for i := range 20 {
		m.add("orders", someRecords(uint64(i), 50)...)
		m.append("orders", "a line\n")
	}
	for _, format := range textFormats {
		path, want := "orders/log"+format.Suffix(), m.text("orders", format)
		if got := m.size(path); got != uint64(len(want)) {
			t.Errorf("%s: size is %d, want %d", path, got, len(want))
		}
		for _, size := range []int{100, 4096, 1 << 20} {
			if got := m.cat(path, size); got != want {
				t.Errorf("%s, %d bytes at a time: %d bytes, want %d", path, size, len(got), len(want))
			}
		}
		random := rand.New(rand.NewPCG(1, 2))
		fh := m.open(path, syscall.O_RDONLY)
		for range 500 {
			at, size := random.IntN(len(want)+20), 1+random.IntN(2000)
			got, errno := m.read(fh, uint64(at), size).now()
			if w := want[min(at, len(want)):min(at+size, len(want))]; errno != 0 || got != w {
				t.Fatalf("%s: %d bytes at %d: %.99q, %v, want %.99q", path, size, at, got, errno, w)
			}
		}
	}
}

func TestFormattedLogGrows(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	fh := m.open("orders/log.tsv", syscall.O_RDONLY)
	m.read(fh, 0, 10).want("", 0)
	m.add("orders", keyed{"k", "one"})
	m.read(fh, 0, 10).want("k\tone\n", 0)
	m.read(fh, 6, 10).want("", 0)
	if got := m.size("orders/log.tsv"); got != 6 {
		t.Errorf("size is %d, want 6", got)
	}
	m.add("orders", keyed{"", "two"})
	if got := m.size("orders/stream.tsv"); got != 11 {
		t.Errorf("size is %d, want 11", got)
	}
	m.read(fh, 6, 10).want("\ttwo\n", 0)
	m.read(fh, 11, 10).want("", 0)
	m.read(fh, 1<<40, 10).want("", 0)
	m.read(fh, 2, 6).want("one\n\tt", 0)
}

func TestFormattedStream(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.add("orders", keyed{"a", "one"}, keyed{"b", "two"}, keyed{"", "thirteen chars"})
	fh := m.open("orders/stream.tsv", syscall.O_RDONLY)
	m.read(fh, 0, 15).want("a\tone\nb\ttwo\n", 0) // whole records
	m.read(fh, 12, 10).want("\tthirteen ", 0)     // longer than the buffer: in pieces
	m.read(fh, 22, 10).want("chars\n", 0)
	r := m.read(fh, 28, 100)
	r.waits()
	m.add("orders", keyed{"c", "three"})
	r.want("c\tthree\n", 0)
	m.read(fh, 6, 7).want("b\ttwo\n", 0) // seeked back
	m.read(fh, 0, 100).want("a\tone\nb\ttwo\n\tthirteen chars\nc\tthree\n", 0)
	m.read(fh, 37, 100).want("", syscall.ESPIPE)
	m.read(fh, 1<<62, 100).want("", syscall.ESPIPE)
	m.read(fh, 36, 100).waits()

	late := m.open("orders/stream.tsv", syscall.O_RDONLY)
	m.read(late, 28, 100).want("c\tthree\n", 0) // where it has not been yet
	nonblock := m.open("orders/stream.tsv", syscall.O_RDONLY|syscall.O_NONBLOCK)
	m.read(nonblock, 36, 100).want("", syscall.EAGAIN)
}

func TestFormattedStreamOfJSONL(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	before := time.Now()
	m.add("orders", keyed{"k", "v"})
	fh := m.open("orders/stream.jsonl", syscall.O_RDONLY)
	got, _ := m.read(fh, 0, 1000).get()
	var at time.Time
	if _, stamp, ok := strings.Cut(got, `"time":"`); ok {
		at, _ = time.Parse(time.RFC3339Nano, strings.Split(stamp, `"`)[0])
	}
	want := fmt.Sprintf(`{"offset":0,"time":%q,"key":"k","value":"v"}`+"\n",
		at.UTC().Format("2006-01-02T15:04:05.000000000Z"))
	if got != want || at.Before(before.Add(-time.Second)) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Each read of stream.raw gives bytes of one record, and records without bytes are passed over.
func TestRawStream(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.add("orders", keyed{"", ""}, keyed{"k", "one\n\xff"}, keyed{"", ""}, keyed{"", "two"})
	fh := m.open("orders/stream.raw", syscall.O_RDONLY)
	m.read(fh, 0, 100).want("one\n\xff", 0)
	m.read(fh, 5, 2).want("tw", 0)
	m.read(fh, 7, 100).want("o", 0)
	m.read(fh, 0, 3).want("one", 0)
	m.read(fh, 3, 100).want("\n\xff", 0)
	m.read(fh, 5, 3).want("two", 0)
	r := m.read(fh, 8, 100)
	r.waits()
	m.add("orders", keyed{"", ""})
	r.waits()
	m.add("orders", keyed{"", "three"}, keyed{"", "four"})
	r.want("three", 0)
	m.read(fh, 13, 100).want("four", 0)
}

func TestFormattedStreamEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(m *mount, r *request)
		want syscall.Errno
	}{
		{"interrupt", func(_ *mount, r *request) { r.interrupted() }, syscall.EINTR},
		{"removal", func(m *mount, _ *request) { m.rmdir("orders") }, 0},
		{"shutdown", func(m *mount, _ *request) { m.tree.Shutdown() }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMount(t, func(c *nodes.Config) { c.AllowDelete = true })
			m.mkdir("orders")
			m.add("orders", keyed{"", "a"})
			fh := m.open("orders/stream.tsv", syscall.O_RDONLY)
			m.read(fh, 0, 100).want("\ta\n", 0)
			r := m.read(fh, 3, 100)
			r.waits()
			test.end(m, r)
			r.want("", test.want)
			if test.want == 0 {
				m.read(fh, 3, 100).want("", 0)
			}
		})
	}
}

// Damage is told once, behind what is sound before it, and not when it is passed again.
func TestFormattedDamage(t *testing.T) {
	for _, file := range []string{"orders/log.tsv", "orders/stream.tsv", "orders/from/0.tsv"} {
		m := newMount(t, nil)
		m.mkdir("orders")
		m.append("orders", "0\n1\n2\n3\n")
		m.damage(2)
		fh := m.open(file, syscall.O_RDONLY)
		m.read(fh, 0, 100).want("\t0\n\t1\n", 0)
		m.read(fh, 6, 100).want("", syscall.EIO)
		m.read(fh, 6, 100).want("\t2\n\t3\n", 0)
		m.read(fh, 3, 100).want("\t1\n\t2\n\t3\n", 0)
	}
}

// Records that are missing without a word are told too, in the middle and at the end.
func TestFormattedGap(t *testing.T) {
	for missing, want := range map[uint64][2]string{
		0: {"", "\t1\n\t2\n\t3\n"}, 2: {"\t0\n\t1\n", "\t3\n"}, 3: {"\t0\n\t1\n\t2\n", ""},
	} {
		m := newMount(t, nil)
		m.mkdir("orders")
		m.append("orders", "0\n1\n2\n3\n")
		m.log.wrapReaders(func(r nodes.Reader) nodes.Reader {
			return &gappyReader{Reader: r, at: missing}
		})
		fh := m.open("orders/stream.tsv", syscall.O_RDONLY)
		before, behind := want[0], want[1]
		if before != "" {
			m.read(fh, 0, 100).want(before, 0)
		}
		at := uint64(len(before))
		m.read(fh, at, 100).want("", syscall.EIO)
		if behind != "" {
			m.read(fh, at, 100).want(behind, 0)
		}
		m.read(fh, uint64(len(before+behind)), 100).waits()
		if behind != "" {
			m.read(fh, 0, 100).want(before+behind, 0)
		}
	}
}

func TestFormattedStreamOvertaken(t *testing.T) {
	m := newMount(t, nil)
	other := mountStore(t, m.dir, func(c *nodes.Config) { c.AllowDelete = true })
	m.mkdir("orders")
	m.append("orders", "old\nold too\n")
	fh := m.open("orders/stream.tsv", syscall.O_RDONLY)
	m.read(fh, 0, 5).want("\told\n", 0)
	other.rmdir("orders")
	other.mkdir("orders")
	other.append("orders", "new\n")
	m.read(fh, 5, 100).want("", syscall.EPIPE)
	m.read(fh, 5, 100).want("\tnew\n", 0)
	m.read(fh, 0, 100).want("", syscall.ESPIPE) // there is nothing there any more
	m.read(fh, 5, 100).want("\tnew\n", 0)
	m.read(fh, 10, 100).waits()
}

func TestFromInFormats(t *testing.T) {
	m := newMount(t, nil)
	m.mkdir("orders")
	m.append("orders", "0\n1\n2\n3\n")
	tests := []struct{ name, want string }{
		{"start.tsv", "\t0\n\t1\n\t2\n\t3\n"},
		{"2.tsv", "\t2\n\t3\n"},
		{"-1.tsv", "\t3\n"},
		{"2000-01-01T00:00:00.5Z.tsv", "\t0\n\t1\n\t2\n\t3\n"},
		{"@0.5.tsv", "\t0\n\t1\n\t2\n\t3\n"},
		{"1h.raw", "0"},
		{"end.jsonl", ""},
		{"4.tsv", ""},
	}
	for _, test := range tests {
		fh := m.open("orders/from/"+test.name, syscall.O_RDONLY)
		if test.want != "" {
			m.read(fh, 0, 100).want(test.want, 0)
		}
		if !strings.HasSuffix(test.name, ".raw") {
			m.read(fh, uint64(len(test.want)), 100).waits()
		}
	}
	for _, name := range []string{"0.json", ".tsv", "0.tsv.tsv", "0.", "nowhere.raw"} {
		if _, errno := m.lookup("orders/from/" + name); errno != syscall.ENOENT {
			t.Errorf("from/%s: %v, want ENOENT", name, errno)
		}
	}
	beyond := m.open("orders/from/5.tsv", syscall.O_RDONLY)
	r := m.read(beyond, 0, 100)
	r.waits()
	m.append("orders", "4\n")
	r.waits()
	m.append("orders", "5\n")
	r.want("\t5\n", 0)
}

// A poll tells the truth, also if what is new has no bytes.
func TestFormattedPoll(t *testing.T) {
	for _, name := range []string{"stream.tsv", "stream.raw"} {
		m := newMount(t, nil)
		m.mkdir("orders")
		m.add("orders", keyed{"", "a"})
		fh := m.open("orders/"+name, syscall.O_RDONLY)
		if !m.poll(fh, 1) {
			t.Errorf("%s cannot be read at its beginning", name)
		}
		got, _ := m.read(fh, 0, 100).now()
		if m.poll(fh, 1) {
			t.Errorf("%s can be read at its end", name)
		}
		m.add("orders", keyed{"", ""})
		soon(t, m.kernel.polls)
		if ready := m.poll(fh, 1); ready == (name == "stream.raw") {
			t.Errorf("%s after an empty record: ready is %v", name, ready)
		}
		m.add("orders", keyed{"", "b"})
		if name == "stream.raw" {
			soon(t, m.kernel.polls)
		}
		if !m.poll(fh, 1) {
			t.Errorf("%s cannot be read though there are more records", name)
		}
		if more, errno := m.read(fh, uint64(len(got)), 100).now(); more == "" {
			t.Errorf("%s: read %q, %v", name, more, errno)
		}
	}
}

// Reads on, back and elsewhere, of any size, while the topic grows: what is read is always what
// stands at that place.
func TestFormattedReadsAtRandom(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 5))
		m := newMount(t, nil)
		m.mkdir("orders")
		name := []string{"log.jsonl", "log.tsv", "stream.jsonl", "stream.tsv"}[random.IntN(4)]
		_, format := codec.CutSuffix(name)
		fh := m.open("orders/"+name, syscall.O_RDONLY|syscall.O_NONBLOCK)
		want, place := "", 0
		for step := range 300 {
			switch random.IntN(10) {
			case 0:
				m.add("orders", someRecords(seed+uint64(step), 1+random.IntN(30))...)
				want = m.text("orders", format)
			case 1:
				place = random.IntN(len(want) + 1)
			case 2: // as a shell does
				place = strings.LastIndexByte(want[:place], '\n') + 1
			case 3:
				if got := m.size("orders/" + name); got != uint64(len(want)) {
					t.Fatalf("seed %d, step %d: size is %d, want %d", seed, step, got, len(want))
				}
			case 4:
				m.release(fh)
				fh = m.open("orders/"+name, syscall.O_RDONLY|syscall.O_NONBLOCK)
			}
			size := 1 + random.IntN(5000)
			got, errno := m.read(fh, uint64(place), size).now()
			ended := place == len(want) && (errno == syscall.EAGAIN || name[:3] == "log" && errno == 0)
			if !strings.HasPrefix(want[place:], got) || got == "" && !ended {
				t.Fatalf("seed %d, step %d, %s: %d bytes at %d: %.99q, %v, want %.99q",
					seed, step, name, size, place, got, errno, want[place:])
			}
			place += len(got)
		}
	}
}
