package slslog

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
)

// origin is the age of a shard without a checkpoint, and of the group, as far as they are known.
type origin struct {
	younger    bool      // the shard is younger than the group: see snapshot.younger
	groupSince time.Time // the group existed then, by the service's clock; zero: the group counts as new
}

// origins takes and keeps the snapshot of a Source.
type origins struct {
	lock     chan struct{} // a mutex that a context can interrupt; guards the fields below
	snapshot *snapshot     // nil: not taken yet
	firstTry time.Time     // of taking the snapshot; zero: none yet
}

const (
	// newGroupAge is the age up to which a group counts as new. Its workers do not all start at the
	// same moment.
	newGroupAge = time.Second

	// maxListWait is how long the Source tries to get the list of shards for the snapshot. After that
	// it takes the snapshot without the list, so that reading begins even if the list always fails.
	maxListWait = 30 * time.Second
)

func newOrigins() origins { return origins{lock: make(chan struct{}, 1)} }

// originOf returns the origin of a shard. The first call takes the snapshot, and other calls wait for
// it. After an error, the next call tries again.
func (s *Source) originOf(ctx context.Context, shard int, stored func(context.Context) ([]processor.Checkpoint, error)) (origin, error) {
	o := &s.origins
	select {
	case o.lock <- struct{}{}:
		defer func() { <-o.lock }()
	case <-ctx.Done():
		return origin{}, context.Cause(ctx)
	}
	if o.firstTry.IsZero() {
		o.firstTry = time.Now()
	}
	snap := o.snapshot
	if snap == nil {
		var err error
		if snap, err = s.takeSnapshot(ctx, stored); err != nil {
			return origin{}, err
		}
		if snap.shards != nil || snap.listed { // otherwise the next call tries again
			o.snapshot = snap
		}
	}
	return origin{
		younger:    snap.younger(shard),
		groupSince: s.groupSince(time.Now(), o.firstTry, snap.oldestCheckpoint()),
	}, nil
}

// takeSnapshot requests the shards before the checkpoints. So a shard that is created between the two
// requests is not in the list, and counts as younger than the group.
func (s *Source) takeSnapshot(ctx context.Context, stored func(context.Context) ([]processor.Checkpoint, error)) (*snapshot, error) {
	limited, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	snap := &snapshot{}
	shards, err := s.client.ListShards(limited)
	switch {
	case err == nil:
		snap.setShards(shards)
	case ctx.Err() != nil || !refused(err) && time.Since(s.origins.firstTry) < maxListWait:
		return nil, err
	}
	if stored == nil {
		return snap, nil
	}
	snap.stored, err = stored(ctx)
	if snap.listed = err == nil; !snap.listed && !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	return snap, nil
}

// refused reports whether another request for the list of shards is useless: the worker lacks the
// right, which other libraries do not need, or the answer cannot be decoded.
func refused(err error) bool {
	var refusal *sls.Error
	var response *sls.ResponseError
	return errors.As(err, &refusal) && !refusal.Retryable() || errors.As(err, &response)
}

// groupSince returns a time at which the group existed, by the service's clock. It is when this process
// first tried to take the snapshot, or the time of the oldest checkpoint if that is earlier. Zero means
// that the group counts as new.
//
// The time of a checkpoint may be by our clock or by the service's. So a checkpoint counts only if it is
// old by both clocks, and then the earlier of the two times counts.
func (s *Source) groupSince(now, firstTry, oldest time.Time) (since time.Time) {
	least, most := s.client.ClockOffset()
	if now.Sub(firstTry) > newGroupAge {
		since = firstTry.Round(0).Add(least)
	}
	if oldest.IsZero() || now.Sub(oldest) <= newGroupAge || now.Round(0).Add(most).Sub(oldest) <= newGroupAge {
		return since
	}
	if at := oldest.Add(min(0, least)); since.IsZero() || at.Before(since) {
		since = at
	}
	return since
}
