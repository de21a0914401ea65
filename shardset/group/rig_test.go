package group_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

const rigTTL = 10 * time.Second

// rig is a group under test: after every step it is checked.
type rig struct {
	t   testing.TB
	g   *group.Group
	now time.Time
}

// newRig makes a group with the shards 0 to n-1 at 0s.
func newRig(t testing.TB, n int) *rig {
	t.Helper()
	return newRigWith(t, group.Config{TTL: rigTTL}, list(n)...)
}

func newRigWith(t testing.TB, cfg group.Config, shards ...shardset.Shard) *rig {
	t.Helper()
	g, err := group.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, g: g, now: simStart}
	r.set(shards...)
	return r
}

// list is the shards 0 to n-1, without parents.
func list(n int) []shardset.Shard {
	shards := make([]shardset.Shard, n)
	for i := range shards {
		shards[i].ID.Number = i
	}
	return shards
}

// child is a shard with parents.
func child(n int, parents ...int) shardset.Shard {
	s := shardset.Shard{ID: shardset.ID{Number: n}}
	for _, p := range parents {
		s.Parents = append(s.Parents, shardset.ID{Number: p})
	}
	return s
}

func (r *rig) set(shards ...shardset.Shard) {
	r.t.Helper()
	if err := r.g.SetShards(r.now, shards); err != nil {
		r.t.Fatal(err)
	}
	r.check()
}

// wait lets time pass.
func (r *rig) wait(d time.Duration) {
	r.t.Helper()
	r.now = r.now.Add(d)
	r.g.Expire(r.now)
	r.check()
}

func (r *rig) check() {
	r.t.Helper()
	if err := r.g.Check(); err != nil {
		r.t.Fatal(err)
	}
	roundTrip(r.t, r.g)
}

// table is the state of all shards in order: "a@1" is held by a under epoch 1,
// "a>b@1" is on its way to b, "-@1" is free, "wait@0" and "closed@1" say so.
func (r *rig) table() string {
	var b strings.Builder
	for i, s := range r.g.Snapshot().Shards {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch s.State {
		case group.StateHeld:
			fmt.Fprintf(&b, "%s@%d", s.Owner, s.Epoch)
		case group.StateTransfer:
			fmt.Fprintf(&b, "%s>%s@%d", s.Owner, s.Next, s.Epoch)
		case group.StateFree:
			fmt.Fprintf(&b, "-@%d", s.Epoch)
		default:
			fmt.Fprintf(&b, "%s@%d", s.State, s.Epoch)
		}
	}
	return b.String()
}

func (r *rig) want(table string) {
	r.t.Helper()
	if got := r.table(); got != table {
		r.t.Fatalf("the shards are\n%s, want\n%s", got, table)
	}
}

// peer is a member that obeys: what it is told it holds, until it releases it.
type peer struct {
	r    *rig
	beat shardset.Heartbeat
	told []shardset.Grant // the last answer

	complete bool // it said so
}

func (r *rig) peer(name string) *peer {
	p := &peer{r: r, beat: shardset.Heartbeat{Member: name}}
	p.beat.Instance = 1
	return p
}

// try sends a heartbeat and returns the error.
func (p *peer) try() error {
	p.r.t.Helper()
	p.beat.Seq++
	a, err := p.r.g.Beat(p.r.now, p.beat)
	p.r.check()
	if err == nil {
		p.told, p.beat.Generation, p.complete = a.Grants, a.Generation, a.Complete
		for _, g := range a.Grants {
			if i := slices.IndexFunc(p.beat.Held, func(h shardset.Grant) bool { return h.ID == g.ID }); i < 0 {
				p.beat.Held = append(slices.Clone(p.beat.Held), g)
			}
		}
	}
	return err
}

// say sends a heartbeat that must be answered, and starts what the answer grants.
func (p *peer) say() {
	p.r.t.Helper()
	if err := p.try(); err != nil {
		p.r.t.Fatalf("heartbeat of %s: %v", p.beat.Member, err)
	}
}

// release drops everything that the last answer did not list, or the given shards.
func (p *peer) release(shards ...int) {
	p.beat.Held = slices.DeleteFunc(slices.Clone(p.beat.Held), func(h shardset.Grant) bool {
		if len(shards) > 0 {
			return slices.Contains(shards, h.ID.Number)
		}
		return !slices.ContainsFunc(p.told, func(g shardset.Grant) bool { return g.ID == h.ID })
	})
}

// done makes these shards the ones that the peer reports as done.
func (p *peer) done(shards ...int) {
	p.beat.Complete = nil
	for _, n := range shards {
		p.beat.Complete = append(p.beat.Complete, id(n))
	}
}

func (p *peer) leave() {
	p.r.t.Helper()
	p.beat.Seq++
	if err := p.r.g.Leave(p.r.now, p.beat); err != nil {
		p.r.t.Fatalf("leave of %s: %v", p.beat.Member, err)
	}
	p.r.check()
}

// settle lets the peers beat and release until nothing moves.
func (r *rig) settle(peers ...*peer) {
	r.t.Helper()
	for range 4 {
		for _, p := range peers {
			p.say()
			p.release()
		}
	}
}

func id(n int) shardset.ID { return shardset.ID{Number: n} }
