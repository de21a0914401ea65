package slslog

import "time"

const (
	firstRecommit = 10 * time.Second // to three times that
	nextRecommit  = 30 * time.Second // to twice that
)

// recommitTimer decides when a shard at its end commits its position again, while it is unknown
// whether the shard is closed. Only at a commit does the service check whether a closed shard was read
// to its end.
type recommitTimer struct {
	next time.Time
}

// due reports whether to commit now. chance is between 0 and 1: the shards of a worker must not all
// commit at once.
func (t *recommitTimer) due(now time.Time, unknown bool, chance float64) bool {
	switch {
	case !unknown:
		t.next = time.Time{}
	case t.next.IsZero():
		t.next = now.Add(firstRecommit + time.Duration(chance*2*float64(firstRecommit)))
	case !now.Before(t.next):
		t.next = now.Add(nextRecommit + time.Duration(chance*float64(nextRecommit)))
		return true
	}
	return false
}
