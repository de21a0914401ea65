package heartbeattest

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// epochs changes the epochs of all answers, of a service that fences without them.
func (b *broken) epochs(change func(member string, g *shardset.Grant)) {
	b.answer(func(r shardset.Heartbeat, a *shardset.Answer) {
		a.Grants = slices.Clone(a.Grants)
		for i := range a.Grants {
			change(r.Member, &a.Grants[i])
		}
	})
	b.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
		o.Lease.Epoch = 0
		return b.Service.Save(ctx, o, p)
	}
	b.load = func(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
		o.Lease.Epoch = 0
		return b.Service.Load(ctx, o)
	}
}

func answerMutants() []mutant {
	return []mutant{
		{name: "the same epoch again for the same member", by: []string{"Generation/released", "Release/back again", "Join/restart"}, build: func(b *broken) {
			b.epochs(func(member string, g *shardset.Grant) {
				if b.grants[member] == nil {
					b.grants[member] = map[shardset.ID]uint64{}
				}
				if b.grants[member][g.ID] == 0 {
					b.grants[member][g.ID] = g.Epoch
				}
				g.Epoch = b.grants[member][g.ID]
			})
		}},
		{name: "one epoch for all owners", by: []string{"Rebalance/epochs", "Eviction/rejoin"}, build: func(b *broken) {
			b.epochs(func(_ string, g *shardset.Grant) { g.Epoch = 1 })
		}},
		{name: "epochs rise with every heartbeat", by: []string{"Steady/same answers", "Rebalance/epochs"}, build: func(b *broken) {
			b.epochs(func(_ string, g *shardset.Grant) {
				b.numbers["epoch"]++
				g.Epoch = b.numbers["epoch"]
			})
		}},
		{name: "no epochs", by: []string{"Join/alone"}, build: func(b *broken) {
			b.epochs(func(_ string, g *shardset.Grant) { g.Epoch = 0 })
		}},
		{name: "a new group counts its epochs anew", by: []string{"Group/deleted"}, build: func(b *broken) {
			deleted := false
			b.delete = func() { deleted = true }
			first := map[bool]uint64{}
			b.epochs(func(_ string, g *shardset.Grant) {
				if first[deleted] == 0 {
					first[deleted] = g.Epoch
				}
				g.Epoch -= first[deleted] - 1
			})
		}},
		{name: "no generation", by: []string{"Join/alone"}, build: func(b *broken) {
			b.answer(func(_ shardset.Heartbeat, a *shardset.Answer) { a.Generation = 0 })
		}},
		{name: "the generation rises with every heartbeat", by: []string{"Steady/same answers"}, build: func(b *broken) {
			b.answer(func(_ shardset.Heartbeat, a *shardset.Answer) {
				b.numbers["generation"]++
				a.Generation += b.numbers["generation"]
			})
		}},
		{name: "the wrong TTL", by: []string{"Join/alone"}, build: func(b *broken) {
			b.answer(func(_ shardset.Heartbeat, a *shardset.Answer) { a.TTL *= 2 })
		}},
		{name: "a shard of no group", by: []string{"Join/alone"}, build: func(b *broken) {
			b.answer(func(_ shardset.Heartbeat, a *shardset.Answer) {
				a.Grants = append(slices.Clone(a.Grants), shardset.Grant{ID: shardset.ID{Log: "orders", Number: 99}, Epoch: 1})
			})
		}},
		{name: "a shard twice in an answer", by: []string{"Join/alone"}, build: func(b *broken) {
			b.answer(func(_ shardset.Heartbeat, a *shardset.Answer) {
				if len(a.Grants) > 0 {
					a.Grants = append(slices.Clone(a.Grants), a.Grants[0])
				}
			})
		}},
		{name: "one shard for two members", by: []string{"Rebalance/two members", "Churn/many members"}, build: func(b *broken) {
			b.answer(func(_ shardset.Heartbeat, a *shardset.Answer) {
				if first := b.Snapshot().Shards[0]; len(a.Grants) > 0 && a.Grants[0].ID != first.ID {
					a.Grants = append([]shardset.Grant{{ID: first.ID, Epoch: first.Epoch}}, a.Grants...)
				}
			})
		}},
		{name: "one shard is forgotten", by: []string{"Join/alone"}, build: func(b *broken) {
			b.answer(func(_ shardset.Heartbeat, a *shardset.Answer) {
				a.Grants = a.Grants[:max(0, len(a.Grants)-1)]
			})
		}},
	}
}

func pushMutants() []mutant {
	silent := func(ctx context.Context) (<-chan struct{}, error) {
		wake := make(chan struct{})
		context.AfterFunc(ctx, func() { close(wake) })
		return wake, nil
	}
	return []mutant{
		{name: "no push", by: []string{"Push/revoked and released", "Push/lease ended", "Push/left", "Push/two watchers"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, _ string) (<-chan struct{}, error) { return silent(ctx) }
		}},
		{name: "no push when a lease ends", by: []string{"Push/lease ended"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, member string) (<-chan struct{}, error) {
				in, err := b.Service.Watch(ctx, member)
				if err != nil {
					return nil, err
				}
				out := make(chan struct{}, 1)
				go func() {
					defer close(out)
					for range in {
						b.mu.Lock()
						answered := b.beaten.Equal(time.Now())
						b.mu.Unlock()
						if answered {
							select {
							case out <- struct{}{}:
							default:
							}
						}
					}
				}()
				return out, nil
			}
		}},
		{name: "only the first watcher is woken", by: []string{"Push/two watchers"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, member string) (<-chan struct{}, error) {
				if b.numbers[member]++; b.numbers[member] > 1 {
					return silent(ctx)
				}
				return b.Service.Watch(ctx, member)
			}
		}},
		{name: "the end of one watch ends all", by: []string{"Push/two watchers"}, build: func(b *broken) {
			end := func() {}
			b.watch = func(ctx context.Context, member string) (<-chan struct{}, error) {
				earlier := end
				ctx, end = context.WithCancel(ctx)
				context.AfterFunc(ctx, earlier)
				return b.Service.Watch(ctx, member)
			}
		}},
		{name: "a watch is never closed", by: []string{"Push/closed", "Push/two watchers"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, member string) (<-chan struct{}, error) {
				return b.Service.Watch(context.WithoutCancel(ctx), member)
			}
		}},
	}
}

func infoMutants() []mutant {
	lie := func(name string, change func(g *heartbeat.Guarantees), by ...string) mutant {
		return mutant{name: name, by: by, build: func(b *broken) { b.promise(change) }}
	}
	return []mutant{
		lie("Info hides Leave", func(g *heartbeat.Guarantees) { g.Leave = false }, "Info/abilities"),
		lie("Info hides Push", func(g *heartbeat.Guarantees) { g.Push = false }, "Info/abilities"),
		lie("Info hides Completion", func(g *heartbeat.Guarantees) { g.Completion = false }, "Finish/as promised"),
		lie("Info hides Epochs", func(g *heartbeat.Guarantees) { g.Epochs = false }, "Join/alone"),
		lie("Info invents Ordered", func(g *heartbeat.Guarantees) { g.Ordered = true }, "Ordered/not asked for"),
		{name: "Info invents Leave and Push", by: []string{"Info/abilities"}, build: func(b *broken) {
			b.dial = func() (heartbeat.Client, processor.Checkpoints, error) {
				return struct{ heartbeat.Client }{b}, b, nil
			}
		}},
		{name: "Info invents FencedCommit", by: []string{"Info/abilities"}, build: func(b *broken) {
			b.dial = func() (heartbeat.Client, processor.Checkpoints, error) { return b, nil, nil }
		}},
		{name: "Info changes", by: []string{"Info/same for all"}, build: func(b *broken) {
			n := 0
			b.promise(func(g *heartbeat.Guarantees) { n++; g.Ordered = n > 1 })
		}},
	}
}
