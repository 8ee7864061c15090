package main

import (
	"net"
	"path/filepath"
	"testing"
)

func TestNotifyService(t *testing.T) {
	address := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}
	manager, err := net.ListenUnixgram("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	if err := notifyService(address.Name); err != nil {
		t.Fatal(err)
	}
	message := make([]byte, 64)
	n, err := manager.Read(message)
	if got := string(message[:n]); err != nil || got != "READY=1" {
		t.Errorf("the manager got %q, %v", got, err)
	}
}

func TestNotifyServiceWithoutManager(t *testing.T) {
	if err := notifyService(""); err != nil {
		t.Errorf("nobody asked, yet: %v", err)
	}
	if err := notifyService(filepath.Join(t.TempDir(), "gone")); err == nil {
		t.Error("a manager that is gone was notified")
	}
}
