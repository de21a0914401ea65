package replicated

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// rankStep is how much later than the rank before it a process acts that sees
	// something to do. Most of the time the first one has done it by then.
	rankStep = 50 * time.Millisecond
	// maxWatchers is how many ranks are shown all records at the most.
	maxWatchers = 8
	// coalesce is how long the first one waits for what else comes; and pace is the
	// least time between two steps of one process, who rests for twice as long as a step
	// takes. A thousand members that join at once make a few documents.
	coalesce = time.Millisecond
	pace     = 5 * time.Millisecond
)

// watchers is how many ranks are shown all records in a group of so many members, and so
// can act at once. More would cost messages, of every member to every watcher, which only
// a large group feels; fewer would have the shards of members that die together wait for a
// look of the others, which is likelier in a small one.
func watchers(members int) int {
	if members > 64 {
		return 3
	}
	return min(members, maxWatchers)
}

// turn is what a process knows of its part in changing the group. It belongs to whoever
// holds Client.mu.
type turn struct {
	rank   int    // of this process: the place of its first member, or behind all
	rankOf uint64 // the revision of the document in which it has that
	stale  bool   // its members are others by now

	watching bool      // it is to be shown all records
	until    time.Time // it is until then, whatever its rank
	seeing   bool      // and has been shown those that there are
	endWatch context.CancelFunc

	pendingAt time.Time // since when the records ask for a step of this document; zero: they do not
	stepAt    time.Time // when this process makes it
	askedAt   time.Time // since when a record of this process may ask for one; zero: none does
	steppedAt time.Time
	restAt    time.Time     // no step before, since one failed
	stepTook  time.Duration // the last one: who is slow takes in more at a time

	readAt time.Time // when the document is to be read again
	// currentAt is when the last read of the document began that found none newer than what
	// the replica knows now, or knew before.
	currentAt time.Time
	judgeAt   time.Time // no verdicts before
	dueAt     time.Time // and none is due before that
	tidyAt    time.Time

	shrinkAt time.Time

	lookAt time.Time         // when the members behind its own are to be looked at
	looked map[string]glance // what was found
}

// asked notes that a record of this process has said something new.
func (t *turn) asked(now time.Time) {
	if t.askedAt.IsZero() {
		t.askedAt = now
	}
}

// due returns when a step that was found necessary is to be made, in a group of so many
// members. changeAt is when the document changed last.
func (t *turn) due(members int, changeAt time.Time, patience time.Duration) time.Time {
	var at time.Time
	switch {
	case members == 0: // nobody has a rank: whoever comes first, when most have come
		at = t.pendingAt.Add(rankStep + rand.N(rankStep))
	case t.seeing && t.rank == 0:
		at = t.pendingAt.Add(coalesce)
	case t.seeing:
		at = t.pendingAt.Add(time.Duration(min(t.rank, maxWatchers))*rankStep + rand.N(rankStep/2))
	default:
		// Those whose part it is are at work as long as documents come.
		at = latest(t.pendingAt, changeAt).Add(patience + rand.N(patience/2))
	}
	return latest(at, t.steppedAt.Add(max(pace, 2*t.stepTook)))
}

// patience is how long a process waits for those whose part it is to take up what its
// own members say, before it does so itself.
func patience(ttl time.Duration) time.Duration { return min(maxWatchers*2*rankStep, ttl/8) }

// jitter returns a time around d, so that processes do not do the same at the same time.
func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// soonest returns the earlier of two times, of which zero means never.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
