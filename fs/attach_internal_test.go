package fs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A fusermount3 that is none, as wrappers of it may be, is not waited for without end.
func TestHelperThatSendsNothing(t *testing.T) {
	dir := t.TempDir()
	script := []byte("#!/bin/sh\nexit 0\n")
	if err := os.WriteFile(filepath.Join(dir, "fusermount3"), script, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	_, err := attachByHelper(&Config{Store: dir, Mountpoint: dir})
	if err == nil || !strings.Contains(err.Error(), "sent 0 descriptors") {
		t.Errorf("got %v, want that nothing was sent", err)
	}
}
