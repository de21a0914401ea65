package batch

import (
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// lagSample is the lag after one read: how far the next position is behind the end of the shard.
type lagSample struct {
	at       time.Time // when; zero: nothing was read yet
	lag      time.Duration
	caughtUp bool
}

// slowRead is how long a read may take before the shard no longer counts as caught up.
const slowRead = 2 * time.Second

// showLag sets the lag of the shard. While some chunks are not acknowledged, it is the lag of the
// oldest one plus the time since that chunk was read. If all chunks are acknowledged, it is the lag of
// the last read. Then it grows unless the shard is caught up and reading goes on.
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

// slow reports whether the running read takes long. A reader that waits for data is not slow.
func (l *loop[T]) slow(now time.Time) bool {
	r := &l.reading
	return !r.slowAt.IsZero() && !now.Before(r.slowAt)
}
