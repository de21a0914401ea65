package replicatedtest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

const crowdTTL = 6 * time.Second

// embedded returns a crowd on the memory group service. Wrap, if not nil, replaces the
// service.
func embedded(t testing.TB, shards int, wrap func(g Group) Group) *Crowd {
	list := shardset.Range("orders", shards)
	s, err := memory.New(memory.Config{TTL: crowdTTL, Shards: list})
	if err != nil {
		t.Fatal(err)
	}
	var g Group = s
	if wrap != nil {
		g = wrap(s)
	}
	return newCrowd(t, CrowdConfig{
		Shards: list, TTL: crowdTTL,
		Dial: func(string) (Connection, error) { return Connection{Group: g}, nil },
	})
}

func (c *Crowd) mustSettle(what string, within time.Duration) {
	c.Helper()
	if err := c.Settle(within); err != nil {
		c.Fatalf("%s: %v", what, err)
	}
}

// Planned moves lose no record, process none twice, and make no long pause.
func TestCrowdMovesAsPlanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := embedded(t, 16, nil)
		defer c.stop()
		c.Join("a", "b")
		c.mustSettle("two members", crowdTTL)
		for i := range 5 {
			c.Join(fmt.Sprint("c", i))
			c.mustSettle("one more", crowdTTL)
			c.Leave(c.names()[0])
			c.mustSettle("one less", crowdTTL)
		}
		r := c.Report()
		if err := r.err(); err != nil || r.Duplicates > 0 || r.Late > 0 || len(r.Unowned) > 0 || r.pause(1) > 100*time.Millisecond {
			t.Errorf("%s; %v", r, err)
		}
		if r.Starts < 40 || r.Records < 1000 || r.Commits < 100 {
			t.Errorf("%s; that is less than there must have been", r)
		}
	})
}

// A member that is cut off keeps its shards until its lease ends, and no longer. It can
// come back.
func TestCrowdIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := embedded(t, 8, nil)
		defer c.stop()
		c.Join("a", "b")
		c.mustSettle("two members", crowdTTL)
		c.Cut("a")
		if err := c.Settle(crowdTTL / 2); err == nil {
			t.Error("the shards of a member that was cut off moved before its lease had ended")
		}
		c.mustSettle("the lease of one is over", crowdTTL)
		c.Heal("a")
		c.mustSettle("it is back", crowdTTL)
		r := c.Report()
		if err := r.err(); err != nil || r.Late > 0 {
			t.Errorf("%s; %v", r, err)
		}
		if p := r.pause(1); p <= 0 || p > crowdTTL/5 {
			t.Errorf("between the end of the lease and its next owner were up to %v", p)
		}
	})
}

// The shards of a killed member are free when its lease ends, or when it starts again.
func TestCrowdIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := embedded(t, 8, nil)
		defer c.stop()
		c.Join("a", "b")
		c.mustSettle("two members", crowdTTL)
		c.Kill("a")
		c.mustSettle("one was killed", crowdTTL+crowdTTL/4)
		r := c.Report()
		if err := r.err(); err != nil || r.pause(1) < crowdTTL/2 {
			t.Errorf("%s; %v", r, err)
		}
		c.Kill("b")
		c.Join("b")
		c.mustSettle("one was killed and is back", crowdTTL/4)
		if err := c.Report().err(); err != nil {
			t.Error(err)
		}
	})
}

// noLease is a service that grants all shards to every member.
type noLease struct {
	Group
	mu    sync.Mutex
	epoch uint64
}

func (n *noLease) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	a, err := n.Group.Beat(ctx, r)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.epoch++
	a.Grants = nil
	held := map[shardset.ID]uint64{}
	for _, g := range r.Held {
		held[g.ID] = g.Epoch
	}
	for _, s := range shardset.Range("orders", 8) {
		g := shardset.Grant{ID: s.ID, Epoch: n.epoch}
		if e, ok := held[s.ID]; ok {
			g.Epoch = e
		}
		a.Grants = append(a.Grants, g)
	}
	return a, err
}

func (n *noLease) Load(context.Context, processor.Owner) (processor.Position, bool, error) {
	return "", false, nil
}

func (n *noLease) Save(context.Context, processor.Owner, processor.Position) error { return nil }

// A crowd finds the faults of a group.
func TestCrowdFindsFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := embedded(t, 8, func(g Group) Group { return &noLease{Group: g} })
		defer c.stop()
		c.Join("a", "b")
		time.Sleep(crowdTTL)
		if err := c.Report().err(); err == nil {
			t.Error("two owners of each shard, and no fault")
		}
	})
}

// A crowd also works in real time, on a busy machine.
func TestCrowdInRealTime(t *testing.T) {
	t.Parallel()
	list := shardset.Range("orders", 8)
	s, err := memory.New(memory.Config{TTL: 2 * time.Second, Shards: list})
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd(t, CrowdConfig{
		Shards: list, TTL: 2 * time.Second, Recovery: 30 * time.Second,
		Dial: func(string) (Connection, error) { return Connection{Group: s}, nil },
	})
	defer c.stop()
	c.Join("a", "b")
	c.Play(Fault{Name: "a kill", Do: func(c *Crowd) error { c.Kill("a"); c.Join("c"); return nil }, For: time.Second})
}

// A fault is done and undone, and the crowd has settled before and after.
func TestCrowdPlays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := embedded(t, 8, nil)
		defer c.stop()
		c.Join("a", "b", "c")
		var log []string
		say := func(what string) func(*Crowd) error {
			return func(c *Crowd) error { log = append(log, fmt.Sprint(what, c.missing(time.Time{}) == nil)); return nil }
		}
		c.Play(
			Fault{Name: "nothing", Do: say("do "), Undo: say("undo ")},
			Fault{Name: "a cut", Do: func(c *Crowd) error { c.Cut("b"); return nil },
				Undo: func(c *Crowd) error { c.Heal("b"); return nil }},
			Fault{Name: "a kill", Do: func(c *Crowd) error { c.Kill("c"); c.Join("d"); return nil }, For: crowdTTL},
		)
		r := c.Report()
		if len(log) != 2 || log[0][:3] != "do " || log[1][:5] != "undo " {
			t.Errorf("played: %q", log)
		}
		if r.Starts == 0 || len(r.Unowned) > 0 {
			t.Errorf("the report: %s", r)
		}
	})
}
