package mount_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// modelChecks compare a part of the tree, in one of the mounts, with the model.
var modelChecks = []func(*world, *modelTopic){
	(*world).checkLog, (*world).checkLog, (*world).checkPlaces, (*world).checkPlaces,
	(*world).checkStream, (*world).checkStream, (*world).checkRecord, (*world).checkRecord,
	(*world).checkKeys, (*world).checkInfo, (*world).checkListing,
}

// checkAll compares all of a topic, in both mounts as it happens.
func (w *world) checkAll(tp *modelTopic) {
	for range 4 {
		for _, check := range modelChecks {
			check(w, tp)
		}
	}
}

// same fails the test unless a text is what the model has.
func (w *world) same(got, want []byte, what string) {
	w.Helper()
	if !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		w.Fatalf("%s has %d bytes, want %d; from byte %d on %s, want %s", what, len(got), len(want), at,
			brief(string(got[at:])), brief(string(want[at:])))
	}
}

// readAll reads a file to its end, or to where a stream has no more, with reads of a random size.
// Each read of a file of raw returns one record.
func (w *world) readAll(path string, flags, bufferBytes int) (text []byte, reads [][]byte) {
	w.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0)
	w.must(err, nil, "open to read")
	defer unix.Close(fd)
	buffer := make([]byte, bufferBytes)
	for {
		n, err := unix.Read(fd, buffer)
		switch {
		case err == unix.EAGAIN && flags&unix.O_NONBLOCK != 0:
			return text, reads
		case err != nil:
			w.Fatalf("read: %v", err)
		case n == 0 && flags&unix.O_NONBLOCK != 0:
			w.Fatal("a stream has an end")
		case n == 0:
			return text, reads
		}
		text = append(text, buffer[:n]...)
		reads = append(reads, bytes.Clone(buffer[:n]))
	}
}

func (w *world) newBufferBytes() int {
	return []int{1 << 10, 4096, 5000, 32 << 10, 128 << 10}[w.rand.IntN(5)]
}

func (w *world) textFormat() string { return []string{"", ".jsonl", ".tsv"}[w.rand.IntN(3)] }

// checkLog reads a log in one of the formats.
func (w *world) checkLog(tp *modelTopic) {
	format := w.textFormat()
	i, path := w.at(tp.name, "log"+format)
	w.note("read %d %.20q log%s", i, tp.name, format)
	text, _ := w.readAll(path, 0, w.newBufferBytes())
	if format == ".jsonl" {
		w.learn(tp, tp.first, text)
	}
	w.same(text, tp.text(format), "log"+format)
	w.checkSize(tp, "log"+format)
}

// A line of JSONL as another program than ours reads it.
type jsonLine struct {
	Offset      int
	Time        string
	Key         *string
	KeyBase64   *string `json:"key_base64"`
	Value       *string
	ValueBase64 *string `json:"value_base64"`
}

// learn checks the lines of the records from an offset on, and keeps those of records that had none
// yet: from then on they are these bytes, whoever reads them.
func (w *world) learn(tp *modelTopic, offset int, text []byte) {
	w.Helper()
	for line := range bytes.Lines(text) {
		i := offset - tp.first
		if i >= len(tp.records) {
			w.Fatalf("a line more than there are records: %s", brief(string(line)))
		}
		r := &tp.records[i]
		if r.jsonl == nil {
			w.checkLine(r, offset, line)
			r.jsonl = line
		}
		offset++
	}
}

func (w *world) checkLine(r *modelRecord, offset int, line []byte) {
	w.Helper()
	var got jsonLine
	err := json.Unmarshal(line, &got)
	key, keyErr := jsonText(got.Key, got.KeyBase64)
	value, valueErr := jsonText(got.Value, got.ValueBase64)
	if err != nil || keyErr != nil || valueErr != nil || got.Offset != offset ||
		!bytes.Equal(key, r.key) || !bytes.Equal(value, r.value) || len(got.Time) != 30 {
		w.Fatalf("record %d, key %.40q, value %s, has the line %s", offset, r.key,
			brief(string(r.value)), brief(string(line)))
	}
}

func jsonText(text, encoded *string) ([]byte, error) {
	switch {
	case text != nil && encoded == nil:
		return []byte(*text), nil
	case text == nil && encoded != nil:
		return base64.StdEncoding.DecodeString(*encoded)
	}
	return nil, fmt.Errorf("none or both")
}

// checkSize compares the size that stat(2) shows of a file whose text is known.
func (w *world) checkSize(tp *modelTopic, file string) {
	w.Helper()
	i, path := w.at(tp.name, file)
	var st unix.Stat_t
	w.must(unix.Stat(path, &st), nil, "stat")
	want := len(tp.text(filepath.Ext(file)))
	if int(st.Size) != want {
		w.Fatalf("%s of %.20q in mount %d has size %d, want %d", file, tp.name, i, st.Size, want)
	}
}

// checkPlaces reads a log at random places.
func (w *world) checkPlaces(tp *modelTopic) {
	format := w.textFormat()
	if format == ".jsonl" && slices.ContainsFunc(tp.records, func(r modelRecord) bool {
		return r.jsonl == nil
	}) {
		format = ".tsv"
	}
	i, path := w.at(tp.name, "log"+format)
	w.note("pread %d %.20q log%s", i, tp.name, format)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	w.must(err, nil, "open")
	defer unix.Close(fd)
	text := tp.text(format)
	for range 8 {
		place := w.rand.IntN(len(text) + 10)
		buffer := make([]byte, 1+w.rand.IntN(3000))
		n, err := unix.Pread(fd, buffer, int64(place))
		w.must(err, nil, "pread")
		want := text[min(place, len(text)):min(place+len(buffer), len(text))]
		w.same(buffer[:n], want, fmt.Sprintf("log%s at %d", format, place))
	}
}

// checkStream reads a stream from any position to where it has no more.
func (w *world) checkStream(tp *modelTopic) {
	format := []string{"", ".jsonl", ".tsv", ".raw"}[w.rand.IntN(4)]
	name, first := "stream", tp.first
	last := w.rand.IntN(len(tp.records) + 3)
	at := tp.first + w.rand.IntN(len(tp.records)+1)
	switch w.rand.IntN(6) {
	case 0:
		name, first = "from/end", tp.next()
	case 1:
		name, first = fmt.Sprintf("from/%d", at), at
	case 2:
		name, first = fmt.Sprintf("from/-%d", last), max(tp.first, tp.next()-last)
	case 3:
		name = "from/start"
	case 4:
		name = fmt.Sprintf("from/%d", w.rand.IntN(tp.first+1))
	}
	i, path := w.at(tp.name, name+format)
	w.note("read %d %.20q %s%s", i, tp.name, name, format)
	part := &modelTopic{first: first, records: tp.records[first-tp.first:]}
	bufferBytes := w.newBufferBytes()
	if format == ".raw" {
		bufferBytes = 128 << 10
	}
	text, reads := w.readAll(path, unix.O_NONBLOCK, bufferBytes)
	if format == ".jsonl" {
		w.learn(tp, first, text)
	}
	w.same(text, part.text(format), name+format)
	if format == ".raw" {
		for _, r := range part.records {
			if len(r.value) > 0 {
				w.same(reads[0], r.value, "a read of raw")
				reads = reads[1:]
			}
		}
	}
}

// checkRecord looks at one record: its bytes, size and attributes, or that it is not there.
func (w *world) checkRecord(tp *modelTopic) {
	offset := max(0, tp.first-2) + w.rand.IntN(len(tp.records)+5)
	i, path := w.at(tp.name, "records", strconv.Itoa(offset))
	w.note("record %d %.20q %d", i, tp.name, offset)
	if offset < tp.first || offset >= tp.next() {
		w.must(unix.Access(path, unix.F_OK), unix.ENOENT, "a record that is not there")
		return
	}
	r := tp.records[offset-tp.first]
	w.checkValue(path, r, offset)
}

// checkValue compares the file of a record, in records/ or in keys/.
func (w *world) checkValue(path string, r modelRecord, offset int) {
	w.Helper()
	text, _ := w.readAll(path, 0, w.newBufferBytes())
	w.same(text, r.value, "the record")
	var st unix.Stat_t
	w.must(unix.Stat(path, &st), nil, "stat")
	if int(st.Size) != len(r.value) {
		w.Fatalf("the record has size %d, want %d", st.Size, len(r.value))
	}
	buffer := make([]byte, 2000)
	n, err := unix.Getxattr(path, "user.puro.offset", buffer)
	w.must(err, nil, "user.puro.offset")
	w.same(buffer[:n], strconv.AppendInt(nil, int64(offset), 10), "the offset")
	n, err = unix.Getxattr(path, "user.puro.key", buffer)
	if len(r.key) == 0 {
		w.must(err, unix.ENODATA, "user.puro.key")
		return
	}
	w.must(err, nil, "user.puro.key")
	w.same(buffer[:n], r.key, "the key")
}

// checkKeys lists the keys, and looks at one.
func (w *world) checkKeys(tp *modelTopic) {
	i, dir := w.at(tp.name, "keys")
	w.note("keys %d %.20q", i, tp.name)
	newest := map[string]int{}
	for i, r := range tp.records {
		if name := keyNames.Replace(string(r.key)); len(r.value) > 0 && name != "" {
			newest[dotNames(name)] = i
		} else {
			delete(newest, dotNames(name))
		}
	}
	var names []string
	for name := range newest {
		names = append(names, name)
	}
	slices.Sort(names)
	w.checkNames(dir, names)
	if len(names) > 0 {
		name := names[w.rand.IntN(len(names))]
		w.checkValue(filepath.Join(dir, name), tp.records[newest[name]], tp.first+newest[name])
	}
	w.must(unix.Access(filepath.Join(dir, "none"), unix.F_OK), unix.ENOENT, "a key that is not there")
}

// keyNames shows the keys of newKey as names of files.
var keyNames = strings.NewReplacer("%2F", "%252F", "/", "%2F", "\x00", "%00")

func dotNames(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return name
}

// checkNames compares the names in a directory, which are given sorted.
func (w *world) checkNames(dir string, want []string) {
	w.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.Fatalf("%s lists %.40q, want %.40q", dir, got, want)
	}
}

// checkInfo compares the figures of a topic.
func (w *world) checkInfo(tp *modelTopic) {
	w.Helper()
	i, path := w.at(tp.name, "info")
	w.note("info %d %.20q", i, tp.name)
	text, _ := w.readAll(path, 0, 4096)
	var got topicFigures
	if err := json.Unmarshal(text, &got); err != nil {
		w.Fatal(err)
	}
	want := topicFigures{
		Topic: tp.name, First: tp.first, Next: tp.next(), Records: len(tp.records), Bytes: tp.size(),
		Mode: fmt.Sprintf("%04o", tp.mode), UID: os.Getuid(), GID: os.Getgid(),
	}
	if got != want {
		w.Fatalf("info is %+v, want %+v", got, want)
	}
}

// topicFigures are those of the file info that the model knows.
type topicFigures struct {
	Topic                       string
	First, Next, Records, Bytes int
	Mode                        string
	UID, GID                    int
}

// checkListing lists the topics, and the files of one.
func (w *world) checkListing(tp *modelTopic) {
	i, root := w.at()
	w.note("list %d", i)
	w.checkNames(root, append([]string{".puro"}, w.existing()...))
	w.checkNames(filepath.Join(root, tp.name), modelFiles)
}

// modelFiles are the names in the directory of a topic, sorted.
var modelFiles = []string{
	"append", "append.jsonl", "append.raw", "append.tsv", "cursors", "from", "info", "keys", "log",
	"log.jsonl", "log.tsv", "records", "stream", "stream.jsonl", "stream.raw", "stream.tsv",
}
