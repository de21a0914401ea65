package postgres

import (
	"fmt"
	"strings"
	"syscall"
)

// tcpUserTimeout is TCP_USER_TIMEOUT. Package syscall does not have it on every
// architecture. The value is the same on all of them.
const tcpUserTimeout = 0x12

// limitUnacknowledged makes the system close a connection whose peer acknowledges nothing.
// Keep-alive does not do that: it pauses while sent data waits for an acknowledgement. By
// default, the system sends such data again for a quarter of an hour.
func limitUnacknowledged(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil // a socket of this machine
	}
	var err error
	if e := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(ackTimeout.Milliseconds()))
	}); e != nil {
		return e
	}
	if err != nil {
		return fmt.Errorf("set TCP_USER_TIMEOUT: %w", err)
	}
	return nil
}
