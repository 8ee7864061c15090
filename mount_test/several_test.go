package mount_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"purofs/engine"
)

// Two mounts and a program with the library on one store, all appending, all following: everyone
// sees all records in the same order, none is lost, and none is there twice.
func TestSeveralOnOneStore(t *testing.T) {
	t.Parallel()
	// Small segments, so that the log is continued in a new one while all are at it.
	one := mountStore(t, "segment_size=64k")
	two := mountOn(t, one.store, "segment_size=64k,sync=always")
	log := openLog(t, one.store)
	one.mkdir("t")

	const producers, each = 6, 400
	followers := []*process{
		one.start(fmt.Sprintf("head -n %d t/stream", producers*each)),
		one.start(fmt.Sprintf("tail -s 0.05 -n +1 -f t/log | head -n %d", producers*each)),
		two.start(fmt.Sprintf("head -n %d t/from/0", producers*each)),
		start(t, exec.Command(program, "cat", "--follow", "-n", strconv.Itoa(producers*each),
			one.store, "t")),
	}
	writers := []*process{
		start(t, child("produce", one.path("t/append"), "a", strconv.Itoa(each))),
		start(t, child("produce", one.path("t/append"), "b", strconv.Itoa(each))),
		start(t, child("produce", two.path("t/append"), "c", strconv.Itoa(each))),
		two.start(fmt.Sprintf(
			"read -r go; for ((n = 0; n < %d; n++)); do echo d $n >> t/append; done", each)),
	}
	var library sync.WaitGroup
	for _, name := range []string{"e", "f"} {
		library.Go(func() { produceWithLibrary(t, log, name, each) })
	}
	for _, w := range writers {
		w.say("go")
	}
	order := readWithLibrary(t, log, producers*each)
	library.Wait()
	for _, w := range writers {
		w.rest()
		w.succeed()
	}
	wantSequences(t, order, producers, each)
	for _, f := range followers {
		if got := f.rest(); got != order {
			t.Errorf("%v saw %s, the library %s", f.cmd.Args, brief(got), brief(order))
		}
	}
	one.want("t/log", order)
	two.want("t/log", order)
	if report := one.verify(); report.Records != producers*each || report.Segments < 2 {
		t.Errorf("%d records in %d segments", report.Records, report.Segments)
	}
}

// produceWithLibrary appends numbered lines, one a block.
func produceWithLibrary(t *testing.T, log *engine.Log, name string, count int) {
	var batch engine.Batch
	for n := range count {
		batch.Reset()
		batch.Add("t", nil, fmt.Appendf(nil, "%s %d", name, n))
		if err := log.Append(context.Background(), &batch); err != nil {
			t.Error(err)
			return
		}
	}
}

// readWithLibrary follows topic t until it has a number of records, and returns them as lines.
func readWithLibrary(t *testing.T, log *engine.Log, count int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reader, err := log.OpenReader("t", engine.Start())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var text strings.Builder
	for count > 0 {
		record, err := reader.TryNext()
		switch {
		case err == nil:
			text.Write(record.Value)
			text.WriteByte('\n')
			count--
		case !errors.Is(err, engine.ErrNoRecord):
			t.Fatal(err)
		default:
			if err := reader.Wait(ctx); err != nil {
				t.Fatalf("%d records are missing: %v", count, err)
			}
		}
	}
	return text.String()
}

// wantSequences checks that each producer's lines are there, each once and in its order.
func wantSequences(t *testing.T, text string, producers, each int) {
	t.Helper()
	next := map[string]int{}
	for _, line := range splitLines(text) {
		name, number, _ := strings.Cut(line, " ")
		if number != strconv.Itoa(next[name]) {
			t.Fatalf("line %q, want number %d of its producer", line, next[name])
		}
		next[name]++
	}
	if len(next) != producers {
		t.Errorf("lines of %d producers, want %d", len(next), producers)
	}
	for name, count := range next {
		if count != each {
			t.Errorf("%d lines of %s, want %d", count, name, each)
		}
	}
}

// Topics that others make appear, and their rights are the same everywhere.
func TestTopicsOfOthers(t *testing.T) {
	t.Parallel()
	one := mountStore(t)
	two := mountOn(t, one.store)
	log := openLog(t, one.store)
	one.sh(`mkdir -m 750 a; echo x >> a/append`)
	if got := two.sh(`ls; stat -c %a a; cat a/log`); got != "a\n750\nx\n" {
		t.Errorf("the other mount shows %q", got)
	}
	two.sh(`chmod 700 a; chown 12:34 a`)
	until(t, "the first mount shows the new rights", func() bool {
		return one.sh(`stat -c '%a %u %g' a`) == "700 12 34\n"
	})
	if got := one.sh(`stat -c '%a %u %g' a/log a/append`); got != "400 12 34\n200 12 34\n" {
		t.Errorf("files of the topic have %q", got)
	}
	appendLines(t, log, "from the library", "y")
	for _, m := range []*mount{one, two} {
		if got := m.sh(`ls; cat 'from the library/log'`); got != "a\nfrom the library\ny\n" {
			t.Errorf("%s shows %q", m.dir, got)
		}
	}
}
