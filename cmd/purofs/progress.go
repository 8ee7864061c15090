package main

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress returns a function that shows how far a walk over a store is, to a person at a terminal,
// and one that wipes it away.
func (e *environment) progress(what string) (show func(done, total int64), end func()) {
	if !isTerminal(e.err) {
		return func(int64, int64) {}, func() {}
	}
	bar := progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(e.err),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
	show = func(done, total int64) {
		if bar.GetMax64() != total {
			bar.ChangeMax64(total)
		}
		_ = bar.Set64(done)
	}
	return show, func() { _ = bar.Clear() }
}
