package slslog

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
)

// origin is what is known of the age of a shard without a checkpoint.
type origin struct {
	younger    bool      // see snapshot.younger
	groupSince time.Time // the group is at least as old, by the service's clock; zero: it counts as new
}

// origins takes the snapshot of a Source.
type origins struct {
	lock     chan struct{} // a mutex that a context can interrupt: guards the fields below while the snapshot is taken
	snapshot *snapshot     // nil: not taken yet
	firstTry time.Time     // zero: there was none
}

const (
	// newGroupAge is the age up to which a group counts as new: its workers start one after the other.
	newGroupAge = time.Second

	// maxListWait is how long a snapshot waits for the list of shards. After that it does without, as
	// if the list were refused: a list that always fails must keep no shard from beginning.
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
		if snap.shards != nil || snap.listed { // otherwise the next one may have more
			o.snapshot = snap
		}
	}
	return origin{
		younger:    snap.younger(shard),
		groupSince: s.groupSince(time.Now(), o.firstTry, snap.oldestCheckpoint()),
	}, nil
}

// takeSnapshot requests the shards before the checkpoints: a shard that is created between the two is
// then not in the list.
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

// refused reports whether the service will never list its shards: the worker lacks the right, which
// other libraries do not need, or the answer cannot be understood.
func refused(err error) bool {
	var refusal *sls.Error
	var response *sls.ResponseError
	return errors.As(err, &refusal) && !refusal.Retryable() || errors.As(err, &response)
}

// groupSince returns the time since when the group exists at least, from the first try of this process
// and the oldest checkpoint. The checkpoint's time may be by our clock or by the service's, so
// the less favourable counts.
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
