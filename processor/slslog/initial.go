package slslog

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// findStart finds the cursor where a shard without a position begins. A time in the future has
// none yet, so the reader is left without one: see await. A time that was in the future when
// the Source was made counts as one for good: the children of shards that waited for it may
// be granted after it.
func (r *reader) findStart(ctx context.Context, start batch.Start) error {
	s := r.source
	at, timed := start.Initial.Time()
	if _, most := s.client.ClockOffset(); timed && s.created.Add(most).Before(at) {
		r.start = at // nothing before it is wanted of any shard, however young
		return nil
	}
	from, err := fromInitial(start.Initial)
	if err != nil {
		return err
	}
	if from != sls.Begin && !start.Gap {
		origin, err := s.originOf(ctx, r.shard, start.Checkpoints)
		switch {
		case err != nil:
			return err
		case origin.younger:
			from, timed = sls.Begin, false
		case !timed && !origin.since.IsZero():
			from = fromTime(origin.since) // the end as it was when the group was born
		}
	}
	if timed {
		r.start = at
		_, err = r.resolveStart(ctx)
		return err
	}
	r.cursor, err = s.client.Cursor(ctx, r.shard, from)
	return err
}

// untilStart returns how long it takes until it is at or after the second that t is in,
// certainly and by the service's clock; not positive if it is.
func (s *Source) untilStart(now, t time.Time) time.Duration {
	least, _ := s.client.ClockOffset()
	return t.Truncate(time.Second).Sub(now.Round(0).Add(least))
}

// resolveStart finds the cursor of the start, or returns how long it is until there is one.
// Before that time the service takes the end of the shard for it.
func (r *reader) resolveStart(ctx context.Context) (wait time.Duration, err error) {
	now := time.Now()
	if wait := r.source.untilStart(now, r.start); wait > 0 {
		return wait, nil
	}
	cursor, err := r.source.client.Cursor(ctx, r.shard, fromTime(r.start))
	if err != nil {
		return 0, err
	}
	// The answer has measured the clocks again: one may have been set.
	if wait := r.source.untilStart(now, r.start); wait > 0 {
		return wait, nil
	}
	r.cursor = cursor
	return 0, nil
}

// awaitStart is Read as long as the start is in the future: once it has come, the reader knows
// its position.
func (r *reader) awaitStart(ctx context.Context) (c batch.Chunk[Group], err error) {
	before, err := r.endsBeforeStart(ctx)
	if err != nil {
		return c, batchError(err)
	}
	if before {
		c.End = batch.EndBound
		return c, nil
	}
	if c.Pause, err = r.resolveStart(ctx); err != nil {
		return c, batchError(err)
	}
	c.Next, c.More = r.Position(), c.Pause <= 0
	return c, nil
}

// endsBeforeStart reports whether the bound of the run comes before its start.
func (r *reader) endsBeforeStart(ctx context.Context) (bool, error) {
	if !r.until.IsZero() && !r.until.After(r.start) {
		return true, nil
	}
	if r.end == "" {
		return false, nil
	}
	end, err := r.source.client.Cursor(ctx, r.shard, sls.End)
	return err == nil && !before(end, r.end), err
}
