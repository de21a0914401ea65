package heartbeattest

import (
	"context"
	"errors"
	"slices"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func leaseMutants() []mutant {
	return []mutant{
		{name: "leases never end", ttl: 1000, by: []string{"Expiry/stopped member", "Expiry/of a stuck member", "Standby/takes over", "Push/lease ended"}},
		{name: "leases end at half time", ttl: 0.5, by: []string{"Expiry/stopped member", "Expiry/late heartbeat", "Expiry/of a stuck member"}},
		{name: "leases end a tenth too early", ttl: 0.9, by: []string{"Expiry/stopped member"}},
		{name: "leases end half a TTL late", ttl: 1.5, by: []string{"Expiry/stopped member"}},
		{name: "stale heartbeats renew the lease", by: []string{"Stale/renews nothing", "Stale/releases nothing"}, build: func(b *broken) {
			b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
				a, err := b.Service.Beat(ctx, r)
				if errors.Is(err, heartbeat.ErrStaleHeartbeat) {
					r.Seq = 0
					b.Service.Beat(ctx, r)
				}
				return a, err
			}
		}},
		{name: "stale heartbeats count", by: []string{"Stale/releases nothing", "Stale/renews nothing"}, build: func(b *broken) {
			b.request(func(r *shardset.Heartbeat) {
				b.numbers[r.Member]++
				r.Seq = b.numbers[r.Member]
			})
		}},
	}
}

func releaseMutants() []mutant {
	return []mutant{
		{name: "a transfer is given away early", by: []string{"Release/while listed", "Fence/in transfer"}, build: func(b *broken) {
			b.request(func(r *shardset.Heartbeat) {
				told := granted(b.answers[r.Member].Grants)
				r.Held = slices.DeleteFunc(slices.Clone(r.Held), func(g shardset.Grant) bool { return !told.has(g.ID) })
			})
		}},
		{name: "omission is ignored", by: []string{"Release/one by one", "Rebalance/two members", "Generation/released"}, build: func(b *broken) {
			b.request(func(r *shardset.Heartbeat) {
				if len(r.Held) == 0 {
					return
				}
				held := granted(r.Held)
				for _, g := range b.Snapshot().Shards {
					if g.Owner == r.Member && !held.has(g.ID) {
						r.Held = append(slices.Clone(r.Held), shardset.Grant{ID: g.ID, Epoch: g.Epoch})
					}
				}
			})
		}},
		{name: "a revocation is not told", by: []string{"Rebalance/two members", "Release/while listed"}, build: func(b *broken) {
			b.answer(func(r shardset.Heartbeat, a *shardset.Answer) {
				told := granted(a.Grants)
				for _, g := range r.Held {
					if !told.has(g.ID) {
						a.Grants = append(slices.Clone(a.Grants), g)
					}
				}
			})
		}},
		{name: "bare omission releases", by: []string{"Generation/before the revocation", "Generation/before the grant"}, build: func(b *broken) {
			b.request(func(r *shardset.Heartbeat) { r.Generation = b.Snapshot().Generation })
		}},
		{name: "all is released together", by: []string{"Release/one by one"}, build: func(b *broken) {
			b.request(func(r *shardset.Heartbeat) {
				told := granted(b.answers[r.Member].Grants)
				going := slices.DeleteFunc(slices.Clone(r.Held), func(g shardset.Grant) bool { return told.has(g.ID) })
				if n := int(b.numbers[r.Member]); n > len(going) { // some of them are gone
					r.Held = slices.DeleteFunc(slices.Clone(r.Held), func(g shardset.Grant) bool { return !told.has(g.ID) })
				}
				b.numbers[r.Member] = uint64(len(going))
			})
		}},
		{name: "the first member gets nearly all", by: []string{"Rebalance/two members", "Rebalance/three members", "Standby/takes over"}, build: func(b *broken) {
			b.request(func(r *shardset.Heartbeat) {
				if r.Member == "a" {
					r.Weight = 10
				}
			})
		}},
		{name: "shards wander", by: []string{"Steady/same answers"}, build: func(b *broken) {
			b.request(func(r *shardset.Heartbeat) {
				b.numbers[r.Member]++
				r.Weight = 1 + int(b.numbers[r.Member]/10)
				if r.Member != "a" {
					r.Weight = 1
				}
			})
		}},
		{name: "order is ignored", by: []string{"Ordered/children wait"}, build: func(b *broken) {
			b.set = func(list []shardset.Shard) error {
				list = slices.Clone(list)
				for i := range list {
					list[i].Parents = nil
				}
				return b.Service.SetShards(list)
			}
		}},
		{name: "a report of a closed shard is ignored", by: []string{"Closed/not granted again", "Ordered/children wait"}, build: func(b *broken) {
			b.request(func(r *shardset.Heartbeat) { r.Closed = nil })
		}},
		{name: "removed shards stay", by: []string{"Shards/removed"}, build: func(b *broken) {
			var all []shardset.Shard
			b.set = func(list []shardset.Shard) error {
				for _, s := range list {
					if !slices.ContainsFunc(all, func(o shardset.Shard) bool { return o.ID == s.ID }) {
						all = append(all, s)
					}
				}
				return b.Service.SetShards(all)
			}
		}},
		{name: "added shards are not seen", by: []string{"Shards/added"}, build: func(b *broken) {
			set := false
			b.set = func(list []shardset.Shard) error {
				if set {
					return nil
				}
				set = true
				return b.Service.SetShards(list)
			}
		}},
	}
}
