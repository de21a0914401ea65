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

// The longest pause after requests that failed, and the first and the longest after requests that were
// throttled. The first pause after a failure is shardList.every.
const (
	maxListPause = time.Minute

	throttledListPause    = 10 * time.Second
	maxThrottledListPause = 5 * time.Minute
)

// shardList decides when to request the list of shards, and keeps the last list. It does no I/O, and
// the caller passes the time.
type shardList struct {
	every       time.Duration
	requesting  bool              // a request is running
	next        time.Time         // not to be requested before
	requestedAt time.Time         // when the last list was requested; zero: there is none
	shards      map[int]sls.Shard // of the last list
	err         error             // why the last request failed; nil after one succeeds

	loggedKind string // kind of the failure that was logged; empty: none, or the list is available again
	pauses     [2]func() time.Duration
}

// changes says what to log about an answer.
type changes struct {
	failed       error         // the list is not available, for this reason
	retry        time.Duration // with failed: the pause
	recovered    bool          // the list is available again
	unknownState []sls.Shard   // shards with an unknown state
}

// startRequest reports whether to request the list now. If it returns true, the caller must call
// onAnswer or abandon later. Until then it returns false.
func (l *shardList) startRequest(now time.Time) bool {
	if l.requesting || now.Before(l.next) {
		return false
	}
	l.requesting = true
	return true
}

// abandon notes that the requesting reader was closed before the answer came.
func (l *shardList) abandon() { l.requesting = false }

// onAnswer notes the list, or the error of the request.
func (l *shardList) onAnswer(requestedAt, now time.Time, list []sls.Shard, err error) (n changes) {
	l.requesting = false
	if err != nil {
		pause := l.pause(err)
		l.next, l.err = now.Add(pause), listError(err)
		if kind := failureKind(err); kind != l.loggedKind {
			l.loggedKind = kind
			n.failed, n.retry = l.err, pause
		}
		return n
	}
	n.recovered = l.loggedKind != ""
	l.next, l.err, l.loggedKind, l.pauses = requestedAt.Add(l.every), nil, "", [2]func() time.Duration{}
	old := l.shards
	l.requestedAt, l.shards = requestedAt, make(map[int]sls.Shard, len(list))
	for _, s := range list {
		l.shards[s.Number] = s
		if s.UnknownStatus != "" && old[s.Number].UnknownStatus != s.UnknownStatus {
			n.unknownState = append(n.unknownState, s)
		}
	}
	return n
}

// pause returns the pause after a failure. Pauses grow, and are longer if the service throttles.
func (l *shardList) pause(err error) time.Duration {
	which, b := 0, processor.Backoff{Min: l.every, Max: max(l.every, maxListPause)}
	if errors.Is(err, sls.ErrThrottled) {
		which, b = 1, processor.Backoff{Min: max(l.every, throttledListPause), Max: max(l.every, maxThrottledListPause)}
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
	return !l.requestedAt.Before(since) && l.shards[shard].ReadOnly
}

// stateUnknown reports whether the state of a shard is unknown, and returns the reason as trouble.
// trouble is nil if the only reason is that no list has named the shard yet.
func (l *shardList) stateUnknown(shard int) (unknown bool, trouble error) {
	s, listed := l.shards[shard]
	switch {
	case l.err != nil:
		return true, l.err
	case s.UnknownStatus != "":
		return true, fmt.Errorf("slslog: the service reports the unknown state %[2]s for shard %[1]d; the shard counts as open", shard, s.UnknownStatus)
	}
	return !listed, nil
}

// listError adds what the failure means for the worker, and which right to grant if one is missing.
func listError(err error) error {
	hint := ""
	if errors.Is(err, heartbeat.ErrUnauthorized) {
		hint = " (grant the right log:ListShards)"
	}
	return fmt.Errorf("slslog: the list of shards is not available, so the end of a split or merged shard is found late%s: %w", hint, err)
}

// failureKind returns a text that is the same for failures of the same kind. Error texts differ in
// request IDs and ports.
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
