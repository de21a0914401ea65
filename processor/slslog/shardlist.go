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

// Longest pauses after requests that failed, and both pauses after requests that were throttled.
const (
	maxLookupPause = time.Minute

	throttledLookupPause    = 10 * time.Second
	maxThrottledLookupPause = 5 * time.Minute
)

// shardList decides when to request the list of shards, and keeps the last one. It waits for nothing
// and reads no clock.
type shardList struct {
	every  time.Duration
	asking bool              // a request is running
	next   time.Time         // not to be requested before
	asked  time.Time         // when the last list was requested; zero: there is none
	shards map[int]sls.Shard // of the last list
	err    error             // why the last request failed; nil after one succeeds

	loggedKind string // kind of the failure that was logged; empty: none, or the list is available again
	pauses     [2]func() time.Duration
}

// changes is what to log about an answer.
type changes struct {
	failed    error         // the list is not available, for this reason
	retry     time.Duration // with failed: the pause
	recovered bool          // the list is available again
	odd       []sls.Shard   // shards with an unknown state
}

// startAsking reports whether to request the list now. If it returns true, the caller must call onAnswer
// or abandon later, and until then it returns false to others.
func (l *shardList) startAsking(now time.Time) bool {
	if l.asking || now.Before(l.next) {
		return false
	}
	l.asking = true
	return true
}

// abandon notes that the asking reader was closed before the answer came.
func (l *shardList) abandon() { l.asking = false }

// onAnswer notes the list, or why it did not come.
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

// pause returns the pause after a failure. Pauses grow, and are longer if the service throttles.
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

// isClosed reports whether a list that was requested at the given time or later says that the shard is
// closed.
func (l *shardList) isClosed(shard int, since time.Time) bool {
	return !l.asked.Before(since) && l.shards[shard].ReadOnly
}

// doubt returns whether the state of a shard is unknown, and the reason. Without a reason, the first
// list has not come yet.
func (l *shardList) doubt(shard int) (unknown bool, trouble error) {
	s, listed := l.shards[shard]
	switch {
	case l.err != nil:
		return true, l.err
	case s.OddStatus != "":
		return true, fmt.Errorf("slslog: the service reports the unknown state %[2]s of shard %[1]d; it counts as open", shard, s.OddStatus)
	}
	return !listed, nil
}

// lookupError says what the failure means for the worker, and what to do about a refusal.
func lookupError(err error) error {
	hint := ""
	if errors.Is(err, heartbeat.ErrUnauthorized) {
		hint = " (grant the right log:ListShards)"
	}
	return fmt.Errorf("slslog: without the list of shards, a split or merged shard is noticed late%s: %w", hint, err)
}

// failureKind returns the same text for failures of the same kind. Their own texts differ in request
// IDs and ports.
func failureKind(err error) string {
	var refused *sls.Error
	var response *sls.ResponseError
	switch {
	case errors.As(err, &refused):
		return strconv.Itoa(refused.HTTPStatus) + " " + refused.Code
	case errors.As(err, &response):
		return "bad answer"
	}
	return "no answer"
}
