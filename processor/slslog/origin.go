package slslog

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
)

// snapshot is what there was when this process first had to say where a shard without a
// checkpoint begins. The group's birth is written down nowhere, so whether a shard is
// younger than the group is told from this alone. It is pure, and never changed.
type snapshot struct {
	shards []sls.Shard        // by number; nil: the service refuses to list them
	stored []processor.Stored // what the store has of them
	listed bool               // the store could list
}

// younger reports whether a shard without a checkpoint came to be after the group, or may
// have: then it begins at its beginning, because what is in it came after the group's
// start. Where nothing suggests that, it was there at the group's birth: at that moment
// several workers start, and a shard that another of them has not committed yet must not
// have its history read.
func (l *snapshot) younger(shard int) bool {
	if l.shards == nil {
		return l.youngerByNumber(shard)
	}
	i, found := slices.BinarySearchFunc(l.shards, shard, func(s sls.Shard, n int) int { return cmp.Compare(s.Number, n) })
	switch {
	case !found:
		return true // it came to be after the look
	case l.groupIsNew():
		return false
	}
	ancestors := l.ancestors(i)
	if !l.listed {
		return len(ancestors) > 0 // they may have been read
	}
	for _, s := range l.stored {
		if s.Position != "" && ancestors[s.ID.Number] {
			return true
		}
	}
	oldest := l.oldestCheckpoint()
	return !oldest.IsZero() && l.shards[i].Created.After(oldest)
}

// oldestCheckpoint returns when the oldest checkpoint was stored: the group is at least as old as
// that. It is zero if nobody knows.
func (l *snapshot) oldestCheckpoint() (at time.Time) {
	for _, s := range l.stored {
		if s.Position != "" && !s.Updated.IsZero() && (at.IsZero() || s.Updated.Before(at)) {
			at = s.Updated
		}
	}
	return at
}

// groupIsNew reports whether the group was being born at the look: nothing was ever committed.
func (l *snapshot) groupIsNew() bool {
	return l.listed && !slices.ContainsFunc(l.stored, func(s processor.Stored) bool { return s.Position != "" })
}

// youngerByNumber is younger without a list of the shards. Their numbers only rise: one
// above all that have a checkpoint is younger than those. At the group's birth none has,
// but the service names every shard that it knows of.
func (l *snapshot) youngerByNumber(shard int) bool {
	highest, birth := -1, l.groupIsNew()
	for _, s := range l.stored {
		if birth || s.Position != "" {
			highest = max(highest, s.ID.Number)
		}
	}
	return highest >= 0 && shard > highest
}

// ancestors returns the numbers of those from which a shard was split or merged. The
// service does not say that: they are the read-only ones with lower numbers that
// share keys with it, or with one of its ancestors.
func (l *snapshot) ancestors(i int) map[int]bool {
	found := map[int]bool{}
	begin, end := l.shards[i].BeginKey, l.shards[i].EndKey // of all that was found: one range
	for i--; i >= 0; i-- {
		if s := l.shards[i]; s.ReadOnly && s.BeginKey < end && begin < s.EndKey {
			found[s.Number] = true
			begin, end = min(begin, s.BeginKey), max(end, s.EndKey)
		}
	}
	return found
}

// origins takes the look of a process.
type origins struct {
	lock     chan struct{} // a lock with room for one: guards the fields below; held while the look is taken
	snapshot *snapshot     // nil: not taken yet
	firstTry time.Time     // when it was first tried to take it; zero: it was not
}

func newOrigins() origins { return origins{lock: make(chan struct{}, 1)} }

// origin is what can be said of a shard without a checkpoint.
type origin struct {
	younger bool      // see look.younger
	since   time.Time // the group is at least as old as that, by the service's clock; zero: it is as good as new
}

// newFor is the age up to which a group counts as new: its workers start one after the
// other.
const newFor = time.Second

// originOf returns the origin of a shard, from the look of this process. The first call takes
// the look, and the others wait for it. After an error the next call tries again.
func (s *Source) originOf(ctx context.Context, shard int, stored func(context.Context) ([]processor.Stored, error)) (origin, error) {
	b := &s.origins
	select {
	case b.lock <- struct{}{}:
		defer func() { <-b.lock }()
	case <-ctx.Done():
		return origin{}, context.Cause(ctx)
	}
	if b.firstTry.IsZero() {
		b.firstTry = time.Now()
	}
	l := b.snapshot
	if l == nil {
		var err error
		if l, err = s.takeSnapshot(ctx, stored); err != nil {
			return origin{}, err
		}
		if l.shards != nil || l.listed { // else the next one may learn more
			b.snapshot = l
		}
	}
	return origin{younger: l.younger(shard), since: s.groupSince(time.Now(), b.firstTry, l.oldestCheckpoint())}, nil
}

// groupSince returns how old the group is at least, from what this process has seen and the
// store has. The times in the store may be those of our clock or the service's: the
// less favourable counts.
func (s *Source) groupSince(now, seen, stored time.Time) (since time.Time) {
	least, most := s.client.ClockOffset()
	if now.Sub(seen) > newFor {
		since = seen.Round(0).Add(least)
	}
	if stored.IsZero() || now.Sub(stored) <= newFor || now.Round(0).Add(most).Sub(stored) <= newFor {
		return since
	}
	if at := stored.Add(min(0, least)); since.IsZero() || at.Before(since) {
		since = at
	}
	return since
}

// maxListWait is how long the list of shards is waited for. Without it, reading goes on as if
// it were refused: a list that fails for ever must keep no shard from beginning.
const maxListWait = 30 * time.Second

// takeSnapshot asks for the shards first: one that comes between the two questions is then
// not among them.
func (s *Source) takeSnapshot(ctx context.Context, stored func(context.Context) ([]processor.Stored, error)) (*snapshot, error) {
	l := &snapshot{}
	limited, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	shards, err := s.client.ListShards(limited)
	switch {
	case err == nil:
		l.shards = slices.SortedFunc(slices.Values(shards), func(a, b sls.Shard) int { return cmp.Compare(a.Number, b.Number) })
	case ctx.Err() != nil || !refused(err) && time.Since(s.origins.firstTry) < maxListWait:
		return nil, err
	}
	if stored == nil {
		return l, nil
	}
	l.stored, err = stored(ctx)
	if l.listed = err == nil; !l.listed && !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	return l, nil
}

// refused reports whether the service will not list its shards however often it is asked:
// the worker lacks the right, which other libraries do not need, or the answer makes no
// sense.
func refused(err error) bool {
	var no *sls.Error
	var senseless *sls.ResponseError
	return errors.As(err, &no) && !no.Retryable() || errors.As(err, &senseless)
}
