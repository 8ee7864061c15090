// Package faults puts faults where package disk has its hook: under every operation of a log on
// its files. It is for tests; those of this package are the part of the campaign in docs/testing.md
// that is about the disk.
//
// A Recorder is a Hook that notes all operations with their bytes. From what it noted come the
// States that a power cut at any moment could leave: what was synced is there, and of the rest each
// write may be there, or be missing, or be cut off or garbled at the bounds of a sector, whatever
// happened to the others; the same holds for names in directories. That is more than any file
// system does to a file that only grows.
//
// An Injector is a Hook that makes one operation fail, or all from one on, or fills the disk.
//
// # Files
//
//	recorder.go  Recorder: what happened
//	tree.go      what is in a directory
//	state.go     State: what is left of it on the disk, and what may be
//	image.go     Image: one of the possibilities
//	injector.go  Injector: operations that fail
package faults
