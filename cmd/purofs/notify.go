package main

import (
	"fmt"
	"net"
)

// notifyService tells the service manager that started this process that it is ready, as
// sd_notify(3) does: one datagram to the socket whose address it gave. An empty address means that
// nobody asked.
func notifyService(address string) error {
	if address == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("READY=1")); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}
