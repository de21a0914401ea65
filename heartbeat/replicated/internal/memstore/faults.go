package memstore

import "time"

// Faults are the faults of a Link. The zero value has none, and calls take no time.
type Faults struct {
	// MinLatency and MaxLatency limit the time of a call; other faults may add to it. The request
	// takes one half of the time, and the answer the other half. If the context of a call ends
	// before the answer arrives, the store may still have executed the call.
	MinLatency, MaxLatency time.Duration

	// Down: calls fail at once with ErrDown, and watches break.
	Down bool
	// DropRequests: requests never reach the store. Callers wait for their contexts.
	DropRequests bool
	// HoldRequests: requests wait until this ends, and reach the store then, even if their callers
	// have given up.
	HoldRequests bool
	// DropAnswers: the store executes the calls, but the callers wait for their contexts.
	DropAnswers bool
	// HoldWatches: watches stay open and report nothing until this ends.
	HoldWatches bool
	// Frozen: the process of the link is stopped. No call returns and no watch reports
	// anything until this ends, even if a context ends.
	Frozen bool

	// WatchLag is the delay with which watches report a change.
	WatchLag time.Duration
	// Stale is how outdated the answers of Get are.
	Stale time.Duration
	// LostAnswers is the probability that the store executes a write, but the call fails with
	// ErrLost.
	LostAnswers float64
	// Conflicts is the probability that the store refuses a write with replicated.ErrConflict,
	// although the write expects the current revision.
	Conflicts float64
}
