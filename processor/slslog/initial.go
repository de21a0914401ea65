package slslog

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// findStart finds the cursor where a shard without a position begins. The service has no cursor for a
// time in the future. Then the reader keeps the time, and awaitStart waits for it.
//
// If the time was in the future when the Source was made, every shard begins at it, also one that was
// created later. The reason is that a shard that waits for the time may be split, and its children may
// be granted after that time.
func (r *reader) findStart(ctx context.Context, start batch.Start) error {
	s := r.source
	at, timed := start.Initial.Time()
	if _, most := s.client.ClockOffset(); timed && s.created.Add(most).Before(at) {
		r.start = at // whatever the age of the shard
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
		case !timed && !origin.groupSince.IsZero():
			from = fromTime(origin.groupSince) // the end of the shard at that time
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

// fromInitial converts an Initial to what Client.Cursor takes.
func fromInitial(i batch.Initial) (sls.From, error) {
	if at, ok := i.Time(); ok {
		return fromTime(at), nil
	}
	switch i {
	case batch.Earliest():
		return sls.Begin, nil
	case batch.Latest():
		return sls.End, nil
	}
	return "", processor.Fatal(fmt.Errorf("slslog: the initial position %v is not supported", i))
}

// fromTime returns the place of the first log group that was received in the second of t or later.
// Nothing was received before 1970, so an earlier time means the first log group.
func fromTime(t time.Time) sls.From {
	if t.Unix() < 0 {
		return sls.Begin
	}
	return sls.At(t)
}

// untilStart returns how long it takes until the service's clock has certainly reached the second of t.
// The result is zero or negative if the clock has reached it.
func (s *Source) untilStart(now, t time.Time) time.Duration {
	least, _ := s.client.ClockOffset()
	return t.Truncate(time.Second).Sub(now.Round(0).Add(least))
}

// resolveStart finds the cursor of r.start, or returns how long to wait before the next call. Before
// that time, the service would return the end of the shard instead.
func (r *reader) resolveStart(ctx context.Context) (wait time.Duration, err error) {
	now := time.Now()
	if wait := r.source.untilStart(now, r.start); wait > 0 {
		return wait, nil
	}
	cursor, err := r.source.client.Cursor(ctx, r.shard, fromTime(r.start))
	if err != nil {
		return 0, err
	}
	// Check again: the request has measured the offset anew, and a clock may have been set.
	if wait := r.source.untilStart(now, r.start); wait > 0 {
		return wait, nil
	}
	r.cursor = cursor
	return 0, nil
}

// awaitStart does the work of Read before the time r.start. It returns empty chunks with a pause. When
// the time has come, it returns an empty chunk with the position of the start.
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

// endsBeforeStart reports whether the reader ends before r.start.
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
