package batch

import (
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// lagSample is what a read said about the end of the shard.
type lagSample struct {
	at       time.Time // zero: nothing was read yet
	lag      time.Duration
	caughtUp bool
}

// slowRead is how long a read may take until the sample of the last one counts as outdated.
const slowRead = 2 * time.Second

// showLag sets how far the work is behind the end of the shard. A chunk in the window counts from
// its read. The last sample counts from its read too, once reading does not go on.
func (l *loop[T]) showLag(p *processor.Progress, now time.Time) {
	last := l.reading.lag
	if !l.window.empty() {
		last = l.window.entries[0].lag
		last.caughtUp = false
	}
	current := last.caughtUp && (l.complete() || !l.closing() && !l.reading.failing && !l.slow(now))
	p.Lag, p.LagSince, p.CaughtUp = last.lag, last.at, current
	if current {
		p.LagSince = time.Time{}
	}
}

// complete reports whether nothing more will come to this shard.
func (l *loop[T]) complete() bool {
	return l.noMoreReads && (l.endErr == nil || l.endErr == processor.ErrShardClosed) //nolint:errorlint // it is set to this very value
}

// slow reports whether the running read takes long. A reader that waits for data is not slow: it
// returns when there is any.
func (l *loop[T]) slow(now time.Time) bool {
	r := &l.reading
	return !r.slowAt.IsZero() && !now.Before(r.slowAt)
}
