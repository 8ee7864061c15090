package main

import (
	"errors"
	"syscall"

	"purofs/engine"
)

// advice tells the person what to do about an error whose text says only what is wrong. The first
// match counts. docs/operations.md has the long version, and a test that none is missing there.
var advice = []struct {
	err error
	do  string
}{
	{errOutput, "look at where the output goes"},
	{engine.ErrNotStore, "check the path: a store begins as an empty directory, or as none"},
	{engine.ErrReadOnly, "leave out the option ro"},
	{engine.ErrInvalidTopic, "choose another name"},
	{engine.ErrNoTopic, "list the topics with: purofs topics STORE"},
	{engine.ErrTooLarge, "make the record smaller, or raise the limit with: -o max_record=SIZE"},
	{engine.ErrTooManyTopics, "tell records apart by their content instead of by topic"},
	{engine.ErrLocked, "find the process with: fuser -v STORE/*.puro, or raise lock_timeout"},
	{engine.ErrPoisoned, "look for disk errors with: dmesg, then start again"},
	{engine.ErrVanished, "bring the directory back, then start again"},
	{engine.ErrDamaged, "see how much with: purofs verify STORE"},
	{syscall.EIO, "look for disk errors with: dmesg, and copy what can be read, as with ddrescue"},
	{syscall.ENOSPC, "make room on the disk, then go on: what was stored before is sound"},
	{syscall.EDQUOT, "raise the quota or make room, then go on: what was stored before is sound"},
	{syscall.EFBIG, "raise the file size limit with: ulimit -f, or lower segment_size"},
}

// adviceFor returns the advice for an error, as the end of a line; it is empty if there is none.
func adviceFor(err error) string {
	for _, a := range advice {
		if errors.Is(err, a.err) {
			return "; " + a.do
		}
	}
	return ""
}
