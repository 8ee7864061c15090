//go:build race

package faults_test

// raceStride says that with the race detector, which makes them ten times as dear, only one in so
// many states is checked: what runs at the same time does not differ between states.
const raceStride = 128

// errorModes, errorStride and fullStride say the same of modes of each script in which operations
// fail, of those operations, and of bytes that are the last ones a disk has room for.
const errorModes, errorStride, fullStride = 2, 5, 300

// killStride and againStride say it of kills, and of kills that are followed by kills of whoever
// comes next.
const killStride, againStride = 8, 96
