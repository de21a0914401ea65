package runner

import (
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// MemberLease is the one lease that all shards of a member share. Each answered heartbeat
// extends it. Once it has expired or ended it stays so: the first look of any goroutine after
// a freeze decides for all of them.
type MemberLease struct {
	mu       sync.Mutex // guards the fields; held for a comparison of times, no longer
	notAfter time.Time
	ended    bool
}

// NewMemberLease returns a lease that expires at notAfter.
func NewMemberLease(notAfter time.Time) *MemberLease { return &MemberLease{notAfter: notAfter} }

// Valid reports whether the lease is valid at now. The first false is final.
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

// NotAfter returns when the lease expires, as it stands now.
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
