package state_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

func TestReplicaTombstones(t *testing.T) {
	d := newDesk(t, 4)
	d.say(record(state.StandingAlive, "a", 1, 0))
	d.say(record(state.StandingAlive, "b", 1, 0))
	d.step()
	d.say(d.alive("a", 1))
	d.now = d.now.Add(rigTTL - time.Second)
	rev := d.say(d.alive("b", 1))
	if due, next := d.r.ExpiredMembers(d.now); len(due) > 0 || !next.Equal(simStart.Add(rigTTL)) {
		t.Fatalf("tombstones %v, and the next at %v", due, next)
	}
	d.now = d.now.Add(1001 * time.Millisecond)
	due, next := d.r.ExpiredMembers(d.now)
	if len(due) != 1 || due[0].Member != "a" || due[0].Instance != 1 || due[0].Revision >= rev || !next.Equal(d.now.Add(rigTTL-1001*time.Millisecond)) {
		t.Fatalf("tombstones %+v, and the next at %v", due, next)
	}
	d.settled() // silence alone changes nothing: the record has to say it
	d.revision++
	observe(d.r, d.now, "a", d.revision, due[0].Encode())
	d.say(d.alive("b", 1))
	again, _ := d.r.ExpiredMembers(d.now.Add(rigTTL + 1))
	if slices.ContainsFunc(again, func(v state.Tombstone) bool { return v.Member == "a" }) {
		t.Errorf("tombstones %v of a member that has one already", again)
	}
	if waste := d.r.OrphanedRecords(d.now.Add(3 * rigTTL)); len(waste) != 0 {
		t.Errorf("a tombstone that no step has applied is listed as orphaned: %v", waste)
	}
	d.step()
	d.want("b", 1, at(0, 102), at(1, 102), at(2, 101), at(3, 101))
	if waste := d.r.OrphanedRecords(d.now.Add(2 * rigTTL)); len(waste) != 0 {
		t.Errorf("the verdict goes too early: %v", waste)
	}
	if waste := d.r.OrphanedRecords(d.now.Add(2*rigTTL + 1)); len(waste) != 1 || waste[0].Revision != d.revision-2 {
		t.Errorf("of the verdict nothing would go: %v", waste)
	}

	// The expired member comes back as a later instance.
	d.say(record(state.StandingAlive, "a", 2, 0))
	d.step()
	if len(d.r.Answer("a", 2).Grants)+len(d.r.Answer("b", 1).Grants) != 2 {
		t.Errorf("a has %v, b %v; two of b's shards should be on their way", d.r.Answer("a", 2).Grants, d.r.Answer("b", 1).Grants)
	}
	// A later instance has written a record, but is not a member yet. So the member does not expire.
	d.say(record(state.StandingAlive, "b", 2, 0))
	if due, _ := d.r.ExpiredMembers(d.now.Add(rigTTL + 1)); slices.ContainsFunc(due, func(v state.Tombstone) bool { return v.Member == "b" }) {
		t.Errorf("tombstones %v on one who is about to be replaced", due)
	}
	d.step()
	// A tombstone of the former instance does not concern it.
	old := state.Tombstone{Member: "a", Instance: 1}
	d.revision++
	observe(d.r, d.now, "a", d.revision, old.Encode())
	d.settled()
	// Its own record is gone with that, so its time runs from when it was met.
	if due, _ := d.r.ExpiredMembers(d.now.Add(rigTTL + 1)); !slices.ContainsFunc(due, func(v state.Tombstone) bool { return v.Member == "a" && v.Instance == 2 }) {
		t.Errorf("a has no record, and is not listed as missing one: %v", due)
	}
}

// After BeginReload a Replica keeps only the records that its process wrote and those of ended members.
// A version that it observes again keeps its age. EndReload forgets the records that were not observed.
func TestReplicaReload(t *testing.T) {
	d := newDesk(t, 4)
	revs := map[string]uint64{}
	for _, name := range []string{"a", "b", "c"} {
		revs[name] = d.say(record(state.StandingAlive, name, 1, 0))
	}
	d.step()
	dead := state.Tombstone{Member: "c", Instance: 1}
	d.revision++
	revs["c"] = d.revision
	observe(d.r, d.now, "c", revs["c"], dead.Encode())
	revs["x"] = d.say(record(state.StandingAlive, "x", 1, 0)) // wants to join
	revs["y"] = d.say(record(state.StandingAlive, "y", 1, 0)) // and so does a stranger
	start := d.now
	d.now = d.now.Add(rigTTL / 2)
	d.r.BeginReload(func(member string, revision uint64) bool {
		return (member == "a" || member == "x") && revision == revs[member]
	})
	if due, next := d.r.ExpiredMembers(start.Add(rigTTL)); len(due) != 0 || !next.Equal(start.Add(rigTTL)) {
		t.Errorf("tombstones %v; the next one is due at %v, when a is silent for a TTL", due, next)
	}
	d.step()
	if d.r.Instance("x") != 1 || d.r.Instance("c") != 0 || d.r.Instance("y") != 0 {
		t.Error("its own members and last words count on, and nothing else")
	}

	// In the store is another version of a; b's is the one of before; x's was removed.
	d.say(record(state.StandingAlive, "a", 1, 0, at(0, 101)))
	old := record(state.StandingAlive, "b", 1, 0)
	observe(d.r, d.now, "b", revs["b"], old.Encode())
	d.r.EndReload(d.now)
	if due, _ := d.r.ExpiredMembers(start.Add(rigTTL + 1)); len(due) != 1 || due[0].Member != "b" {
		t.Errorf("a TTL after b spoke there are tombstones on %v", due)
	}
	due, _ := d.r.ExpiredMembers(d.now.Add(rigTTL + 1))
	if !slices.ContainsFunc(due, func(v state.Tombstone) bool { return v.Member == "x" && v.Revision == 0 }) {
		t.Errorf("a record that is not in the store any more is not missed: %v", due)
	}
	// The age of a record is kept for one reload only.
	d.r.BeginReload(func(string, uint64) bool { return false })
	d.r.EndReload(d.now)
	observe(d.r, d.now, "b", revs["b"], old.Encode())
	if due, _ := d.r.ExpiredMembers(start.Add(rigTTL + 1)); len(due) != 0 {
		t.Errorf("what was removed and came again is as old as before: %v", due)
	}
}

// A member without a record expires when it has had none for a TTL, counted by a process that has
// observed all records.
func TestReplicaMissesRecords(t *testing.T) {
	d := newDesk(t, 2)
	d.say(record(state.StandingAlive, "a", 1, 0))
	d.step()
	d.r.BeginReload(func(string, uint64) bool { return false })
	d.now = d.now.Add(time.Hour) // it is shown late: until now there may have been one
	d.r.EndReload(d.now)
	if due, next := d.r.ExpiredMembers(d.now.Add(rigTTL)); len(due) != 0 || !next.Equal(d.now.Add(rigTTL)) {
		t.Errorf("tombstones %v, and the next at %v", due, next)
	}
	due, _ := d.r.ExpiredMembers(d.now.Add(rigTTL + 1))
	if len(due) != 1 || due[0] != (state.Tombstone{Member: "a", Instance: 1}) {
		t.Errorf("tombstones %+v", due)
	}
	if absent := d.r.MissingRecords(d.now.Add(rigTTL + 1)); !slices.Equal(absent, due) {
		t.Errorf("absent are %+v", absent)
	}
	// One that is removed before its eyes was there until then.
	d.say(record(state.StandingAlive, "a", 1, 0))
	d.now = d.now.Add(time.Hour)
	d.r.Observe(d.now, "a", 0, nil)
	if due, _ := d.r.ExpiredMembers(d.now.Add(rigTTL)); len(due) != 0 {
		t.Errorf("as soon as its record was removed there are tombstones %v", due)
	}
	// It comes back as another instance, and that one's record is lost at once.
	d.say(record(state.StandingAlive, "a", 2, 0))
	d.step()
	d.r.Observe(d.now, "a", 0, nil)
	if due, next := d.r.ExpiredMembers(d.now.Add(rigTTL)); len(due) != 0 || !next.Equal(d.now.Add(rigTTL)) {
		t.Errorf("tombstones %v on an instance that has just come, and the next at %v", due, next)
	}
	// A record that this version cannot read is a sign of life.
	observe(d.r, d.now, "a", 900, []byte{99})
	d.now = d.now.Add(rigTTL)
	observe(d.r, d.now, "a", 901, []byte{99})
	if due, _ := d.r.ExpiredMembers(d.now.Add(rigTTL)); len(due) != 0 {
		t.Errorf("tombstones %v", due)
	}
	if v, ok := d.r.Expire("a", 901, &state.Record{}); !ok || v != (state.Tombstone{Member: "a", Instance: 2, Revision: 901}) {
		t.Errorf("by the store's clock: %+v, %v", v, ok)
	}
}
