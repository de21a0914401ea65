package batch

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// lostFor is how long the shard has to be gone, or the position expired, before that is
// believed: what is decided then cannot be mended, and one odd answer says little.
const confirmLossFor = 2 * time.Second

// mayComeBack reports whether what is said to be lost, by the error of a read or of
// opening, has not been so for long.
func (l *loop[T]) mayComeBack(now time.Time, err error) bool {
	r := &l.reading
	gone := errors.Is(err, ErrGone)
	if r.lostSince.IsZero() || gone != (r.goneErr != nil) {
		r.lostSince = now
	}
	r.goneErr = nil
	if gone {
		r.goneErr = err
	}
	return now.Sub(r.lostSince) < confirmLossFor
}

// found notes that nothing is lost.
func (l *loop[T]) clearLoss() { l.reading.lostSince, l.reading.goneErr = time.Time{}, nil }

// vanished ends the work on a shard that is gone, after its gap was told. What is
// acknowledged is committed, if there still is a place for it.
func (l *loop[T]) endGone() {
	l.ended, l.end, l.gone = true, processor.ErrShardClosed, true
	l.commits.retryAtOnce()
}

// lookFor bounds the last look at a shard that the group takes away.
const probeTimeout = time.Second

// tellGone tells the gap of a shard that the group takes away because it is gone: there will
// be no later owner to tell it. If no read has said that the shard is gone, but it may be, the
// shard is read once more, beside the drain. What fails here is not tried again.
func (l *loop[T]) reportGone() {
	r := &l.reading
	if l.gone || l.ctx.Err() != nil || r.running && errors.Is(r.lostErr, ErrGone) {
		return
	}
	g := processor.Gap{Lost: r.next, Err: r.goneErr}
	if g.Err == nil && !l.mayBeGone(time.Now()) {
		return
	}
	l.launch(event[T]{gapReported: true}, func() {
		if g.Err == nil {
			g.Err = l.probe()
		}
		if errors.Is(g.Err, ErrGone) {
			_ = l.reportGap(l.ctx, g)
		}
	})
}

// mayBeGone reports whether the shard is revoked and may be gone: reading stands still, and
// the last read did not come to the end of the shard, or did long ago.
func (l *loop[T]) mayBeGone(now time.Time) bool {
	r := &l.reading
	stands := !r.running && r.reader != nil && !r.failing && !r.reopen && r.lostErr == nil
	behind := !r.lag.caughtUp || now.Sub(r.lag.at) > l.o.MaxPause+slowRead
	return stands && behind && !l.ended && errors.Is(l.s.Cause(), processor.ErrRevoked)
}

// look reads a little and returns the error of that.
func (l *loop[T]) probe() error {
	ctx, cancel := context.WithTimeout(l.ctx, probeTimeout)
	defer cancel()
	var c Chunk[T]
	defer func() { l.releaseChunk(&c) }()
	return l.contain(ctx, "Reader.Read", func() (err error) {
		c, err = l.reading.reader.Read(ctx, Limit{Bytes: 1, Items: 1})
		return err
	})
}
