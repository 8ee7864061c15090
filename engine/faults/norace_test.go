//go:build !race

package faults_test

const raceStride = 1
