package heartbeattest

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

func finishMutants() []mutant {
	everyShard := func(b *broken, is func(s group.ShardInfo) bool) bool {
		return !slices.ContainsFunc(b.Snapshot().Shards, func(s group.ShardInfo) bool { return !is(s) })
	}
	return []mutant{
		{name: "nobody learns that all is complete", by: []string{"Finish/as promised", "Finish/all complete", "Finish/standby", "Finish/pushed"}, build: func(b *broken) {
			b.answer(func(_ shardset.Heartbeat, a *shardset.Answer) { a.Complete = false })
		}},
		{name: "one member's shards are all", by: []string{"Finish/all complete", "Finish/of an expired member"}, build: func(b *broken) {
			b.answer(func(r shardset.Heartbeat, a *shardset.Answer) {
				a.Complete = len(r.Complete) > 0 && len(r.Complete) == len(r.Held)
			})
		}},
		{name: "one shard is all", by: []string{"Finish/of an expired member", "Finish/all complete"}, build: func(b *broken) {
			b.answer(func(r shardset.Heartbeat, a *shardset.Answer) { a.Complete = len(r.Complete) > 0 })
		}},
		{name: "standbys do not learn that all is complete", by: []string{"Finish/standby"}, build: func(b *broken) {
			b.answer(func(_ shardset.Heartbeat, a *shardset.Answer) { a.Complete = a.Complete && len(a.Grants) > 0 })
		}},
		{name: "what is done stays done, whoever has it", by: []string{"Finish/of an expired member", "Finish/granted again"}, build: func(b *broken) {
			done := map[shardset.ID]bool{}
			b.answer(func(r shardset.Heartbeat, a *shardset.Answer) {
				for _, id := range r.Complete {
					done[id] = true
				}
				a.Complete = everyShard(b, func(s group.ShardInfo) bool { return done[s.ID] })
			})
		}},
		{name: "finished once is finished for good", by: []string{"Finish/new shard", "Finish/granted again"}, build: func(b *broken) {
			finished := false
			b.answer(func(_ shardset.Heartbeat, a *shardset.Answer) {
				finished = finished || a.Complete
				a.Complete = finished
			})
		}},
		{name: "a shard that is over is not done", by: []string{"Finish/closed counts"}, build: func(b *broken) {
			b.answer(func(_ shardset.Heartbeat, a *shardset.Answer) {
				a.Complete = everyShard(b, func(s group.ShardInfo) bool { return s.Complete })
			})
		}},
		{name: "done counts for a grant to come", by: []string{"Finish/granted again"}, build: func(b *broken) {
			b.request(func(r *shardset.Heartbeat) {
				if len(r.Complete) == 0 {
					return
				}
				snap := b.Snapshot()
				r.Generation, r.Held = snap.Generation, nil
				for _, s := range snap.Shards {
					if s.Owner == r.Member {
						r.Held = append(r.Held, shardset.Grant{ID: s.ID, Epoch: s.Epoch})
					}
				}
			})
		}},
		{name: "no push when all is complete", by: []string{"Finish/pushed"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, member string) (<-chan struct{}, error) {
				in, err := b.Service.Watch(ctx, member)
				if err != nil {
					return nil, err
				}
				out := make(chan struct{}, 1)
				go func() {
					defer close(out)
					for range in {
						if b.Snapshot().Complete {
							continue
						}
						select {
						case out <- struct{}{}:
						default:
						}
					}
				}()
				return out, nil
			}
		}},
	}
}
