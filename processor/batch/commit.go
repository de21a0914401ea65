package batch

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
)

// commitBackoff spaces commits that fail.
var commitBackoff = processor.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}

// lastCommits is how often the last commit is tried when the shard has to go: what it
// would have covered is done again by the next owner, who should not wait for it long.
// What a handler finishes after that is tried once more. A shard that is gone may have no
// place for a commit either.
const lastCommits = 5

// commits is what was committed, and when the next one is due.
type commits struct {
	done     processor.Position // the last one, or where the shard was resumed
	running  bool               // one is under way
	recommit bool               // commit although nothing has moved: an end, or what the source asked for
	atOnce   bool               // the next one is due at once: a place that nobody would find again
	since    time.Time          // since when something waits for its commit
	retryAt  time.Time          // after a failure
	failed   int                // in a row; since the shard has to go, if it has
	tried    processor.Position // the last one that failed
	pauses   schedule
	err      error // of the last one
}

// commitResult is a commit that is over.
type commitResult struct {
	position processor.Position
	recommit bool // it began after commits.force was set
	err      error
}

// uncommitted reports whether there is something to commit.
func (l *loop[T]) hasUncommitted() bool {
	c, low := &l.commits, l.window.low
	return low != "" && (low != c.done || c.recommit && l.window.empty())
}

// commitAt returns when the next commit is due: the zero time if there is none, or a
// past one if it is due at once.
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
	idle := l.window.empty() && (l.reading.idle || l.ended)
	if idle || c.atOnce || l.closing() || l.o.CommitItems > 0 && l.window.items >= l.o.CommitItems {
		return c.since
	}
	return c.since.Add(l.o.CommitInterval)
}

// startCommit begins the commit that is due.
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
	done := &commitResult{position: l.window.low, recommit: c.recommit, err: processor.ErrGoexit}
	l.launch(event[T]{commit: done}, func() {
		done.err = contain.Call("Commit", func() error { return l.s.Commit(l.ctx, done.position) })
	})
}

// hurry has the commit that failed tried again at once: the last time that it did is
// no reason to let the next owner do again what is acknowledged.
func (c *commits) retryAtOnce() {
	c.failed = 0
	c.pauses.reset()
}

// onCommit deals with a commit that is over.
func (l *loop[T]) onCommit(now time.Time, d *commitResult) {
	c := &l.commits
	c.running, c.err = false, d.err
	if d.err != nil {
		c.failed++
		c.tried = d.position
		c.retryAt = now.Add(c.pauses.pause(commitBackoff))
		if marked(d.err) && l.stopped == nil {
			l.stop(d.err) // a checkpoint that is damaged, for instance
		}
		return // the coordinator's log has it
	}
	c.done, c.since, c.failed = d.position, time.Time{}, 0
	c.pauses.reset()
	if d.recommit && d.position == l.window.low && l.window.empty() {
		c.recommit = false
	}
}

// quiet returns how many items may be acknowledged without a look at them: while a
// commit waits for its time, or for their number, or is under way, one more changes
// nothing.
func (l *loop[T]) acksToIgnore() int {
	c := &l.commits
	switch {
	case l.closing() || !c.running && c.since.IsZero():
		return 0
	case l.o.CommitItems > 0:
		return l.o.CommitItems - l.window.items - 1
	}
	return math.MaxInt
}

// ackSignal is how a handler that acknowledges and goes on wakes the loop: not at every
// item, which would cost more than most handlers do, but when a commit is due.
type ackSignal struct {
	ignored atomic.Int64 // this many more may come first
	wake    chan struct{}
}

func (a *ackSignal) ignore(quiet int) { a.ignored.Store(int64(quiet)) }

// add notes that n items were acknowledged.
func (a *ackSignal) add(n int) {
	if a.ignored.Add(-int64(n)) >= 0 {
		return
	}
	select {
	case a.wake <- struct{}{}:
	default: // it will look anyway
	}
}
