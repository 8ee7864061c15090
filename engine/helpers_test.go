package engine_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/format"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 takes a new one each time")

// newRand returns a source whose seed is printed when the test fails; -seed runs it again.
func newRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run it again with: go test -run '^%s$' ./engine -args -seed=%d", t.Name(), seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// newStore is a directory for a store that is not there yet.
func newStore(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "store")
}

// open opens a log that is closed when the test ends.
func open(t testing.TB, dir string, opts engine.Options) *engine.Log {
	t.Helper()
	l, err := engine.Open(context.Background(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, engine.ErrClosed) {
			t.Errorf("closing the log: %v", err)
		}
	})
	return l
}

func closeLog(t testing.TB, l *engine.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// appendTo appends one block of records of a topic.
func appendTo(t testing.TB, l *engine.Log, topic string, values ...string) {
	t.Helper()
	var b engine.Batch
	for _, v := range values {
		b.Add(topic, nil, []byte(v))
	}
	if err := l.Append(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
}

// reader opens a reader that is closed when the test ends.
func reader(t testing.TB, l *engine.Log, topic string, from engine.Position) *engine.Reader {
	t.Helper()
	r, err := l.OpenReader(topic, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// drain reads what a reader has now: values, and damage that it told of.
func drain(t testing.TB, r *engine.Reader) (values []string, damage []error) {
	t.Helper()
	for {
		rec, err := r.TryNext()
		switch {
		case err == nil:
			values = append(values, string(rec.Value))
		case errors.Is(err, engine.ErrDamaged) && len(damage) < 1000:
			damage = append(damage, err)
		case errors.Is(err, engine.ErrNoRecord):
			return values, damage
		default:
			t.Fatalf("reading: %v", err)
		}
	}
}

// read returns all values of a topic from the start; damage is a failure.
func read(t testing.TB, l *engine.Log, topic string) []string {
	t.Helper()
	r, err := l.OpenReader(topic, engine.Start())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	values, damage := drain(t, r)
	if len(damage) > 0 {
		t.Fatalf("reading: %v", damage)
	}
	return values
}

func requireValues(t testing.TB, l *engine.Log, topic string, want ...string) {
	t.Helper()
	if got := read(t, l, topic); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("topic %s: got %.300q, want %.300q", topic, got, want)
	}
}

// wait waits for the reader's next record.
func wait(t testing.TB, r *engine.Reader) *engine.Record {
	t.Helper()
	for {
		rec, err := r.TryNext()
		if err == nil {
			return rec
		}
		if !errors.Is(err, engine.ErrNoRecord) {
			t.Fatal(err)
		}
		if err := r.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// verify checks a store and fails if it is not sound, or does not end as it should.
func verify(t testing.TB, dir, tail string) engine.VerifyReport {
	t.Helper()
	report, err := engine.Verify(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Sound() || report.Tail != tail {
		t.Errorf("got a %s tail, damage %v, want a sound store with a %s tail",
			report.Tail, report.Damage, tail)
	}
	return report
}

func segmentPath(dir string, order int) string {
	return filepath.Join(dir, fmt.Sprintf("stream%d.puro", order))
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// storeOf makes a store whose segment 0 holds those bytes.
func storeOf(t testing.TB, segments ...[]byte) string {
	t.Helper()
	dir := t.TempDir()
	for i, b := range segments {
		writeFile(t, segmentPath(dir, i), b)
	}
	return dir
}

// lost returns what is kept in a store's lost directory, all together.
func lost(t testing.TB, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "lost", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		all.Write(readFile(t, name))
	}
	return all.String()
}

// blocksOf returns where the blocks of a sound segment start, and where the last one ends.
func blocksOf(t testing.TB, b []byte) (starts []int) {
	t.Helper()
	at := 0
	if len(b) >= len(format.Magic) && string(b[:len(format.Magic)]) == string(format.Magic[:]) {
		at = len(format.Magic)
	}
	for at < len(b) {
		starts = append(starts, at)
		start, err := format.ParseStart(b[at:])
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		at += start.Length + format.EndBytes
	}
	return append(starts, at)
}

// fill appends records to topic t until the log has that many segments, and returns their values.
func fill(t testing.TB, l *engine.Log, segments int) (values []string) {
	t.Helper()
	for l.Status().Segments < segments {
		value := string(paddedValue(fmt.Sprintf("record.%d", len(values))))
		appendTo(t, l, "t", value)
		values = append(values, value)
	}
	return values
}
