//go:build !linux

package postgres

import "syscall"

// limitUnacknowledged does nothing: on this system the default timeout applies to data without an
// acknowledgement.
func limitUnacknowledged(string, string, syscall.RawConn) error { return nil }
