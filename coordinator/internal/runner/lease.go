package runner

import (
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Term is the one lease that all shards of a member share: each accepted heartbeat
// extends it, and once it has ended it stays ended. A process that was frozen past
// the end finds out at its first look, whichever goroutine wakes first.
type Term struct {
	mu       sync.Mutex // guards the fields; held for a comparison of times, no longer
	notAfter time.Time
	over     bool
}

// NewTerm returns a Term that lasts until notAfter.
func NewTerm(notAfter time.Time) *Term { return &Term{notAfter: notAfter} }

// Valid reports whether the term still lasts at now. The first false is final.
func (t *Term) Valid(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.validLocked(now)
}

// Extend moves the end to notAfter, and reports whether there was still something
// to extend at now.
func (t *Term) Extend(now, notAfter time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.validLocked(now) {
		return false
	}
	t.notAfter = notAfter
	return true
}

// End ends the term.
func (t *Term) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// NotAfter returns the present end of the term.
func (t *Term) NotAfter() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.notAfter
}

func (t *Term) validLocked(now time.Time) bool {
	if !t.over && !(shardset.Lease{NotAfter: t.notAfter}).Valid(now) {
		t.over = true
	}
	return !t.over
}
