package memory

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Load returns the stored position of the shard that o owns, and false if there is none. If o does
// not own the shard under its present epoch, the error matches processor.ErrNotOwner. After Delete
// the error is heartbeat.ErrGroupNotFound.
func (s *Service) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	var p processor.Position
	err := s.do(func(now time.Time) error {
		p = s.positions[o.Lease.ID].Position
		return s.group.Fence(now, token(o))
	})
	if err != nil {
		return "", false, err
	}
	return p, p != "", nil
}

// Save stores the position if o owns the shard under its present epoch. Otherwise it stores
// nothing, and the error matches processor.ErrNotOwner. After Delete the error is
// heartbeat.ErrGroupNotFound.
func (s *Service) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.do(func(now time.Time) error {
		if err := s.group.Fence(now, token(o)); err != nil {
			return err
		}
		s.positions[o.Lease.ID] = processor.Checkpoint{ID: o.Lease.ID, Position: p, Updated: now}
		return nil
	})
}

// ListCheckpoints returns the stored checkpoints of a log's shards, in no particular order. It
// implements processor.Lister. After Delete the error is heartbeat.ErrGroupNotFound.
func (s *Service) ListCheckpoints(ctx context.Context, log string) (list []processor.Checkpoint, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.do(func(time.Time) error {
		for id, stored := range s.positions {
			if id.Log == log {
				list = append(list, stored)
			}
		}
		return nil
	})
	return list, err
}

// Position returns the stored position of a shard, and false if there is none. Unlike Load, it
// does not need an owner.
func (s *Service) Position(id shardset.ID) (processor.Position, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.positions[id].Position
	return p, p != ""
}

func token(o processor.Owner) group.Token {
	return group.Token{Member: o.Member, Instance: o.Instance, ID: o.Lease.ID, Epoch: o.Lease.Epoch}
}
