//go:build !race

package faults_test

const raceStride = 1

const errorModes, errorStride, fullStride = 1, 1, 1

const killStride, againStride = 1, 32
