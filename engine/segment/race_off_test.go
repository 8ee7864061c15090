//go:build !race

package segment_test

// raceStride is one: see race_on_test.go.
const raceStride = 1
