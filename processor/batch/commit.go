package batch

import (
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
)

// commitBackoff spaces commits that fail.
var commitBackoff = processor.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}

// lastCommits is how many times the loop tries the last commit of a shard that is revoked or gone. If
// all tries fail, the next owner handles some items again. More tries would make it wait too long for
// the shard. A shard that is gone may refuse every commit.
const lastCommits = 5

// commits says what was committed, and when the next commit is due.
type commits struct {
	done     processor.Position // of the last commit that succeeded; before it, the checkpoint
	running  bool
	recommit bool      // commit even if the position has not moved
	atOnce   bool      // the next commit is due at once, because a restart could not find its position again
	since    time.Time // when the oldest uncommitted acknowledgement was seen; zero: there is none

	failed  int                // consecutive failures; set to zero when the loop begins to close
	tried   processor.Position // of the last failure
	retryAt time.Time
	pauses  schedule
	err     error // of the last commit
}

// commitResult is one commit and its result.
type commitResult struct {
	position processor.Position
	recommit bool // commits.recommit was set when the commit began
	err      error
}

// hasUncommitted reports whether there is a position to commit.
func (l *loop[T]) hasUncommitted() bool {
	c, low := &l.commits, l.window.low
	return low != "" && (low != c.done || c.recommit && l.window.empty())
}

// commitAt returns when the next commit is due. Zero means that no commit is due. A time in the past
// means at once.
func (l *loop[T]) commitAt() time.Time {
	c := &l.commits
	switch {
	case c.running || l.ctxEnded || !l.hasUncommitted():
		return time.Time{}
	case (l.closing() || l.gone) && c.failed >= lastCommits && c.tried == l.window.low:
		return time.Time{}
	case c.failed > 0:
		return c.retryAt
	}
	idle := l.window.empty() && (l.reading.idle || l.noMoreReads)
	if idle || c.atOnce || l.closing() || l.o.CommitItems > 0 && l.window.items >= l.o.CommitItems {
		return c.since
	}
	return c.since.Add(l.o.CommitInterval)
}

// startCommit starts the next commit if it is due.
func (l *loop[T]) startCommit(now time.Time) {
	c := &l.commits
	if c.since.IsZero() && l.hasUncommitted() {
		c.since = now
	}
	if at := l.commitAt(); at.IsZero() || now.Before(at) {
		return
	}
	c.running, c.atOnce = true, false
	l.window.items = 0
	l.launch(event[T]{commit: &commitResult{position: l.window.low, recommit: c.recommit, err: processor.ErrGoexit}})
}

// runCommit runs on a goroutine of its own.
func (l *loop[T]) runCommit(res *commitResult) error {
	return contain.Call("Commit", func() error { return l.s.Commit(l.ctx, res.position) })
}

// onCommit acts on the result of a commit.
func (l *loop[T]) onCommit(now time.Time, res *commitResult) {
	c := &l.commits
	c.running, c.err = false, res.err
	if res.err != nil {
		c.failed++
		c.tried = res.position
		c.retryAt = now.Add(c.pauses.pause(commitBackoff))
		if haltOrFatal(res.err) && l.stopped == nil {
			l.stop(res.err) // for instance, the checkpoint is damaged
		}
		return // the coordinator logs the error
	}
	c.done, c.since, c.failed = res.position, time.Time{}, 0
	c.pauses.reset()
	if res.recommit && res.position == l.window.low && l.window.empty() {
		c.recommit = false
	}
}

// retryAtOnce forgets earlier failures, so that a failed commit is tried again at once, and gets the
// full number of tries. Otherwise, when the loop closes, the next owner would handle acknowledged items
// again.
func (c *commits) retryAtOnce() {
	c.failed = 0
	c.pauses.reset()
}
