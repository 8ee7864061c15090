package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// heldBy says which processes hold locks on a store's segments, as the end of an error's text; it
// is empty if that cannot be seen. The kernel does not tell the owner of the locks that the log
// takes, but /proc shows the locks of each open file.
func heldBy(store string) string {
	real, err := filepath.EvalSymlinks(store)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return ""
	}
	var holders []string
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*") // its only error is of a bad pattern
	for _, descriptor := range descriptors {
		target, err := os.Readlink(descriptor)
		if err != nil || !strings.HasPrefix(target, real+"/stream") {
			continue
		}
		process := filepath.Dir(filepath.Dir(descriptor))
		info, err := os.ReadFile(filepath.Join(process, "fdinfo", filepath.Base(descriptor)))
		if err != nil || !strings.Contains(string(info), "lock:") {
			continue
		}
		name, _ := os.ReadFile(filepath.Join(process, "comm"))
		holder := filepath.Base(process) + " (" + printable(strings.TrimSpace(string(name))) + ")"
		if !slices.Contains(holders, holder) {
			holders = append(holders, holder)
		}
	}
	if len(holders) == 0 {
		return ""
	}
	return "; the lock is held by process " + strings.Join(holders, ", ")
}
