//go:build race

package transport_test

// raceEnabled: the race detector multiplies memory.
const raceEnabled = true
