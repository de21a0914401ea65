//go:build !linux

package postgres

import "syscall"

// limitUnheard does nothing: on this system the default timeout applies to data without an
// acknowledgement.
func limitUnheard(string, string, syscall.RawConn) error { return nil }
