package memory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Service is the embedded group service. It implements processor.Checkpoints, and
// heartbeat.Client with all its abilities. A Service is safe for concurrent use by any number
// of coordinators. Do not copy it.
type Service struct {
	name string
	cfg  group.Config // the group's Config in New

	mu        sync.Mutex // guards everything below; never held during I/O or user code
	group     *group.Group
	shards    []shardset.Shard // the group's shards, for Create
	deleted   bool
	positions map[shardset.ID]processor.Checkpoint
	watchers  map[string]map[chan struct{}]struct{}
	timer     *time.Timer // calls expire at timerAt; nil: no event is due
	timerAt   time.Time
}

var (
	_ heartbeat.Client      = (*Service)(nil)
	_ heartbeat.Leaver      = (*Service)(nil)
	_ heartbeat.Notifier    = (*Service)(nil)
	_ heartbeat.Creator     = (*Service)(nil)
	_ processor.Checkpoints = (*Service)(nil)
	_ processor.Lister      = (*Service)(nil)
)

// reset makes a new group: the successor of the deleted one, if there is one. The caller
// holds mu, unless it is New.
//
// A sink may remember epochs of an earlier process and refuse lower ones. So epochs count up
// from the time in milliseconds. That is above all earlier epochs, because a shard changes its
// owner less often than once a millisecond.
func (s *Service) reset(now time.Time, shards []shardset.Shard) (err error) {
	cfg := s.cfg
	cfg.FirstEpoch = uint64(now.UnixMilli())
	old := s.group
	if old == nil {
		if old, err = group.New(cfg); err != nil {
			return err
		}
	}
	cfg.TTL = old.TTL() // SetTTL may have changed it
	g, err := old.Successor(now, cfg, shards)
	if err != nil {
		return err
	}
	s.group, s.shards, s.deleted = g, shards, false
	s.positions = map[shardset.ID]processor.Checkpoint{}
	return nil
}

// Info describes the group. The service gives all guarantees; Ordered only if Config.Ordered is
// set. TTL is the TTL of the Config, even after SetTTL.
func (s *Service) Info() heartbeat.Info {
	return heartbeat.Info{
		Group: s.name,
		TTL:   s.cfg.TTL,
		Guarantees: heartbeat.Guarantees{
			FencedCommit: true, AckedRevoke: true, Ordered: s.cfg.Ordered, Epochs: true, Push: true, Leave: true,
			Completion: true,
		},
	}
}

// Beat answers one heartbeat. Its errors are those of group.Group.Beat. After Delete the error
// is heartbeat.ErrGroupNotFound.
func (s *Service) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	if err := ctx.Err(); err != nil {
		return shardset.Answer{}, err
	}
	var a shardset.Answer
	err := s.do(func(now time.Time) (err error) {
		a, err = s.group.Beat(now, r)
		return err
	})
	return a, err
}

// Leave ends a membership, and wakes the watchers of the members that receive its shards. Its
// errors are those of Beat.
func (s *Service) Leave(ctx context.Context, r shardset.Heartbeat) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.do(func(now time.Time) error { return s.group.Leave(now, r) })
}

// SetShards replaces the group's shards and their parents. The checkpoints of removed shards
// stay. If the list has faults, SetShards changes nothing and returns an error that names them.
func (s *Service) SetShards(shards []shardset.Shard) error {
	shards = slices.Clone(shards)
	return s.do(func(now time.Time) error {
		if err := s.group.SetShards(now, shards); err != nil {
			return err
		}
		s.shards = shards
		return nil
	})
}

// SetTTL changes the TTL. Until every member has shown that it has seen the change, a lease
// lasts for the shorter of the old and the new TTL, and a member expires after the longer
// one. SetTTL returns an error if the TTL is not positive, or above group.MaxTTL.
func (s *Service) SetTTL(ttl time.Duration) error {
	return s.do(func(now time.Time) error { return s.group.SetTTL(now, ttl) })
}

// Delete deletes the group and its checkpoints, and wakes all watchers. Until Create, heartbeats
// and commits fail with heartbeat.ErrGroupNotFound.
func (s *Service) Delete() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted = true
	clear(s.positions)
	s.wake(slices.Collect(maps.Keys(s.watchers)))
}

// Create makes the group again after Delete, with the same shards and without checkpoints. If the
// group exists, it does nothing. The new epochs are higher than all earlier ones, because sinks may
// remember those. A member of the deleted group may still work. Until that member leaves, joins as
// a new instance or expires, the group grants its shards to no other member.
func (s *Service) Create(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.deleted {
		return nil
	}
	now := time.Now()
	if err := s.reset(now, s.shards); err != nil {
		return err
	}
	s.arm(now)
	return nil
}

// Snapshot returns the members and the shards as they are now. After Delete it is empty.
func (s *Service) Snapshot() group.Snapshot {
	var snap group.Snapshot
	_ = s.do(func(now time.Time) error { // only a deleted group fails, and it is empty
		s.group.Expire(now)
		snap = s.group.Snapshot()
		return nil
	})
	return snap
}

// do runs one event of the group, wakes the watchers of the members whose answers the event
// changed, and sets the timer for the next expiry.
func (s *Service) do(event func(now time.Time) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deleted {
		return heartbeat.ErrGroupNotFound
	}
	now := time.Now()
	err := event(now)
	s.wake(s.group.TakeChanged())
	s.arm(now)
	return err
}

// arm sets the timer for the group's next event. If the timer is set for an earlier time, arm does
// not change it: the timer fires early, and is set again then. This is cheaper, because nearly
// every heartbeat moves the next event to a later time.
func (s *Service) arm(now time.Time) {
	at := s.group.NextEvent()
	if at.IsZero() || s.timer != nil && !at.Before(s.timerAt) {
		return
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timerAt = at
	s.timer = time.AfterFunc(at.Sub(now), s.expire)
}

func (s *Service) expire() {
	s.mu.Lock()
	s.timer = nil
	s.mu.Unlock()
	_ = s.do(func(now time.Time) error { // a deleted group has nothing to expire
		s.group.Expire(now)
		return nil
	})
}
