package memory_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

func newService(t testing.TB, cfg memory.Config) *memory.Service {
	t.Helper()
	s, err := memory.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// one is a member that beats by hand and believes what it is told at once.
type one struct {
	t       *testing.T
	s       *memory.Service
	request shardset.Heartbeat
}

func join(t *testing.T, s *memory.Service, name string) *one {
	t.Helper()
	o := &one{t: t, s: s, request: shardset.Heartbeat{Member: name, Instance: 1}}
	o.beat()
	return o
}

func (o *one) beat() shardset.Answer {
	o.t.Helper()
	o.request.Seq++
	a, err := o.s.Beat(o.t.Context(), o.request)
	if err != nil {
		o.t.Fatalf("heartbeat of %s: %v", o.request.Member, err)
	}
	o.request.Held, o.request.Generation = a.Grants, a.Generation
	return a
}

func (o *one) owner(i int) processor.Owner {
	g := o.request.Held[i]
	return processor.Owner{
		Member: o.request.Member, Instance: 1, Epochs: true, Lease: shardset.Lease{ID: g.ID, Epoch: g.Epoch},
	}
}

func TestNewReportsEveryFault(t *testing.T) {
	id := shardset.ID{Log: "orders", Number: 1}
	_, err := memory.New(memory.Config{Group: "a\nb", TTL: -time.Second, Shards: []shardset.Shard{{ID: id}, {ID: id}, {ID: shardset.ID{Number: -3}}, {ID: shardset.ID{Log: "no spaces"}}}})
	if err == nil {
		t.Fatal("a Config with six faults was taken")
	}
	for _, want := range []string{"Group", `a\nb`, "TTL", "-1s", "Shards", "orders/1 is listed twice", "-3", "no spaces"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	if !errors.Is(err, shardset.ErrInvalidID) {
		t.Errorf("%v does not match ErrInvalidID", err)
	}
	var refused *shardset.ConfigError
	if !errors.As(err, &refused) || refused.Config != "memory.Config" || len(refused.Faults) != 3 {
		t.Errorf("the error is %#v, want a ConfigError with faults of Group, TTL and Shards", err)
	}
	if _, err = memory.New(memory.Config{TTL: group.MaxTTL + 1}); !errors.As(err, &refused) || refused.Faults[0].Field != "TTL" {
		t.Errorf("a TTL of more than MaxTTL: %v", err)
	}
}

func TestDefaults(t *testing.T) {
	s := newService(t, memory.Config{})
	if got := s.Info().Group; got != "memory" {
		t.Errorf("the group is called %q, want memory", got)
	}
	if a := join(t, s, "a").beat(); a.TTL != memory.DefaultTTL || len(a.Grants) != 0 {
		t.Errorf("the answer of an empty group is %+v, want no grants and a TTL of %v", a, memory.DefaultTTL)
	}
	s = newService(t, memory.Config{Group: "g", TTL: time.Minute, Ordered: true})
	if i := s.Info(); i.Group != "g" || !i.Guarantees.Ordered {
		t.Errorf("Info is %+v, want an ordered group g", i)
	}
}

func TestDelete(t *testing.T) {
	s := newService(t, memory.Config{Shards: shardset.Range("orders", 2)})
	a := join(t, s, "a")
	owner := a.owner(0)
	if err := s.Save(t.Context(), owner, "7"); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context()); err != nil {
		t.Errorf("Create of a group that exists: %v", err)
	}
	list, err := s.ListCheckpoints(t.Context(), "orders")
	if err != nil || len(list) != 1 || list[0].ID != owner.Lease.ID || list[0].Position != "7" || time.Since(list[0].Updated) > time.Minute {
		t.Errorf("the checkpoints are %+v, %v", list, err)
	}
	if list, err := s.ListCheckpoints(t.Context(), "other"); err != nil || len(list) != 0 {
		t.Errorf("another log has the checkpoints %+v, %v", list, err)
	}
	if p, ok := s.Position(owner.Lease.ID); p != "7" || !ok {
		t.Errorf("Create of a group that exists left the position %q, %v, want 7", p, ok)
	}
	s.Delete()
	for name, call := range map[string]func() error{
		"Beat":      func() error { _, err := s.Beat(t.Context(), a.request); return err },
		"Leave":     func() error { return s.Leave(t.Context(), a.request) },
		"Load":      func() error { _, _, err := s.Load(t.Context(), owner); return err },
		"Save":      func() error { return s.Save(t.Context(), owner, "8") },
		"List":      func() error { _, err := s.ListCheckpoints(t.Context(), "orders"); return err },
		"SetShards": func() error { return s.SetShards(nil) },
	} {
		if err := call(); !errors.Is(err, heartbeat.ErrGroupNotFound) {
			t.Errorf("%s after Delete: %v, want ErrGroupNotFound", name, err)
		}
	}
	if snap := s.Snapshot(); len(snap.Shards) != 0 || len(snap.Members) != 0 {
		t.Errorf("the snapshot of a deleted group is %+v", snap)
	}
	if p, ok := s.Position(owner.Lease.ID); ok {
		t.Errorf("the deleted group has the position %q", p)
	}
	if err := s.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Whoever held the shards may work on them until it starts over.
	b := join(t, s, "b")
	if len(b.request.Held) != 0 {
		t.Errorf("the new group grants %v, on which a may be at work", b.request.Held)
	}
	a.request.Seq++
	if _, err := s.Beat(t.Context(), a.request); !errors.Is(err, heartbeat.ErrEvicted) {
		t.Errorf("a member of the deleted group is answered: %v, want ErrEvicted", err)
	}
	again := &one{t: t, s: s, request: shardset.Heartbeat{Member: "a", Instance: 2}}
	for range 3 { // and then they are shared out like any others
		again.beat()
		b.beat()
	}
	held := slices.Concat(again.request.Held, b.request.Held)
	if len(held) != 2 {
		t.Fatalf("the new group grants %v, want both shards", held)
	}
	for _, g := range held {
		if old := owner.Lease.Epoch; g.Epoch <= old {
			t.Errorf("the epoch of a shard went from %d to %d with its group", old, g.Epoch)
		}
	}
}

// A group that is made anew waits for the leases of the deleted one, by its own clock.
func TestRemadeGroupWaitsForLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, memory.Config{TTL: 6 * time.Second, Shards: shardset.Range("orders", 4)})
		join(t, s, "a")
		time.Sleep(2 * time.Second)
		s.Delete()
		if err := s.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := join(t, s, "b")
		for range 3 {
			if got := b.beat(); len(got.Grants) != 0 {
				t.Fatalf("b is granted %v while the lease of a runs", got.Grants)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Second)
		if got := b.beat(); len(got.Grants) != 4 {
			t.Errorf("when it has ended b is granted %v, want all four", got.Grants)
		}
	})
}

func TestBadListOfShardsChangesNothing(t *testing.T) {
	s := newService(t, memory.Config{Shards: shardset.Range("orders", 3)})
	a := join(t, s, "a")
	before := s.Snapshot()
	id := func(n int) shardset.ID { return shardset.ID{Log: "orders", Number: n} }
	for _, list := range [][]shardset.Shard{
		{{ID: id(0)}, {ID: id(0)}},
		{{ID: id(-1)}},
		{{ID: id(0), Parents: []shardset.ID{id(1)}}, {ID: id(1), Parents: []shardset.ID{id(0)}}},
	} {
		if err := s.SetShards(list); err == nil {
			t.Errorf("SetShards took %v", list)
		}
	}
	if after := s.Snapshot(); !slices.Equal(after.Shards, before.Shards) || after.Generation != before.Generation {
		t.Errorf("bad lists changed the group from %+v to %+v", before, after)
	}
	if got := a.beat(); len(got.Grants) != 3 {
		t.Errorf("after bad lists a holds %v, want all three", got.Grants)
	}
}

// The list belongs to its caller, also for a group that is made anew from it.
func TestListOfShardsIsCopied(t *testing.T) {
	s := newService(t, memory.Config{})
	list := []shardset.Shard{{ID: shardset.ID{Log: "orders"}}}
	if err := s.SetShards(list); err != nil {
		t.Fatal(err)
	}
	list[0].ID.Log = "events"
	s.Delete()
	if err := s.Create(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := s.Snapshot().Shards[0].ID.Log; got != "orders" {
		t.Errorf("the new group has the log %q, want orders", got)
	}
}

func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, memory.Config{TTL: 6 * time.Second, Shards: shardset.Range("orders", 4)})
		a := join(t, s, "a")
		time.Sleep(time.Second)
		join(t, s, "b")
		snap := s.Snapshot()
		var owners, next []string
		for _, sh := range snap.Shards {
			owners, next = append(owners, sh.Owner), append(next, sh.Next)
		}
		if want := []string{"a", "a", "a", "a"}; !slices.Equal(owners, want) {
			t.Errorf("owners are %q, want %q", owners, want)
		}
		if want := []string{"", "", "b", "b"}; !slices.Equal(next, want) {
			t.Errorf("next are %q, want %q", next, want)
		}
		if m := snap.Members; len(m) != 2 || m[0].Name != "a" || m[0].Held != 4 || m[1].Incoming != 2 || m[1].Expires.Sub(m[0].Expires) != time.Second {
			t.Errorf("members are %+v, want a with 4 and b with 2 to come, whose lease ends 1s later", m)
		}
		// Time passes in a snapshot too, whether anybody beats or not.
		time.Sleep(5 * time.Second)
		if sh := s.Snapshot().Shards[0]; sh.Owner != "b" || sh.Epoch <= a.request.Held[0].Epoch {
			t.Errorf("when a's lease has ended its shard is %+v, want b's, under a higher epoch than %d", sh, a.request.Held[0].Epoch)
		}
		time.Sleep(time.Second)
		if snap := s.Snapshot(); len(snap.Members) != 0 || snap.Shards[0].State != group.StateFree {
			t.Errorf("when all leases have ended the group is %+v", snap)
		}
	})
}

// The TTL changes in two phases: who has not shown that it has seen a shorter one is waited
// for as long as its lease may last. The group keeps the TTL when it is made anew.
func TestSetTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := memory.New(memory.Config{TTL: 10 * time.Second, Shards: shardset.Range("orders", 2)})
		if err != nil {
			t.Fatal(err)
		}
		r := shardset.Heartbeat{Member: "a", Instance: 1}
		beat := func(want time.Duration) {
			t.Helper()
			r.Seq++
			a, err := s.Beat(t.Context(), r)
			if err != nil || a.TTL != want {
				t.Fatalf("a heartbeat got a lease of %v, %v; want %v", a.TTL, err, want)
			}
			r.Held, r.Generation = a.Grants, a.Generation
		}
		beat(10 * time.Second)
		beat(10 * time.Second)
		if err := s.SetTTL(4 * time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Second)
		if n := len(s.Snapshot().Members); n != 1 {
			t.Error("a member was expired while its lease lasted")
		}
		for range 3 { // it learns of it, shows that, and is waited for as the answer says
			beat(4 * time.Second)
		}
		time.Sleep(4 * time.Second)
		if n := len(s.Snapshot().Members); n != 0 {
			t.Error("a member that has seen the TTL of 4s was not expired after that time")
		}
		s.Delete()
		if err := s.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.Snapshot().TTL; got != 4*time.Second {
			t.Errorf("the group that was made anew has a TTL of %v", got)
		}
		if err := s.SetTTL(0); err == nil {
			t.Error("a TTL of 0 was taken")
		}
	})
}

// The Config of an ordered group names the parents of its shards, and their children wait.
func TestConfigNamesParents(t *testing.T) {
	parent, child := shardset.ID{Log: "orders"}, shardset.ID{Log: "orders", Number: 1}
	s := newService(t, memory.Config{Ordered: true, Shards: []shardset.Shard{{ID: child, Parents: []shardset.ID{parent}}, {ID: parent}}})
	beat := shardset.Heartbeat{Member: "a"}
	beat.Instance, beat.Seq = 1, 1
	a, err := s.Beat(t.Context(), beat)
	if err != nil || len(a.Grants) != 1 || a.Grants[0].ID != parent {
		t.Errorf("granted %v, %v; the child of %s must wait", a.Grants, err, parent)
	}
}
