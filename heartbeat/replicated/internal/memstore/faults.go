package memstore

import "time"

// Faults are the faults of a Link. The zero value has none, and calls take no time.
type Faults struct {
	// MinLatency and MaxLatency limit the time of a call, without the time of other faults.
	// The request takes one half of it, and the answer takes the other half. If the context
	// of a call ends before the answer, the store may have executed the call.
	MinLatency, MaxLatency time.Duration

	// Down: calls fail at once with ErrDown, and watches break.
	Down bool
	// DropRequests: requests never reach the store. Callers wait for their contexts.
	DropRequests bool
	// HoldRequests: requests reach the store only when this ends, even if their callers
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
	// Stale is the age of the answers of Get.
	Stale time.Duration
	// LostAnswers is the probability that the store executes a write, and its call fails at
	// once with ErrLost.
	LostAnswers float64
	// Conflicts is the probability that a write is refused with replicated.ErrConflict
	// although its revision is the current one.
	Conflicts float64
}
