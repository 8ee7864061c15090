package main

import (
	"strings"
	"testing"
)

// The sides of two runs drift together, so the ratio is the same in both.
const twoRuns = `goos: linux
BenchmarkAppend/records=1/producers=1/purofs-2     100  1000 ns/op  1000 rec/s  0 B/op  1 allocs/op
BenchmarkAppend/records=1/producers=1/raft-wal-2   100  500 ns/op   2000 rec/s
BenchmarkReadTopic/block=10/percent=1-2                     100  20 ns/op
BenchmarkReadTopic/block=10/percent=99-2                    100  1000 ns/op
BenchmarkMountWake/idle=0s/purofs-2                1    30 p50-us
BenchmarkMountWake/idle=0s/pipe-2                  1    10 p50-us
PASS
BenchmarkAppend/records=1/producers=1/purofs-2     100  1000 ns/op  3000 rec/s  0 B/op  1 allocs/op
BenchmarkAppend/records=1/producers=1/raft-wal-2   100  500 ns/op   6000 rec/s
BenchmarkReadTopic/block=10/percent=1-2                     100  40 ns/op
BenchmarkReadTopic/block=10/percent=99-2                    100  2000 ns/op
`

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(strings.NewReader(twoRuns), &out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"goal purofs against ratio must be",
		"E1 append, 1 producer, against raft-wal 2000 4000 0.5 >= 1 short by 50 %",
		"E1 append, allocations 1 <= 0 over by 1",
		"E4 read 1 % of a log, against the other 99 % 30 1500 0.02 <= 0.03 reached",
		"M5 waiting reader, back to back, p50, against a pipe 30 10 3 <= 1.5 over by 100 %",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRunRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"not a number": "BenchmarkRead/purofs-2 100 many rec/s\n",
		"a failure":    twoRuns + "--- FAIL: BenchmarkOpen/files=1/purofs\n",
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(strings.NewReader(in), new(strings.Builder)); err == nil {
				t.Error("no error")
			}
		})
	}
}
