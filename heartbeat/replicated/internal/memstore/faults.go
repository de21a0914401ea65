package memstore

import "time"

// Faults are what is wrong with a Link. The zero value: nothing is, and calls take no
// time.
type Faults struct {
	// MinLatency and MaxLatency bound the time of a call that nothing else delays: one
	// half is the way of the request, the other that of the answer. A call whose
	// context ends on the way may have been made.
	MinLatency, MaxLatency time.Duration

	// Down: calls fail at once with ErrDown, and watches break.
	Down bool
	// DropRequests: requests never reach the store. Callers wait for their contexts.
	DropRequests bool
	// HoldRequests: requests reach the store only when this ends, also those whose
	// callers have given up.
	HoldRequests bool
	// DropAnswers: the store does what it is asked, and callers wait for their contexts.
	DropAnswers bool
	// HoldWatches: watches stay up and tell nothing until this ends.
	HoldWatches bool
	// Frozen: the process at this end of the link stands still. No call returns and no
	// watch tells anything until this ends, not even when a context does.
	Frozen bool

	// WatchLag is how much later than it was made a watch tells a change.
	WatchLag time.Duration
	// Stale is how old the answers of Get are.
	Stale time.Duration
	// LostAnswers is the chance that a write is made and the call fails at once with
	// ErrLost; 1 means each.
	LostAnswers float64
	// Conflicts is the chance that a write is refused with replicated.ErrConflict,
	// although the key is at the revision that it was said to be at.
	Conflicts float64
}
