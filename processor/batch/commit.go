package batch

import (
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
)

// commitBackoff spaces commits that fail.
var commitBackoff = processor.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}

// lastCommits is how often the last commit of a revoked shard is tried. The next owner repeats the
// work that it would have covered, and must not wait for it long. A position that a handler
// reaches later gets another try. A shard that is gone may refuse every commit.
const lastCommits = 5

// commits is what was committed, and when the next commit is due.
type commits struct {
	done     processor.Position // the last commit that succeeded, or where the shard was resumed
	running  bool
	recommit bool      // commit even if the position has not moved
	atOnce   bool      // the next commit is due at once: the next owner would not find the position again
	since    time.Time // since when something waits for its commit

	failed  int                // commits in a row; counted anew when the loop is closing
	tried   processor.Position // the last one that failed
	retryAt time.Time
	pauses  schedule
	err     error // of the last commit
}

// commitResult is one commit and what came of it.
type commitResult struct {
	position processor.Position
	recommit bool // commits.recommit was set when it began
	err      error
}

// hasUncommitted reports whether there is something to commit.
func (l *loop[T]) hasUncommitted() bool {
	c, low := &l.commits, l.window.low
	return low != "" && (low != c.done || c.recommit && l.window.empty())
}

// commitAt returns when the next commit is due. Zero means that there is none. A time in the past
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

// onCommit acts on a commit that has ended.
func (l *loop[T]) onCommit(now time.Time, res *commitResult) {
	c := &l.commits
	c.running, c.err = false, res.err
	if res.err != nil {
		c.failed++
		c.tried = res.position
		c.retryAt = now.Add(c.pauses.pause(commitBackoff))
		if haltOrFatal(res.err) && l.stopped == nil {
			l.stop(res.err) // the checkpoint is damaged, for instance
		}
		return // the coordinator logs it
	}
	c.done, c.since, c.failed = res.position, time.Time{}, 0
	c.pauses.reset()
	if res.recommit && res.position == l.window.low && l.window.empty() {
		c.recommit = false
	}
}

// retryAtOnce makes a failed commit due now, with all its tries: when the loop closes, earlier
// failures are no reason to leave acknowledged items to the next owner.
func (c *commits) retryAtOnce() {
	c.failed = 0
	c.pauses.reset()
}
