package replicated_test

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

func withoutShards(cfg *replicated.Config) { cfg.Shards = nil }

// Reading never creates a group, even from a Client that has shards for one. A Client without
// shards creates none by any call.
func TestReadingCreatesNoGroup(t *testing.T) {
	owner := processor.Owner{Member: "a", Instance: 1, Lease: shardset.Lease{ID: shardset.ID{Log: "orders"}, Epoch: 1}, Epochs: true}
	request := shardset.Heartbeat{Member: "a", Instance: 1, Seq: 1}
	looks := map[string]func(ctx context.Context, c *replicated.Client) error{
		"Snapshot": func(ctx context.Context, c *replicated.Client) error { _, err := c.Snapshot(ctx); return err },
		"Position": func(ctx context.Context, c *replicated.Client) error {
			_, _, err := c.Position(ctx, owner.Lease.ID)
			return err
		},
		"Load":   func(ctx context.Context, c *replicated.Client) error { _, _, err := c.Load(ctx, owner); return err },
		"Save":   func(ctx context.Context, c *replicated.Client) error { return c.Save(ctx, owner, "1") },
		"Leave":  func(ctx context.Context, c *replicated.Client) error { return c.Leave(ctx, request) },
		"Delete": func(ctx context.Context, c *replicated.Client) error { return c.Delete(ctx) },
	}
	makes := map[string]func(ctx context.Context, c *replicated.Client) error{
		"Beat":      func(ctx context.Context, c *replicated.Client) error { _, err := c.Beat(ctx, request); return err },
		"Create":    func(ctx context.Context, c *replicated.Client) error { return c.Create(ctx) },
		"SetShards": func(ctx context.Context, c *replicated.Client) error { return c.SetShards(ctx, nil) },
	}
	bubble(t, func(r *rig) {
		check := func(what string, p *process, call func(context.Context, *replicated.Client) error) {
			r.wants(what, call(r.Context(), p.Client), heartbeat.ErrGroupNotFound)
			time.Sleep(2 * rigTTL)
			if v := r.store.Value(documentKey); v.Revision != 0 {
				t.Fatalf("%s has made a group", what)
			}
		}
		with, without := r.process(), r.process(withoutShards)
		for what, call := range looks {
			check(what, with, call)
			check(what+" without shards", without, call)
		}
		for what, call := range makes {
			check(what+" without shards", without, call)
		}
		a := with.member("a")
		r.together(a)
		if s, err := without.Snapshot(r.Context()); err != nil || len(s.Shards) != r.shards {
			t.Errorf("who looked before there was a group then sees %d shards, %v", len(s.Shards), err)
		}
	})
}

// SetShards creates a group, also from a Client without shards.
func TestSetShardsCreatesAGroup(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process(withoutShards)
		if err := p.SetShards(r.Context(), shardset.Range("orders", r.shards)); err != nil {
			t.Fatal(err)
		}
		r.together(p.member("a"))
	})
}

// A group without shards takes the first list that comes, with its parents, once: a member
// that was there when somebody took all shards out does not put them back.
func TestEmptyGroupTakesTheFirstList(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a := p.member("a")
		r.together(a)
		if err := p.SetShards(r.Context(), nil); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			a.obey()
			time.Sleep(rigTTL / 10)
		}
		if s, err := p.Snapshot(r.Context()); err != nil || len(s.Shards) != 0 {
			t.Fatalf("the shards that were taken out are back: %v, %v", s.Shards, err)
		}
		if _, err := r.process().Snapshot(r.Context()); err != nil {
			t.Fatal(err)
		}
		if s, _ := p.Snapshot(r.Context()); len(s.Shards) != 0 {
			t.Fatal("a look has put shards into the group")
		}
		family := []shardset.Shard{{ID: shardset.ID{Log: "new"}}, {ID: shardset.ID{Log: "new", Number: 1}, Parents: []shardset.ID{{Log: "new"}}}}
		b := r.process(func(cfg *replicated.Config) { cfg.Shards = family }).member("b")
		c := r.process().member("c")
		b.obey()
		c.obey()
		r.until(rigTTL, "the shards are shared out", func() bool {
			return len(a.answer.Grants)+len(b.answer.Grants)+len(c.answer.Grants) == len(family)
		}, a, b, c)
		if s, err := p.Snapshot(r.Context()); err != nil || len(s.Shards) != 2 || s.Shards[1].ID != family[1].ID {
			t.Errorf("the group has the shards %v, %v", s.Shards, err)
		}
	})
}
