//go:build race

package segment_test

// raceStride is of how many flipped bits one is tried under the race detector, which is that slow
// and has nothing to find here. It is odd, so that each bit of a byte has its turn.
const raceStride = 17
