package natskv

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// Copy copies a group from one server or cluster to another, or to another name: its
// checkpoints first and its document last, so that a copy that was interrupted is no
// group yet, and can be made again. Members are not copied; no worker of the group may
// run anywhere meanwhile. It refuses to write over a group that is there.
//
// Of the Configs Shards, Ordered and TTL have no bearing: the group keeps its own.
func Copy(ctx context.Context, from, to Config) error {
	source, faults := newStore(from)
	if faults != nil {
		return fmt.Errorf("natskv: copy from: %w", faults)
	}
	target, faults := newStore(to)
	if faults != nil {
		return fmt.Errorf("natskv: copy to: %w", faults)
	}
	document := replicated.Key{Kind: replicated.KindDocument}
	there, err := target.Get(ctx, document)
	if err != nil {
		return err
	}
	if there.Data != nil {
		return fmt.Errorf("natskv: copy to group %q: it is there already", to.Group)
	}
	group, err := source.Get(ctx, document)
	if err != nil {
		return err
	}
	if group.Data == nil {
		return fmt.Errorf("natskv: copy from group %q: there is none", from.Group)
	}
	checkpoints, err := source.all(ctx, replicated.KindCheckpoint)
	if err != nil {
		return err
	}
	for _, e := range checkpoints {
		if err := target.put(ctx, e.Key, e.Value.Data); err != nil {
			return err
		}
	}
	_, err = target.Swap(ctx, document, 0, group.Data)
	return err
}

// all returns the present versions of every key of a kind.
func (s *store) all(ctx context.Context, kind replicated.Kind) ([]replicated.Event, error) {
	var events []replicated.Event
	done := make(chan struct{})
	err := s.follow(ctx, kind, func(e replicated.Event) {
		switch {
		case e.Key == replicated.Key{}:
			close(done)
		case e.Value.Data != nil:
			events = append(events, e)
		}
	}, done)
	if err != nil {
		return nil, fmt.Errorf("natskv: the %ss: %w", kind, err)
	}
	return events, nil
}

// put writes a key, whatever is there.
func (s *store) put(ctx context.Context, k replicated.Key, data []byte) error {
	for {
		v, err := s.Get(ctx, k)
		if err != nil {
			return err
		}
		if _, err = s.Swap(ctx, k, v.Revision, data); !errors.Is(err, replicated.ErrConflict) {
			return err
		}
	}
}
