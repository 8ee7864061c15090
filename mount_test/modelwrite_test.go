package mount_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// An appender is an open append file of one of the mounts.
type appender struct {
	fd     int
	mount  int
	topic  *modelTopic
	format string
	// What was written of an unfinished line, of which item it is, and how much is to come; of raw,
	// the record so far.
	begun []byte
	item  item
	rest  []byte
}

// An item is a line that is written: one of a record, or one that is none.
type item struct {
	line   []byte
	record *modelRecord
}

// write appends something through a file that is open, or through another one.
func (w *world) write(tp *modelTopic) {
	var a *appender
	for _, other := range w.open {
		if other.topic == tp && w.rand.IntN(3) > 0 {
			a = other
		}
	}
	if a == nil {
		a = w.openAppend(tp)
	}
	switch {
	case a.format == ".raw":
		w.writeRaw(a)
	case a.format != "" && len(a.begun) == 0 && w.rand.IntN(8) == 0:
		w.writeBad(a)
	default:
		w.writeLines(a)
	}
	switch n := w.rand.IntN(8); {
	case n < 3 || len(w.open) > 10:
		w.closeAppend(a)
	case n == 3 && a.format == "":
		w.syncLine(a)
	}
}

func (w *world) openAppend(tp *modelTopic) *appender {
	format := []string{"", ".jsonl", ".tsv", ".raw"}[w.rand.IntN(4)]
	i, path := w.at(tp.name, "append"+format)
	flags := []int{0, unix.O_APPEND, unix.O_TRUNC}[w.rand.IntN(3)]
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC|flags, 0)
	w.note("open %d %.20q append%s as %d", i, tp.name, format, fd)
	w.must(err, nil, "open to append")
	a := &appender{fd: fd, mount: i, topic: tp, format: format}
	w.open = append(w.open, a)
	return a
}

// put writes a text with one system call, which takes all of it or none.
func (w *world) put(a *appender, text []byte, want error) {
	w.Helper()
	w.note("write %d %.60q (%d bytes)", a.fd, text, len(text))
	n, err := unix.Write(a.fd, text)
	w.must(err, want, "write")
	if err == nil && n != len(text) {
		w.Fatalf("write takes %d bytes of %d", n, len(text))
	}
	w.run.Count("writes", 1)
}

// writeLines writes some lines, after the rest of the one before, and possibly a part of another.
func (w *world) writeLines(a *appender) {
	var items []item
	if len(a.begun) > 0 {
		items = append(items, item{a.rest, a.item.record})
	}
	for range 1 + w.rand.IntN(5) {
		items = append(items, w.newItem(a.format))
	}
	var text []byte
	cut := item{}
	if w.rand.IntN(3) == 0 {
		cut, items = items[len(items)-1], items[:len(items)-1]
	}
	for _, it := range items {
		text = append(text, it.line...)
	}
	whole := len(items) > 0
	var part int
	if cut.line != nil {
		part = w.rand.IntN(len(cut.line))
		text = append(text, cut.line[:part]...)
	}
	if len(text) == 0 {
		return
	}
	w.put(a, text, nil)
	if whole {
		a.begun, a.item, a.rest = nil, item{}, nil
	}
	if part > 0 {
		a.begun = append(a.begun, cut.line[:part]...)
		a.item, a.rest = cut, cut.line[part:]
	}
	for _, it := range items {
		if it.record != nil {
			a.topic.records = append(a.topic.records, *it.record)
		}
	}
	w.checkSize(a.topic, "log")
}

// writeBad writes lines of which one is none: nothing is stored.
func (w *world) writeBad(a *appender) {
	bad := []string{
		"{\"value\":\"a\"\n", "[1]\n", "{\"valeu\":\"a\"}\n", "{\"value\":\"\xff\"}\n", "{}\n",
		"{\"key\":1,\"value\":\"a\"}\n", "{\"value\":\"a\",\"value\":\"b\"}\n",
		"{\"value_base64\":\"YQ\"}\n", "{\"value\":\"a\"} x\n", "{\"value\":\"\\ud800\"}\n",
	}
	if a.format == ".tsv" {
		bad = []string{"no tab\n", "\n", "a\tb\tc\n", "a\t\\x\n", "a\tb\\\n", "a\\\tb\n"}
	}
	text := bytes.Clone(w.newItem(a.format).line)
	text = append(text, bad[w.rand.IntN(len(bad))]...)
	text = append(text, w.newItem(a.format).line...)
	w.put(a, text, unix.EINVAL)
	w.run.Count("refused", 1)
	w.checkSize(a.topic, "log")
}

// writeRaw writes a part of a record.
func (w *world) writeRaw(a *appender) {
	part := w.newBytes()
	if len(part) == 0 || len(a.begun)+len(part) > rawBytesMax {
		return
	}
	w.put(a, part, nil)
	a.begun = append(a.begun, part...)
	w.checkSize(a.topic, "log")
}

// rawBytesMax is the largest record: one read of stream.raw takes it whole.
const rawBytesMax = 30_000

// syncLine has an unfinished line end by fsync(2), where a part of a line is one as well.
func (w *world) syncLine(a *appender) {
	w.note("fsync %d", a.fd)
	w.must(unix.Fsync(a.fd), nil, "fsync")
	if len(a.begun) > 0 {
		a.topic.records = append(a.topic.records, modelRecord{value: a.begun})
		a.begun, a.item, a.rest = nil, item{}, nil
	}
	w.checkSize(a.topic, "log")
}

// closeAppend closes a file: what was begun is a record then, if it can be one.
func (w *world) closeAppend(a *appender) {
	w.drop(a)
	record, ok := a.ended()
	w.note("close %d, begun %.60q, fits %v", a.fd, a.begun, ok)
	var want error
	if !ok {
		want = unix.EINVAL
	}
	w.must(unix.Close(a.fd), want, "close")
	if ok && record != nil {
		a.topic.records = append(a.topic.records, *record)
	}
	w.checkSize(a.topic, "log")
}

// drop takes a file from those that are open.
func (w *world) drop(a *appender) {
	w.open = slices.DeleteFunc(w.open, func(other *appender) bool { return other == a })
}

// ended is the record that an unfinished line becomes, if any, and whether it is a line at all.
func (a *appender) ended() (record *modelRecord, ok bool) {
	switch {
	case len(a.begun) == 0:
		return nil, true
	case a.format == ".jsonl" && len(strings.Trim(string(a.begun), " \t\r")) == 0:
		return nil, true
	case a.format == ".jsonl":
		return a.item.record, string(a.rest) == "\n" && a.item.record != nil
	case a.format == ".tsv":
		key, value, tab := strings.Cut(string(a.begun), "\t")
		escapes := strings.ReplaceAll(value, `\\`, "")
		return &modelRecord{key: tsvText(key), value: tsvText(value)},
			tab && !strings.HasSuffix(escapes, `\`)
	}
	return &modelRecord{value: a.begun}, true
}

// tsvText is what an escaped text stands for.
func tsvText(text string) []byte {
	return []byte(strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r").Replace(text))
}

// newItem draws a line in a format.
func (w *world) newItem(format string) item {
	r := &modelRecord{value: w.newBytes()}
	if format != "" {
		r.key = w.newKey()
	}
	switch format {
	case ".tsv":
		return item{r.line(format), r}
	case ".jsonl":
		return w.newObject(r)
	}
	r.value = bytes.ReplaceAll(r.value, []byte("\n"), []byte("-"))
	return item{r.line(format), r}
}

// newObject draws a spelling of a record in JSONL; or a line of white space, which is no record; or
// a value that is no string, which is kept as it is but for white space.
func (w *world) newObject(r *modelRecord) item {
	var members []string
	if len(r.key) > 0 || w.rand.IntN(2) == 0 {
		members = append(members, jsonMember("key", r.key))
	}
	switch w.rand.IntN(10) {
	case 0:
		return item{[]byte(" \t \r\n"), nil}
	case 1:
		members = append(members, `"value": {"n" : 1.50, "a": [true, null , -0, 1e400], "n":"\u00e9" }`)
		r.value = []byte(`{"n":1.50,"a":[true,null,-0,1e400],"n":"\u00e9"}`)
	default:
		members = append(members, jsonMember("value", r.value))
	}
	if w.rand.IntN(3) == 0 {
		members = append(members, `"offset": 7`, `"time" : "ignored"`)
	}
	w.rand.Shuffle(len(members), func(i, j int) {
		members[i], members[j] = members[j], members[i]
	})
	separator := []string{",", " ,\t"}[w.rand.IntN(2)]
	return item{[]byte("{" + strings.Join(members, separator) + "}\n"), r}
}

// jsonMember is a member of an object, in base64 if it is no text.
func jsonMember(name string, text []byte) string {
	if !utf8.Valid(text) {
		return `"` + name + `_base64":"` + base64.StdEncoding.EncodeToString(text) + `"`
	}
	quoted, err := json.Marshal(string(text))
	if err != nil {
		panic(err) // no text does that
	}
	return `"` + name + `":` + string(quoted)
}

// newKey draws one of a few keys, or none: they meet again.
func (w *world) newKey() []byte {
	keys := []string{
		"", "a", "b", "c", "coffee", ".", "..", "a/b", "a\tb", "\x00\xff", "%2F", "100%", "caf\u00e9",
		strings.Repeat("k", 300), `"\`, "two\nlines",
	}
	return []byte(keys[w.rand.IntN(len(keys))])
}

// newBytes draws a value: mostly short, often text, sometimes empty, sometimes with any bytes.
func (w *world) newBytes() []byte {
	n := w.rand.IntN(20)
	switch w.rand.IntN(20) {
	case 0, 1, 2:
		n = 0
	case 3, 4, 5:
		n = w.rand.IntN(600)
	case 6:
		n = w.rand.IntN(rawBytesMax / 4)
	}
	value := make([]byte, n)
	alphabet := []string{"abc ", "a\n\t\r\\\"<\x00\x7f", ""}[w.rand.IntN(3)]
	for i := range value {
		if value[i] = byte(w.rand.IntN(256)); alphabet != "" {
			value[i] = alphabet[int(value[i])%len(alphabet)]
		}
	}
	return value
}
