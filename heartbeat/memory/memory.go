// Package memory is the embedded group service: a group and its checkpoints in this
// process, for one worker alone, for several in one process, and for tests. It
// promises everything that a Client can: commits fenced by epoch, hand-over only
// after release, order where it is asked for, push, leave, and the end of finite runs.
//
// It has no background goroutine and nothing to close. State ends with the process;
// for checkpoints that outlive it, give the coordinator a
// processor.FileCheckpoints.
package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// DefaultTTL is the lease time of a group whose Config does not say.
const DefaultTTL = 6 * time.Second

// Config is what a Service is made with.
type Config struct {
	// Group is the group's name, for logs. Empty means "memory".
	Group string
	// TTL is how long a member keeps its shards after its last heartbeat. Members
	// with an Interval of their own need three of it. Zero means DefaultTTL.
	TTL time.Duration
	// Shards are what the group shares out. SetShards can change them later.
	Shards []shardset.Shard
	// Ordered makes the children of a split shard wait for their ancestors.
	Ordered bool
}

// Service is the embedded group service. It implements heartbeat.Client with all
// its abilities and processor.Checkpoints. Safe for concurrent use by any number of
// coordinators; it must not be copied.
type Service struct {
	name string
	cfg  group.Config // as it was made

	mu        sync.Mutex // guards everything below; never held across a call out
	group     *group.Group
	shards    []shardset.Shard // the group's, to make it anew
	deleted   bool
	positions map[shardset.ID]processor.Stored
	watchers  map[string]map[chan struct{}]struct{}
	timer     *time.Timer // fires expire at the group's next event; nil: none is due
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

// New returns a service with one group. It reports every fault of the Config at once.
func New(cfg Config) (*Service, error) {
	var faults []error
	if cfg.Group == "" {
		cfg.Group = "memory"
	}
	if cfg.TTL < 0 {
		faults = append(faults, fmt.Errorf("the field TTL is %v; it must not be negative", cfg.TTL))
	}
	if cfg.TTL <= 0 {
		cfg.TTL = DefaultTTL
	}
	s := &Service{
		name:     cfg.Group,
		cfg:      group.Config{TTL: cfg.TTL, Ordered: cfg.Ordered},
		watchers: map[string]map[chan struct{}]struct{}{},
	}
	if err := s.reset(time.Now(), slices.Clone(cfg.Shards)); err != nil {
		faults = append(faults, fmt.Errorf("the field Shards: %w", err))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("memory: %w", errors.Join(faults...))
	}
	return s, nil
}

// reset starts with a new group, after the deleted one if there is one. The caller holds
// mu, or is the only one.
//
// A sink may remember the epochs that an earlier process has given, and refuse what comes
// with a lower one. A shard does not change hands once a millisecond for long, so the time
// is above them.
func (s *Service) reset(now time.Time, shards []shardset.Shard) (err error) {
	cfg := s.cfg
	cfg.FirstEpoch = uint64(now.UnixMilli())
	gone := s.group
	if gone == nil {
		if gone, err = group.New(cfg); err != nil {
			return err
		}
	}
	cfg.TTL = gone.TTL() // SetTTL may have changed it
	g, err := gone.Successor(now, cfg, shards)
	if err != nil {
		return err
	}
	s.group, s.shards, s.deleted = g, shards, false
	s.positions = map[shardset.ID]processor.Stored{}
	return nil
}

// Info describes the group. Its guarantees are all there are.
func (s *Service) Info() heartbeat.Info {
	return heartbeat.Info{
		Group: s.name,
		TTL:   s.cfg.TTL,
		Guarantees: heartbeat.Guarantees{
			FencedCommit: true, AckedRevoke: true, Ordered: s.cfg.Ordered, Epochs: true, Push: true, Leave: true,
			Finish: true,
		},
	}
}

// Beat answers one heartbeat. Its errors are those of group.Group.Beat, and
// heartbeat.ErrGroupNotFound after Delete.
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

// Leave ends a membership; whom its shards go to is told at once.
func (s *Service) Leave(ctx context.Context, r shardset.Heartbeat) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.do(func(now time.Time) error { return s.group.Leave(now, r) })
}

// SetShards replaces the group's shards, with their parents. Checkpoints of shards
// that are gone are kept. A bad list changes nothing.
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

// SetTTL changes the TTL, as replicated.Client does: until each member has shown that it has
// seen the change, leases are the shorter of the old and the new TTL, and a silent member is
// waited for the longer one. Info goes on to tell what the service was made with.
func (s *Service) SetTTL(ttl time.Duration) error {
	return s.do(func(now time.Time) error { return s.group.SetTTL(now, ttl) })
}

// Delete deletes the group with its checkpoints. Heartbeats and commits fail with
// heartbeat.ErrGroupNotFound until Create. The watchers of all members are woken.
func (s *Service) Delete() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted = true
	clear(s.positions)
	s.wake(slices.Collect(maps.Keys(s.watchers)))
}

// Create makes the group anew after Delete, with the same shards and no checkpoints.
// Its epochs are higher than any before, because sinks may remember those. Members of the
// deleted group may be at work still: each shard that one of them owned is held back until
// that member has left, comes back as a new instance, or its lease has ended. It does
// nothing if the group exists.
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

// Snapshot returns who holds what at the moment.
func (s *Service) Snapshot() group.Snapshot {
	var snap group.Snapshot
	_ = s.do(func(now time.Time) error { // only a deleted group fails, and it is empty
		s.group.Expire(now)
		snap = s.group.Snapshot()
		return nil
	})
	return snap
}

// do runs one event of the group, tells those whose answers it changed, and sets
// the timer for the next event that only time brings.
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

// arm sets the timer for the group's next event. An event that moved further away
// is left to fire early: every heartbeat moves one.
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
