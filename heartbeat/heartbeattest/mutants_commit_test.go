package heartbeattest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// unfenced keeps positions beside the service, for whoever asks.
func (b *broken) unfenced() {
	b.save = func(_ context.Context, o processor.Owner, p processor.Position) error {
		b.positions[o.Lease.ID] = p
		return nil
	}
	b.load = func(_ context.Context, o processor.Owner) (processor.Position, bool, error) {
		p := b.positions[o.Lease.ID]
		return p, p != "", nil
	}
}

func commitMutants() []mutant {
	return []mutant{
		{name: "any commit is accepted", build: (*broken).unfenced, by: []string{
			"Fence/after hand-over", "Fence/after expiry", "Fence/other members", "Fence/old epoch", "Fence/epoch to come", "Fence/load by former owner",
			"Instances/newer wins", "Generation/released",
		}},
		{name: "a member that has committed is granted nothing more", by: []string{"Checkpoints/none yet", "Checkpoints/one by one"}, build: func(b *broken) {
			committed := false
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				committed = true
				return b.Service.Save(ctx, o, p)
			}
			b.answer(func(_ shardset.Heartbeat, a *shardset.Answer) {
				if committed {
					a.Grants = nil
				}
			})
		}},
		{name: "an old epoch is accepted", by: []string{"Fence/old epoch", "Generation/released"}, build: func(b *broken) {
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				o.Lease.Epoch = 0
				return b.Service.Save(ctx, o, p)
			}
		}},
		{name: "an epoch to come is accepted", by: []string{"Fence/epoch to come"}, build: func(b *broken) {
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				for _, s := range b.Snapshot().Shards {
					if s.ID == o.Lease.ID && o.Lease.Epoch > s.Epoch {
						o.Lease.Epoch = s.Epoch
					}
				}
				return b.Service.Save(ctx, o, p)
			}
		}},
		{name: "the epoch is enough", by: []string{"Fence/other members"}, build: func(b *broken) {
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				for _, s := range b.Snapshot().Shards {
					if s.ID == o.Lease.ID {
						o.Member, o.Instance = s.Owner, 0
					}
				}
				return b.Service.Save(ctx, o, p)
			}
		}},
		{name: "a refused commit is stored", by: []string{"Fence/after hand-over", "Fence/after expiry", "Fence/other members"}, build: func(b *broken) {
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				b.positions[o.Lease.ID] = p
				return b.Service.Save(ctx, o, p)
			}
			b.load = func(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
				_, _, err := b.Service.Load(ctx, o)
				p := b.positions[o.Lease.ID]
				return p, p != "", err
			}
		}},
		{name: "commits are fenced by the generation", by: []string{"Fence/unrelated join"}, build: func(b *broken) {
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				if seen, now := b.answers[o.Member].Generation, b.Snapshot().Generation; seen != now {
					return fmt.Errorf("generation %d, not %d: %w", seen, now, processor.ErrNotOwner)
				}
				return b.Service.Save(ctx, o, p)
			}
		}},
		{name: "commits in transfer are refused", by: []string{"Fence/in transfer"}, build: func(b *broken) {
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				for _, s := range b.Snapshot().Shards {
					if s.ID == o.Lease.ID && s.State == group.StateTransfer {
						return processor.ErrNotOwner
					}
				}
				return b.Service.Save(ctx, o, p)
			}
		}},
		{name: "commits are lost", by: []string{"Fence/owner", "Fence/restart", "Checkpoints/one by one"}, build: func(b *broken) {
			b.save = func(context.Context, processor.Owner, processor.Position) error { return nil }
		}},
		{name: "loads lag behind", by: []string{"Fence/owner", "Fence/in transfer"}, build: func(b *broken) {
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				old, _ := b.Position(o.Lease.ID)
				err := b.Service.Save(ctx, o, p)
				if err == nil {
					b.positions[o.Lease.ID] = old
				}
				return err
			}
			b.load = func(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
				_, _, err := b.Service.Load(ctx, o)
				p := b.positions[o.Lease.ID]
				return p, p != "", err
			}
		}},
		{name: "a restarted member starts over", by: []string{"Fence/restart"}, build: func(b *broken) {
			b.load = func(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
				p, ok, err := b.Service.Load(ctx, o)
				if last := b.numbers[o.Lease.ID.String()]; ok && last != o.Instance && last != 0 {
					return "", false, err
				}
				b.numbers[o.Lease.ID.String()] = o.Instance
				return p, ok, err
			}
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				b.numbers[o.Lease.ID.String()] = o.Instance
				return b.Service.Save(ctx, o, p)
			}
		}},
		{name: "a former owner may load", by: []string{"Fence/load by former owner"}, build: func(b *broken) {
			b.load = func(_ context.Context, o processor.Owner) (processor.Position, bool, error) {
				p, ok := b.Position(o.Lease.ID)
				return p, ok, nil
			}
		}},
		{name: "a load takes the shard from its owner", by: []string{"Fence/load by others"}, build: func(b *broken) {
			b.load = func(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
				b.numbers[o.Lease.ID.String()] = o.Instance
				return b.Service.Load(ctx, o)
			}
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				if b.numbers[o.Lease.ID.String()] != o.Instance {
					return processor.ErrNotOwner
				}
				return b.Service.Save(ctx, o, p)
			}
		}},
		{name: "logs share their positions", by: []string{"Checkpoints/logs"}, build: func(b *broken) { b.sharing(func(id *shardset.ID) { id.Log = "" }) }},
		{name: "shards share their positions", by: []string{"Checkpoints/one by one", "Checkpoints/none yet"}, build: func(b *broken) {
			b.sharing(func(id *shardset.ID) { id.Number %= 2 })
		}},
		{name: "commits at the same time undo each other", by: []string{"Checkpoints/at once"}, build: func(b *broken) {
			b.unfenced()
			b.save = func(_ context.Context, o processor.Owner, p processor.Position) error {
				all := maps.Clone(b.positions)
				b.mu.Unlock()
				time.Sleep(time.Millisecond)
				b.mu.Lock()
				all[o.Lease.ID] = p
				b.positions = all
				return nil
			}
		}},
		{name: "positions are trimmed", by: []string{"Checkpoints/odd positions"}, build: func(b *broken) {
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				return b.Service.Save(ctx, o, processor.Position(strings.TrimSpace(string(p))))
			}
		}},
		{name: "positions only rise", by: []string{"Checkpoints/odd positions"}, build: func(b *broken) {
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				if old, _ := b.Position(o.Lease.ID); p < old {
					return nil
				}
				return b.Service.Save(ctx, o, p)
			}
		}},
		{name: "contexts are ignored", by: []string{"Context/cancelled", "Context/expired"}, build: func(b *broken) {
			b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
				return b.Service.Beat(context.WithoutCancel(ctx), r)
			}
		}},
		{name: "a save with a cancelled context goes through", by: []string{"Context/cancelled", "Context/expired"}, build: func(b *broken) {
			b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
				return errors.Join(b.Service.Save(context.WithoutCancel(ctx), o, p), ctx.Err())
			}
		}},
	}
}

// sharing keeps a position under an ID that other shards have too.
func (b *broken) sharing(change func(id *shardset.ID)) {
	b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
		if err := b.Service.Save(ctx, o, p); err != nil {
			return err
		}
		change(&o.Lease.ID)
		b.positions[o.Lease.ID] = p
		return nil
	}
	b.load = func(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
		if _, _, err := b.Service.Load(ctx, o); err != nil {
			return "", false, err
		}
		change(&o.Lease.ID)
		p := b.positions[o.Lease.ID]
		return p, p != "", nil
	}
}
