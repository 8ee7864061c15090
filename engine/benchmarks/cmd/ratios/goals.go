package main

// A value names a figure of a benchmark: `BenchmarkRead/purofs-2 … 11296836 rec/s` is
// {"Read/purofs", "rec/s"}.
type value struct{ benchmark, unit string }

// A goal is a bound on a figure, or on its ratio to another one.
type goal struct {
	id, text string
	figure   value
	against  value // what figure is divided by; empty: nothing
	atMost   bool  // the bound is an upper one
	bound    float64
}

const (
	rate   = "rec/s"
	allocs = "allocs/op"
)

// goals are those of the engine, in the order in which they are printed.
var goals = []goal{
	{id: "E1", text: "append, 1 producer, against raft-wal", bound: 1,
		figure:  value{"Append/records=1/producers=1/purofs", rate},
		against: value{"Append/records=1/producers=1/raft-wal", rate}},
	{id: "E1", text: "append, 4 producers, against raft-wal", bound: 1,
		figure:  value{"Append/records=1/producers=4/purofs", rate},
		against: value{"Append/records=1/producers=4/raft-wal", rate}},
	{id: "E1", text: "append, 1 producer, against JetStream", bound: 8,
		figure:  value{"Append/records=1/producers=1/purofs", rate},
		against: value{"Append/records=1/producers=1/jetstream", rate}},
	{id: "E1", text: "append, 4 producers, against JetStream", bound: 8,
		figure:  value{"Append/records=1/producers=4/purofs", rate},
		against: value{"Append/records=1/producers=4/jetstream", rate}},
	{id: "E1", text: "append, allocations", atMost: true, bound: 0,
		figure: value{"Append/records=1/producers=1/purofs", allocs}},
	{id: "E2", text: "append, 1000 a call, against tidwall", bound: 2,
		figure:  value{"Append/records=1000/producers=1/purofs", rate},
		against: value{"Append/records=1000/producers=1/tidwall", rate}},
	{id: "E2", text: "append, 1000 a call, records/s", bound: 5e6,
		figure: value{"Append/records=1000/producers=1/purofs", rate}},
	{id: "E2", text: "append, 1000 a call, allocations", atMost: true, bound: 0,
		figure: value{"Append/records=1000/producers=1/purofs", allocs}},
	{id: "E3", text: "synced, 4 producers, syncs against bare fdatasync", bound: 0.9,
		figure:  value{"Synced/producers=4/purofs", "sync/s"},
		against: value{"Synced/producers=1/file", rate}},
	{id: "E3", text: "synced, 64 producers, syncs against bare fdatasync", bound: 0.9,
		figure:  value{"Synced/producers=64/purofs", "sync/s"},
		against: value{"Synced/producers=1/file", rate}},
	{id: "E3", text: "synced, 64 producers, against raft-wal", bound: 4,
		figure:  value{"Synced/producers=64/purofs", rate},
		against: value{"Synced/producers=64/raft-wal", rate}},
	{id: "E4", text: "read, against tidwall as it is by default", bound: 1.5,
		figure: value{"Read/purofs", rate}, against: value{"Read/tidwall", rate}},
	{id: "E4", text: "read, against tidwall without copies", bound: 1.5,
		figure: value{"Read/purofs", rate}, against: value{"Read/tidwall-nocopy", rate}},
	{id: "E4", text: "read, records/s", bound: 9e6, figure: value{"Read/purofs", rate}},
	{id: "E4", text: "read 1 % of a log, against the other 99 %", atMost: true, bound: 0.03,
		figure:  value{"ReadTopic/percent=1", "ns/op"},
		against: value{"ReadTopic/percent=99", "ns/op"}},
	{id: "E5", text: "8 processes, against one", bound: 0.6,
		figure:  value{"Processes/processes=8/purofs", rate},
		against: value{"Processes/processes=1/purofs", rate}},
	{id: "E5", text: "8 processes, the slowest against the mean", bound: 0.1,
		figure: value{"Processes/processes=8/purofs", "slowest/mean"}},
	{id: "E6", text: "open 1 segment, against raft-wal by default", atMost: true, bound: 0.5,
		figure:  value{"Open/files=1/purofs", "ms/open"},
		against: value{"Open/files=default/raft-wal", "ms/open"}},
	{id: "E6", text: "open 100 segments, against raft-wal", atMost: true, bound: 0.5,
		figure:  value{"Open/files=100/purofs", "ms/open"},
		against: value{"Open/files=100/raft-wal", "ms/open"}},
	{id: "E6", text: "open 1 segment, ms", atMost: true, bound: 80,
		figure: value{"Open/files=1/purofs", "ms/open"}},
	{id: "E6", text: "open 100 segments, ms", atMost: true, bound: 80,
		figure: value{"Open/files=100/purofs", "ms/open"}},
	{id: "E6", text: "open 100 segments, MiB of memory", atMost: true, bound: 32,
		figure: value{"Open/files=100/purofs", "MiB-peak"}},
	{id: "E7", text: "bytes of a record, alone", atMost: true, bound: 155,
		figure: value{"Bytes/records=1/purofs", "B/rec"}},
	{id: "E7", text: "bytes of a record, among 1000", atMost: true, bound: 110,
		figure: value{"Bytes/records=1000/purofs", "B/rec"}},
}
