// Ratios reads the output of one or more runs of the engine's and the mount's benchmarks and prints
// how they stand against the goals:
//
//	for i in 1 2 3 4 5; do go test -run '^$' -bench . -benchmem; done | go run ./cmd/ratios
//
// A ratio is taken within each run, where both sides saw the same machine; what is printed is the
// median over the runs. A goal whose benchmarks are not in the input is left out. Falling short is
// printed and is no error: exit status 1 means that a benchmark failed, or that the input could not
// be read.
package main
