package slslog

import "time"

const (
	firstRecommit = 10 * time.Second // the shortest first pause; the longest is three times as long
	nextRecommit  = 30 * time.Second // the shortest later pause; the longest is twice as long
)

// recommitTimer decides when a shard at its end commits its position again. That is necessary while it
// is unknown whether the shard is closed: the service checks only at a commit whether a closed shard was
// read to its end.
type recommitTimer struct {
	next time.Time
}

// due reports whether to commit now. chance is random, between 0 and 1, so that the shards of a worker
// do not all commit at the same time.
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
