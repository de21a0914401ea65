package state_test

import (
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Records of the deleted group do not join the one after it, whatever they say; but that
// they are over counts.
func TestRecordsOfTheDeletedGroup(t *testing.T) {
	d := newDesk(t, 4)
	d.say(record(state.StandingAlive, "a", 1, 0))
	d.say(record(state.StandingAlive, "b", 1, 0))
	d.step()
	d.say(record(state.StandingAlive, "idle", 1, 0)) // a member that has just come
	gone, err := d.r.Delete()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := state.DecodeDocument(gone)
	if err != nil {
		t.Fatal(err)
	}
	next, err := doc.Remake(group.Config{TTL: rigTTL / 2, FirstEpoch: 100}, list(4))
	if err != nil {
		t.Fatal(err)
	}
	if next.Born <= doc.Group.State().Generation || next.VoidEpoch != next.Born {
		t.Errorf("born in %d, void up to %d, after generation %d", next.Born, next.VoidEpoch, doc.Group.State().Generation)
	}
	d.adopt(gone)
	d.adopt(next.Encode())
	d.settled()
	if !d.r.Former("a", 1) || d.r.Former("a", 2) || d.r.Former("idle", 1) || d.r.Members() != 0 || d.r.Expiry() != rigTTL {
		t.Errorf("of %d members, with a silence of %v", d.r.Members(), d.r.Expiry())
	}
	if _, owned := d.r.Owner(at(0, 0).ID); owned {
		t.Error("a former member owns a shard")
	}
	mine := record(state.StandingAlive, "c", 1, 0)
	mine.Born = next.Born
	d.say(mine)
	d.say(record(state.StandingAlive, "a", 1, 1<<40))    // has seen whatever there was, and holds nothing
	d.say(record(state.StandingAlive, "b", 2, 0))        // a later instance, of a process that lags
	d.say(record(state.StandingAlive, "stranger", 1, 0)) // likewise
	d.say(record(state.StandingLeft, "unknown", 1, 0))
	d.step()
	d.want("c", 1)
	if d.r.Members() != 1 || d.r.Instance("stranger") != 0 || d.r.Instance("b") != 1 {
		t.Errorf("of the deleted group %d members have joined", d.r.Members()-1)
	}
	due, _ := d.r.ExpiredMembers(d.now.Add(rigTTL))
	if len(due) != 0 {
		t.Errorf("within their lease there are tombstones %v", due)
	}
	due, _ = d.r.ExpiredMembers(d.now.Add(rigTTL + 1))
	if len(due) != 3 || due[0].Member != "a" || due[1].Member != "b" || due[1].Instance != 2 {
		t.Fatalf("after it the tombstones are %+v", due)
	}
	foreign := record(state.StandingAlive, "b", 2, 0)
	if v, ok := d.r.Expire("b", 77, &foreign); !ok || v.Instance != 2 {
		t.Errorf("by the store's clock: %+v, %v", v, ok)
	}
	d.say(record(state.StandingExpired, "b", 2, 0))
	d.say(record(state.StandingLeft, "a", 1, 0))
	d.step()
	if n := len(d.r.Answer("c", 1).Grants); n != 4 || d.r.Expiry() != rigTTL/2 {
		t.Errorf("when both are over c has %d shards, with a silence of %v", n, d.r.Expiry())
	}
}

// The members of a group that is deleted while its TTL changes are waited for as long as
// the group would have waited.
func TestSuccessorOfAChangedTTL(t *testing.T) {
	g, err := group.New(group.Config{TTL: rigTTL})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.SetShards(simStart, list(2)); err != nil {
		t.Fatal(err)
	}
	a := shardset.Heartbeat{Member: "a"}
	a.Instance, a.Seq = 1, 1
	if _, err := g.Beat(simStart, a); err != nil {
		t.Fatal(err)
	}
	if err := g.SetTTL(simStart, rigTTL/2); err != nil {
		t.Fatal(err)
	}
	next, err := g.Successor(time.Time{}, group.Config{TTL: time.Second}, list(2))
	if err != nil {
		t.Fatal(err)
	}
	d := state.Document{Group: next}
	replica := state.NewReplica()
	if err := replica.Adopt(simStart, 1, version(t, d.Encode())); err != nil {
		t.Fatal(err)
	}
	if got := replica.Expiry(); got != rigTTL {
		t.Errorf("they are waited for %v, want %v", got, rigTTL)
	}
}
