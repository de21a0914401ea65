package batch

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

const (
	// confirmGapFor is how long reads must fail with ErrGone, or with ErrExpired, before the loop
	// acts: the action is final, and one answer may be wrong.
	confirmGapFor = 2 * time.Second

	// probeTimeout bounds the probe of a revoked shard.
	probeTimeout = time.Second
)

// noteGap notes that a read or an opening failed with ErrGone or ErrExpired. It returns for how long
// reads have failed with this error.
func (l *loop[T]) noteGap(now time.Time, err error) time.Duration {
	r := &l.reading
	gone := errors.Is(err, ErrGone)
	if r.gapSince.IsZero() || gone != (r.goneErr != nil) {
		r.gapSince = now
	}
	r.goneErr = nil
	if gone {
		r.goneErr = err
	}
	return now.Sub(r.gapSince)
}

func (l *loop[T]) clearGap() { l.reading.gapSince, l.reading.goneErr = time.Time{}, nil }

// endGone stops reading a shard that is gone, after its gap was reported. The loop still tries to
// commit what is acknowledged, but the service may refuse.
func (l *loop[T]) endGone() {
	l.noMoreReads, l.endErr, l.gone = true, processor.ErrShardClosed, true
	l.commits.retryAtOnce()
}

// reportLastGap reports the gap of a shard that the group revokes because the shard is gone. No later
// owner could report it. If the shard may be gone, but no read has failed with ErrGone yet, one probe
// finds out while the shard drains.
func (l *loop[T]) reportLastGap() {
	r := &l.reading
	if l.gone || l.ctx.Err() != nil || r.running && errors.Is(r.gapErr, ErrGone) {
		return
	}
	g := processor.Gap{Lost: r.next, Err: r.goneErr}
	if g.Err == nil && !l.mayBeGone(time.Now()) {
		return
	}
	l.launch(event[T]{lastGap: &g})
}

// runLastGap runs on a goroutine of its own.
func (l *loop[T]) runLastGap(g processor.Gap) {
	if g.Err == nil {
		g.Err = l.probe()
	}
	if errors.Is(g.Err, ErrGone) {
		_ = l.reportGap(l.ctx, g)
	}
}

// mayBeGone reports whether a revoked shard may be gone before it was read to its end, so that a probe
// is useful. That is so if no read is running, and the last one either did not reach the end of the
// shard or did so long ago.
func (l *loop[T]) mayBeGone(now time.Time) bool {
	r := &l.reading
	canRead := !r.running && r.reader != nil && !r.failing && !r.reopen && r.gapErr == nil
	behind := !r.lag.caughtUp || now.Sub(r.lag.at) > l.o.MaxPause+slowRead
	return canRead && behind && !l.noMoreReads && errors.Is(l.s.Cause(), processor.ErrRevoked)
}

// probe returns the error of a read. It discards the item that was read.
func (l *loop[T]) probe() error {
	ctx, cancel := context.WithTimeout(l.ctx, probeTimeout)
	defer cancel()
	var c Chunk[T]
	defer func() { l.releaseChunk(&c) }()
	return l.call(ctx, "Reader.Read", func() (err error) {
		c, err = l.reading.reader.Read(ctx, Limit{Bytes: 1, Items: 1})
		return err
	})
}
