package slslog

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
)

// Pauses after a list of shards that could not be had. The first of them are those of
// lists that can.
const (
	maxLookupPause = time.Minute

	throttledLookupPause    = 10 * time.Second
	maxThrottledLookupPause = 5 * time.Minute
)

// shardList decides when the list of shards is asked for, and keeps what came of it. It
// waits for nothing and reads no clock.
type shardList struct {
	every      time.Duration
	asking     bool
	next       time.Time         // not to be asked before
	asked      time.Time         // when the newest list was asked for; zero: there is none
	shards     map[int]sls.Shard // of that list
	err        error             // why there is no newer list; nil: there is no reason
	loggedKind string            // the kind of the failure that was logged; empty: none, or it is mended
	pauses     [2]func() time.Duration
}

// changes is what is to be logged of a list, or of its failure.
type changes struct {
	failed    error         // it cannot be had, for this reason
	retry     time.Duration // with failed: the pause
	recovered bool          // it can be had again
	odd       []sls.Shard   // these have a state that is not known
}

// startAsking reports whether to ask for the list now. Whoever asks says answered or gaveUp
// afterwards; until then nobody else asks.
func (l *shardList) startAsking(now time.Time) bool {
	if l.asking || now.Before(l.next) {
		return false
	}
	l.asking = true
	return true
}

// abandon notes that whoever asked had to go before the answer came.
func (l *shardList) abandon() { l.asking = false }

// onAnswer takes the list that was asked for, or why it did not come. It returns what has
// changed.
func (l *shardList) onAnswer(asked, now time.Time, list []sls.Shard, err error) (n changes) {
	l.asking = false
	if err != nil {
		pause := l.pause(err)
		l.next, l.err = now.Add(pause), lookupError(err)
		if kind := failureKind(err); kind != l.loggedKind {
			l.loggedKind = kind
			n.failed, n.retry = l.err, pause
		}
		return n
	}
	n.recovered = l.loggedKind != ""
	l.next, l.err, l.loggedKind, l.pauses = asked.Add(l.every), nil, "", [2]func() time.Duration{}
	old := l.shards
	l.asked, l.shards = asked, make(map[int]sls.Shard, len(list))
	for _, s := range list {
		l.shards[s.Number] = s
		if s.OddStatus != "" && old[s.Number].OddStatus != s.OddStatus {
			n.odd = append(n.odd, s)
		}
	}
	return n
}

// pause returns the pause after a failure: they grow, and are longer if the service asks
// for fewer requests.
func (l *shardList) pause(err error) time.Duration {
	which, b := 0, processor.Backoff{Min: l.every, Max: max(l.every, maxLookupPause)}
	if errors.Is(err, sls.ErrThrottled) {
		which, b = 1, processor.Backoff{Min: max(l.every, throttledLookupPause), Max: max(l.every, maxThrottledLookupPause)}
	}
	if l.pauses[which] == nil {
		l.pauses[which] = b.Schedule()
	}
	pause := l.pauses[which]()
	var refused *sls.Error
	if errors.As(err, &refused) {
		pause = max(pause, refused.RetryAfter())
	}
	return pause
}

// closed reports whether the shard takes no more data, by the word of a list that was
// asked for at the given time or later.
func (l *shardList) closed(shard int, since time.Time) bool {
	return !l.asked.Before(since) && l.shards[shard].ReadOnly
}

// doubt returns whether the shard's state is not known, and what is the trouble with it,
// if there is any: the first list may just not have come yet.
func (l *shardList) doubt(shard int) (unknown bool, trouble error) {
	s, listed := l.shards[shard]
	switch {
	case l.err != nil:
		return true, l.err
	case s.OddStatus != "":
		return true, fmt.Errorf("slslog: the service says that shard %d is %s, which is not known; it counts as open", shard, s.OddStatus)
	}
	return !listed, nil
}

// lookupError says what the failure of a list means, and what to do about a refusal.
func lookupError(err error) error {
	hint := ""
	if errors.Is(err, heartbeat.ErrUnauthorized) {
		hint = " (grant the right log:ListShards)"
	}
	return fmt.Errorf("slslog: a shard that was split or merged is noticed late%s: %w", hint, err)
}

// failureKind tells failures apart whose texts differ by a request id or a port at each try.
func failureKind(err error) string {
	var refused *sls.Error
	var senseless *sls.ResponseError
	switch {
	case errors.As(err, &refused):
		return strconv.Itoa(refused.HTTPStatus) + " " + refused.Code
	case errors.As(err, &senseless):
		return "senseless"
	}
	return "no answer"
}

// recommitTimer decides when a shard that stands at its end commits its position again, as
// long as nobody can say whether it is closed. The service looks whether a closed shard
// was read to its end when a position is committed, and not before.
type recommitTimer struct {
	next time.Time
}

const (
	firstRecommit = 10 * time.Second // to three times that
	nextRecommit  = 30 * time.Second // to twice that
)

// due reports whether to commit now. chance is between 0 and 1: the shards of a worker
// must not all commit at once.
func (r *recommitTimer) due(now time.Time, unknown bool, chance float64) bool {
	switch {
	case !unknown:
		r.next = time.Time{}
	case r.next.IsZero():
		r.next = now.Add(firstRecommit + time.Duration(chance*2*float64(firstRecommit)))
	case !now.Before(r.next):
		r.next = now.Add(nextRecommit + time.Duration(chance*float64(nextRecommit)))
		return true
	}
	return false
}
