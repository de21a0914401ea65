//go:build !linux

package postgres

import "syscall"

// limitUnheard does nothing: what was sent and is not acknowledged is left to the
// system's own patience here.
func limitUnheard(string, string, syscall.RawConn) error { return nil }
