//go:build race

package codec_test

// raceEnabled: the race detector drops what is pooled.
const raceEnabled = true
