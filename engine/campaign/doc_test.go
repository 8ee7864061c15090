// Package campaign_test is the part of the fault campaign that is about processes: producers and
// consumers of one log, each a process of its own, that are killed, stopped, starved, and get in
// each other's way. The log is used through the library; package mount_test does the same through
// mounts. What must hold is said by package oracle, and docs/testing.md lists the tests by their
// numbers.
//
// The sizes are small unless PUROFS_TORTURE=1 is set.
package campaign_test
