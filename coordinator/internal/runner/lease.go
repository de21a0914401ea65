package runner

import (
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// MemberLease is the one lease that all shards of a member share. Each answered heartbeat
// extends it. An expired lease never becomes valid again: after a freeze, the first goroutine that
// finds the lease expired ends it for all shards. It is safe for concurrent use.
type MemberLease struct {
	mu       sync.Mutex // guards the fields; never held during a call that can block
	notAfter time.Time
	ended    bool
}

// NewMemberLease returns a lease that expires at notAfter.
func NewMemberLease(notAfter time.Time) *MemberLease { return &MemberLease{notAfter: notAfter} }

// Valid reports whether the lease is valid at now. After it has returned false once, it always
// returns false.
func (l *MemberLease) Valid(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.validLocked(now)
}

// Extend moves the expiry to notAfter. It returns false if the lease was not valid at now.
func (l *MemberLease) Extend(now, notAfter time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.validLocked(now) {
		return false
	}
	l.notAfter = notAfter
	return true
}

// End ends the lease before it expires.
func (l *MemberLease) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}

// NotAfter returns the time at which the lease expires, if no heartbeat extends it.
func (l *MemberLease) NotAfter() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.notAfter
}

func (l *MemberLease) validLocked(now time.Time) bool {
	if !l.ended && !(shardset.Lease{NotAfter: l.notAfter}).Valid(now) {
		l.ended = true
	}
	return !l.ended
}
