package heartbeattest

import (
	"context"
	"errors"
	"slices"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

func memberMutants() []mutant {
	return []mutant{
		{name: "an unknown member joins with what it lists", by: []string{"Eviction/unknown member", "Eviction/after expiry"}, build: func(b *broken) {
			b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
				a, err := b.Service.Beat(ctx, r)
				if errors.Is(err, heartbeat.ErrEvicted) {
					r.Held, r.Instance = nil, r.Instance+1
					return b.Service.Beat(ctx, r)
				}
				return a, err
			}
		}},
		{name: "an unknown member gets an empty answer", by: []string{"Eviction/unknown member", "Eviction/after expiry"}, build: func(b *broken) {
			b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
				a, err := b.Service.Beat(ctx, r)
				if errors.Is(err, heartbeat.ErrEvicted) {
					return shardset.Answer{TTL: b.answers["b"].TTL, Generation: b.Snapshot().Generation}, nil
				}
				return a, err
			}
		}},
		{name: "a refused member gets in by being refused", by: []string{"Eviction/unknown member"}, build: func(b *broken) {
			b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
				a, err := b.Service.Beat(ctx, r)
				if errors.Is(err, heartbeat.ErrEvicted) {
					r.Held = nil
					b.Service.Beat(ctx, r)
				}
				return a, err
			}
		}},
		{name: "an evicted member cannot come back", by: []string{"Eviction/rejoin", "Eviction/unknown member"}, build: func(b *broken) {
			b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
				if b.numbers[r.Member] > 0 {
					return shardset.Answer{}, heartbeat.ErrEvicted
				}
				known := slices.ContainsFunc(b.Snapshot().Members, func(m group.MemberInfo) bool { return m.Name == r.Member })
				if _, before := b.answers[r.Member]; before && !known || !known && len(r.Held) > 0 {
					b.numbers[r.Member]++
					return shardset.Answer{}, heartbeat.ErrEvicted
				}
				return b.Service.Beat(ctx, r)
			}
		}},
		{name: "a restarted member waits for its own lease", by: []string{"Join/restart", "Fence/restart"}, build: func(b *broken) {
			b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
				for _, m := range b.Snapshot().Members {
					if m.Name == r.Member && m.Instance < r.Instance {
						return shardset.Answer{}, heartbeat.ErrStaleHeartbeat
					}
				}
				return b.Service.Beat(ctx, r)
			}
		}},
		{name: "a restarted member loses its shards", by: []string{"Join/restart"}, build: func(b *broken) {
			b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
				for _, m := range b.Snapshot().Members {
					if m.Name == r.Member && m.Instance < r.Instance {
						_ = b.Service.Leave(ctx, shardset.Heartbeat{Member: r.Member, Instance: m.Instance})
						for other := range b.answers { // who takes them
							if other != r.Member {
								_, _ = b.Service.Beat(ctx, shardset.Heartbeat{Member: other, Held: b.answers[other].Grants})
							}
						}
					}
				}
				return b.Service.Beat(ctx, r)
			}
		}},
		{name: "instances are ignored", by: []string{"Instances/newer wins"}, build: func(b *broken) {
			b.request(func(r *shardset.Heartbeat) { r.Instance = 0 })
		}},
		{name: "the older process wins", by: []string{"Instances/newer wins", "Join/restart"}, build: func(b *broken) {
			b.request(func(r *shardset.Heartbeat) { r.Instance = 1<<40 - r.Instance })
		}},
		{name: "standbys are refused", by: []string{"Standby/takes over"}, build: func(b *broken) {
			b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
				a, err := b.Service.Beat(ctx, r)
				if err == nil && len(a.Grants) == 0 {
					return shardset.Answer{}, errors.New("no shard is free")
				}
				return a, err
			}
		}},
		{name: "leave does nothing", by: []string{"Leave/frees its shards", "Leave/stuck shard", "Leave/twice", "Push/left"}, build: func(b *broken) {
			b.leave = func(context.Context, shardset.Heartbeat) error { return nil }
		}},
		{name: "leave frees what is still listed", by: []string{"Leave/stuck shard"}, build: func(b *broken) {
			b.leave = func(ctx context.Context, r shardset.Heartbeat) error {
				r.Held = nil
				return b.Service.Leave(ctx, r)
			}
		}},
		{name: "a second leave fails", by: []string{"Leave/twice"}, build: func(b *broken) {
			b.leave = func(ctx context.Context, r shardset.Heartbeat) error {
				for _, m := range b.Snapshot().Members {
					if m.Name == r.Member {
						return b.Service.Leave(ctx, r)
					}
				}
				return heartbeat.ErrEvicted
			}
		}},
		{name: "a heartbeat from before the leave joins", by: []string{"Leave/late heartbeat"}, build: func(b *broken) {
			b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
				a, err := b.Service.Beat(ctx, r)
				if errors.Is(err, heartbeat.ErrEvicted) && len(r.Held) == 0 {
					r.Instance = 0
					return b.Service.Beat(ctx, r)
				}
				return a, err
			}
		}},
		{name: "a leaving member is given more", by: []string{"Leave/while draining"}, build: func(b *broken) {
			b.request(func(r *shardset.Heartbeat) { r.Leaving = false })
		}},
		{name: "a deleted group evicts", by: []string{"Group/deleted"}, build: func(b *broken) {
			b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
				a, err := b.Service.Beat(ctx, r)
				if errors.Is(err, heartbeat.ErrGroupNotFound) {
					err = heartbeat.ErrEvicted
				}
				return a, err
			}
		}},
	}
}
