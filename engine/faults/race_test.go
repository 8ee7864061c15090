//go:build race

package faults_test

// raceStride says that with the race detector, which makes them ten times as dear, only one in so
// many states is checked: what runs at the same time does not differ between states.
const raceStride = 128
