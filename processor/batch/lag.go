package batch

import (
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// seen is what a read said about the end of the shard.
type lagSample struct {
	at       time.Time // zero: nothing was read yet
	lag      time.Duration
	caughtUp bool
}

// slowRead is how long a read may take before what the last one said is too old.
const slowRead = 2 * time.Second

// showLag fills in how far the work is behind the end of the shard. What was read and is
// not done with counts from when it was read, and so does what was said about the end
// once reading does not go on.
func (l *loop[T]) showLag(p *processor.Progress, now time.Time) {
	last := l.reading.lag
	if !l.window.empty() {
		last = l.window.entries[0].lag
		last.caughtUp = false
	}
	current := last.caughtUp && (l.nothingLeft() || !l.closing() && !l.reading.failing && !l.slow(now))
	p.Lag, p.LagSince, p.CaughtUp = last.lag, last.at, current
	if current {
		p.LagSince = time.Time{}
	}
}

// complete reports whether there is nothing left that the work could be behind of.
func (l *loop[T]) nothingLeft() bool {
	return l.ended && (l.end == nil || l.end == processor.ErrShardClosed) //nolint:errorlint // it is set to this very value
}

// slow reports whether the read under way takes long. A reader that waits for data is
// believed: it would come back if there were any.
func (l *loop[T]) slow(now time.Time) bool {
	r := &l.reading
	return !r.slowAt.IsZero() && !now.Before(r.slowAt)
}
