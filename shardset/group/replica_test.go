package group_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// desk is a Replica under test with the store that it writes to: revisions count up.
type desk struct {
	t        testing.TB
	r        *group.Replica
	now      time.Time
	revision uint64
}

// newDesk is a Replica that was shown a new group with the shards 0 to n-1.
func newDesk(t testing.TB, n int) *desk {
	t.Helper()
	d := &desk{t: t, r: group.NewReplica(), now: simStart}
	g, err := group.New(group.Config{TTL: rigTTL, FirstEpoch: 100})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.SetShards(time.Time{}, list(n)); err != nil {
		t.Fatal(err)
	}
	doc := group.Document{Group: g}
	d.adopt(doc.Encode())
	return d
}

func (d *desk) adopt(data []byte) {
	d.t.Helper()
	d.revision++
	if err := d.r.Adopt(d.now, d.revision, data); err != nil {
		d.t.Fatal(err)
	}
}

// say shows the Replica a member's next record, and returns its revision.
func (d *desk) say(rec group.Record) uint64 {
	d.t.Helper()
	d.revision++
	if err := d.r.Observe(d.now, rec.Member, d.revision, rec.Encode()); err != nil {
		d.t.Fatal(err)
	}
	return d.revision
}

// step makes the step that is pending.
func (d *desk) step() {
	d.t.Helper()
	data, err := d.r.Step()
	if err != nil || data == nil {
		d.t.Fatalf("there is no step to make: %v", err)
	}
	d.revision++
	if err := d.r.Stepped(d.now, d.revision, data); err != nil {
		d.t.Fatal(err)
	}
	d.settled()
}

// settled fails the test if another step is pending: one takes everything in.
func (d *desk) settled() {
	d.t.Helper()
	if pending, err := d.r.Pending(); pending || err != nil {
		d.t.Fatalf("a step is pending: %v, %v", pending, err)
	}
	d.r.Redo() // and nothing else comes of the same records and the document as written
	if pending, err := d.r.Pending(); pending || err != nil {
		d.t.Fatalf("a step is pending when the records are applied anew: %v, %v", pending, err)
	}
}

// alive is the record of a member that holds what it is told, but for some shards.
func (d *desk) alive(name string, instance uint64, without ...int) group.Record {
	a := d.r.Answer(name, instance)
	held := slices.DeleteFunc(slices.Clone(a.Grants), func(g shardset.Grant) bool {
		return slices.Contains(without, g.ID.Number)
	})
	return record(group.StandingAlive, name, instance, a.Generation, held...)
}

func (d *desk) want(name string, instance uint64, grants ...shardset.Grant) {
	d.t.Helper()
	if got := d.r.Answer(name, instance).Grants; !slices.Equal(got, grants) {
		d.t.Fatalf("%s/%d may hold %v, want %v", name, instance, got, grants)
	}
}

func at(n int, epoch uint64) shardset.Grant { return shardset.Grant{ID: id(n), Epoch: epoch} }

func TestReplicaSharesOut(t *testing.T) {
	d := newDesk(t, 4)
	d.say(record(group.StandingAlive, "a", 1, 0))
	d.want("a", 1)
	d.step()
	d.want("a", 1, at(0, 101), at(1, 101), at(2, 101), at(3, 101))
	d.want("a", 2)
	d.say(d.alive("a", 1))
	d.settled() // it says nothing new

	d.say(record(group.StandingAlive, "b", 1, 0))
	d.step()
	d.want("a", 1, at(0, 101), at(1, 101))
	d.want("b", 1)
	all := d.r.Answer("a", 1).Generation - 1
	// It lists them no more, and has not heard why it should: that releases nothing.
	d.say(record(group.StandingAlive, "a", 1, all, at(0, 101), at(1, 101)))
	d.settled()
	d.say(d.alive("a", 1))
	d.step()
	d.want("b", 1, at(2, 102), at(3, 102))

	d.say(record(group.StandingLeft, "a", 1, d.r.Answer("a", 1).Generation))
	d.step()
	d.want("a", 1)
	d.want("b", 1, at(0, 102), at(1, 102), at(2, 102), at(3, 102))
}

// A step takes in whatever there is: that is how a thousand members join at once.
func TestReplicaStepsOnceForMany(t *testing.T) {
	d := newDesk(t, 100)
	for i := range 50 {
		d.say(record(group.StandingAlive, string(rune('A'+i)), 1, 0))
	}
	before := d.r.Answer("A", 1).Generation
	d.step()
	a := d.r.Answer("A", 1)
	if len(a.Grants) != 2 || a.Generation != before+1 {
		t.Errorf("one of fifty may hold %d of a hundred shards in generation %d after %d", len(a.Grants), a.Generation, before)
	}
}

func TestReplicaBelievesRevisions(t *testing.T) {
	d := newDesk(t, 2)
	first := d.revision
	d.say(record(group.StandingAlive, "a", 1, 0))
	data, _ := d.r.Step()
	old := slices.Clone(data)
	d.step()
	newest := d.r.Revision()
	generation := d.r.Answer("a", 1).Generation

	empty := group.Document{Epoch: 500}
	if err := d.r.Adopt(d.now, first, empty.Encode()); err != nil || d.r.Revision() != newest {
		t.Errorf("an older revision was not ignored: %v, revision %d", err, d.r.Revision())
	}
	late := record(group.StandingAlive, "a", 1, generation, at(0, 101), at(1, 101))
	rev := d.say(late)
	if err := d.r.Observe(d.now, "a", rev-1, []byte("older")); err != nil {
		t.Errorf("an older record was read: %v", err)
	}
	d.say(record(group.StandingAlive, "b", 1, 0))
	d.step()
	if err := d.r.Adopt(d.now, d.revision+10, old); !errors.Is(err, group.ErrRolledBack) {
		t.Errorf("an old document under a new revision: %v, want ErrRolledBack", err)
	}
	d.want("b", 1)
	d.r.Forget()
	if known, _ := d.r.Known(); known {
		t.Error("the document is known that was forgotten")
	}
	if err := d.r.Adopt(d.now, 1, old); err != nil {
		t.Errorf("who has forgotten takes what there is: %v", err)
	}
}

func TestReplicaVerdicts(t *testing.T) {
	d := newDesk(t, 4)
	d.say(record(group.StandingAlive, "a", 1, 0))
	d.say(record(group.StandingAlive, "b", 1, 0))
	d.step()
	d.say(d.alive("a", 1))
	d.now = d.now.Add(rigTTL - time.Second)
	rev := d.say(d.alive("b", 1))
	if due, next := d.r.Overdue(d.now); len(due) > 0 || !next.Equal(simStart.Add(rigTTL)) {
		t.Fatalf("verdicts %v, and the next at %v", due, next)
	}
	d.now = d.now.Add(1001 * time.Millisecond)
	due, next := d.r.Overdue(d.now)
	if len(due) != 1 || due[0].Member != "a" || due[0].Instance != 1 || due[0].Revision >= rev || !next.Equal(d.now.Add(rigTTL-1001*time.Millisecond)) {
		t.Fatalf("verdicts %+v, and the next at %v", due, next)
	}
	d.settled() // silence alone changes nothing: the record has to say it
	d.revision++
	if err := d.r.Observe(d.now, "a", d.revision, due[0].Encode()); err != nil {
		t.Fatal(err)
	}
	d.say(d.alive("b", 1))
	again, _ := d.r.Overdue(d.now.Add(rigTTL + 1))
	if slices.ContainsFunc(again, func(v group.Verdict) bool { return v.Member == "a" }) {
		t.Errorf("verdicts %v on one who is dead already", again)
	}
	if waste := d.r.Waste(d.now.Add(3 * rigTTL)); len(waste) != 0 {
		t.Errorf("a verdict would go that nobody has taken up: %v", waste)
	}
	d.step()
	d.want("b", 1, at(0, 102), at(1, 102), at(2, 101), at(3, 101))
	if waste := d.r.Waste(d.now.Add(2 * rigTTL)); len(waste) != 0 {
		t.Errorf("the verdict goes too early: %v", waste)
	}
	if waste := d.r.Waste(d.now.Add(2*rigTTL + 1)); len(waste) != 1 || waste[0].Revision != d.revision-2 {
		t.Errorf("of the verdict nothing would go: %v", waste)
	}

	// The dead one comes back as a later instance.
	d.say(record(group.StandingAlive, "a", 2, 0))
	d.step()
	if len(d.r.Answer("a", 2).Grants)+len(d.r.Answer("b", 1).Grants) != 2 {
		t.Errorf("a has %v, b %v; two of b's shards should be on their way", d.r.Answer("a", 2).Grants, d.r.Answer("b", 1).Grants)
	}
	// One more instance has spoken, and is no member yet: the member is not silent.
	d.say(record(group.StandingAlive, "b", 2, 0))
	if due, _ := d.r.Overdue(d.now.Add(rigTTL + 1)); slices.ContainsFunc(due, func(v group.Verdict) bool { return v.Member == "b" }) {
		t.Errorf("verdicts %v on one who is about to be replaced", due)
	}
	d.step()
	// A verdict on the former instance does not concern it.
	old := group.Verdict{Member: "a", Instance: 1}
	d.revision++
	if err := d.r.Observe(d.now, "a", d.revision, old.Encode()); err != nil {
		t.Fatal(err)
	}
	d.settled()
	// Its own record is gone with that, so its time runs from when it was met.
	if due, _ := d.r.Overdue(d.now.Add(rigTTL + 1)); !slices.ContainsFunc(due, func(v group.Verdict) bool { return v.Member == "a" && v.Instance == 2 }) {
		t.Errorf("nobody would find that a has no record: %v", due)
	}
}

// What was shown before a new showing counts no more, but for one's own word and last
// words: it may be of members that are gone. A version that is shown again is as old as
// it was, and what is not shown again is gone.
func TestReplicaRestart(t *testing.T) {
	d := newDesk(t, 4)
	revs := map[string]uint64{}
	for _, name := range []string{"a", "b", "c"} {
		revs[name] = d.say(record(group.StandingAlive, name, 1, 0))
	}
	d.step()
	dead := group.Verdict{Member: "c", Instance: 1}
	d.revision++
	revs["c"] = d.revision
	if err := d.r.Observe(d.now, "c", revs["c"], dead.Encode()); err != nil {
		t.Fatal(err)
	}
	revs["x"] = d.say(record(group.StandingAlive, "x", 1, 0)) // wants to join
	revs["y"] = d.say(record(group.StandingAlive, "y", 1, 0)) // and so does a stranger
	start := d.now
	d.now = d.now.Add(rigTTL / 2)
	d.r.Restart(func(member string, revision uint64) bool {
		return (member == "a" || member == "x") && revision == revs[member]
	})
	if due, next := d.r.Overdue(start.Add(rigTTL)); len(due) != 0 || !next.Equal(start.Add(rigTTL)) {
		t.Errorf("verdicts %v; the next one is due at %v, when a is silent for a TTL", due, next)
	}
	d.step()
	if d.r.Instance("x") != 1 || d.r.Instance("c") != 0 || d.r.Instance("y") != 0 {
		t.Error("its own members and last words count on, and nothing else")
	}

	// In the store is another version of a; b's is the one of before; x's was removed.
	d.say(record(group.StandingAlive, "a", 1, 0, at(0, 101)))
	old := record(group.StandingAlive, "b", 1, 0)
	if err := d.r.Observe(d.now, "b", revs["b"], old.Encode()); err != nil {
		t.Fatal(err)
	}
	d.r.Shown(d.now)
	if due, _ := d.r.Overdue(start.Add(rigTTL + 1)); len(due) != 1 || due[0].Member != "b" {
		t.Errorf("a TTL after b spoke there are verdicts on %v", due)
	}
	due, _ := d.r.Overdue(d.now.Add(rigTTL + 1))
	if !slices.ContainsFunc(due, func(v group.Verdict) bool { return v.Member == "x" && v.Revision == 0 }) {
		t.Errorf("a record that is not in the store any more is not missed: %v", due)
	}
	// An age is good for one showing.
	d.r.Restart(func(string, uint64) bool { return false })
	d.r.Shown(d.now)
	if err := d.r.Observe(d.now, "b", revs["b"], old.Encode()); err != nil {
		t.Fatal(err)
	}
	if due, _ := d.r.Overdue(start.Add(rigTTL + 1)); len(due) != 0 {
		t.Errorf("what was removed and came again is as old as before: %v", due)
	}
}

// A member without a record is not dead before it was missed for a TTL by somebody who
// was shown all records.
func TestReplicaMissesRecords(t *testing.T) {
	d := newDesk(t, 2)
	d.say(record(group.StandingAlive, "a", 1, 0))
	d.step()
	d.r.Restart(func(string, uint64) bool { return false })
	d.now = d.now.Add(time.Hour) // it is shown late: until now there may have been one
	d.r.Shown(d.now)
	if due, next := d.r.Overdue(d.now.Add(rigTTL)); len(due) != 0 || !next.Equal(d.now.Add(rigTTL)) {
		t.Errorf("verdicts %v, and the next at %v", due, next)
	}
	due, _ := d.r.Overdue(d.now.Add(rigTTL + 1))
	if len(due) != 1 || due[0] != (group.Verdict{Member: "a", Instance: 1}) {
		t.Errorf("verdicts %+v", due)
	}
	if absent := d.r.Absent(d.now.Add(rigTTL + 1)); !slices.Equal(absent, due) {
		t.Errorf("absent are %+v", absent)
	}
	// One that is removed before its eyes was there until then.
	d.say(record(group.StandingAlive, "a", 1, 0))
	d.now = d.now.Add(time.Hour)
	if err := d.r.Observe(d.now, "a", 0, nil); err != nil {
		t.Fatal(err)
	}
	if due, _ := d.r.Overdue(d.now.Add(rigTTL)); len(due) != 0 {
		t.Errorf("as soon as its record was removed there are verdicts %v", due)
	}
	// It comes back as another instance, and that one's record is lost at once.
	d.say(record(group.StandingAlive, "a", 2, 0))
	d.step()
	if err := d.r.Observe(d.now, "a", 0, nil); err != nil {
		t.Fatal(err)
	}
	if due, next := d.r.Overdue(d.now.Add(rigTTL)); len(due) != 0 || !next.Equal(d.now.Add(rigTTL)) {
		t.Errorf("verdicts %v on an instance that has just come, and the next at %v", due, next)
	}
	// A record that this version cannot read is a sign of life.
	if err := d.r.Observe(d.now, "a", 900, []byte{99}); err == nil {
		t.Error("a record of format 99 was read")
	}
	d.now = d.now.Add(rigTTL)
	if err := d.r.Observe(d.now, "a", 901, []byte{99}); err == nil {
		t.Error("a record of format 99 was read")
	}
	if due, _ := d.r.Overdue(d.now.Add(rigTTL)); len(due) != 0 {
		t.Errorf("verdicts %v", due)
	}
	if v, ok := d.r.Condemn("a", 901, []byte{99}); !ok || v != (group.Verdict{Member: "a", Instance: 2, Revision: 901}) {
		t.Errorf("by the store's clock: %+v, %v", v, ok)
	}
}

func TestReplicaCondemnsMembersOnly(t *testing.T) {
	d := newDesk(t, 2)
	d.say(record(group.StandingAlive, "a", 5, 0))
	d.step()
	for _, c := range []struct {
		what string
		rec  group.Record
		want bool
	}{
		{"its own record", record(group.StandingAlive, "a", 5, 0), true},
		{"one that left and lists something", record(group.StandingLeft, "a", 5, 0, at(0, 101)), true},
		{"one that left", record(group.StandingLeft, "a", 5, 0), false},
		{"a verdict", record(group.StandingDead, "a", 5, 0), false},
		{"a later instance, which is about to join", record(group.StandingAlive, "a", 6, 0), false},
		{"an earlier instance's, as its own was lost", record(group.StandingAlive, "a", 4, 0), true},
		{"a verdict on an earlier instance", record(group.StandingDead, "a", 4, 0), true},
		{"a stranger", record(group.StandingAlive, "z", 5, 0), false},
	} {
		if v, ok := d.r.Condemn(c.rec.Member, 77, c.rec.Encode()); ok != c.want || ok && (v.Revision != 77 || v.Instance != 5) {
			t.Errorf("%s: verdict %+v, %v, want %v", c.what, v, ok, c.want)
		}
	}
}

// What a member has given up is not its own any more, although the document says so
// until the next step: that may grant it to somebody else, or to it under another epoch.
func TestReplicaReleased(t *testing.T) {
	d := newDesk(t, 4)
	d.say(record(group.StandingAlive, "a", 1, 0))
	d.step()
	all := d.alive("a", 1)
	if got := d.r.Released("a", 1, all.Held, all.Generation); len(got) != 0 {
		t.Errorf("by listing everything it gives up %v", got)
	}
	without := d.alive("a", 1, 2)
	if got := d.r.Released("a", 1, without.Held, without.Generation); !slices.Equal(got, []shardset.Grant{at(2, 101)}) {
		t.Errorf("without shard 2 it gives up %v", got)
	}
	if got := d.r.Released("a", 1, without.Held, without.Generation-1); len(got) != 0 {
		t.Errorf("before it has heard of its grants it gives up %v", got)
	}
	if got := d.r.Released("a", 2, without.Held, without.Generation); len(got) != 0 {
		t.Errorf("another instance gives up %v", got)
	}
	d.say(without)
	d.step()
	d.want("a", 1, at(0, 101), at(1, 101), at(2, 102), at(3, 101))

	// On its way to another member: the promise may be taken back.
	d.say(record(group.StandingAlive, "b", 1, 0))
	d.step()
	drained := d.alive("a", 1)
	if got := d.r.Released("a", 1, drained.Held, drained.Generation); !slices.Equal(got, []shardset.Grant{at(2, 102), at(3, 101)}) {
		t.Errorf("with the shards for b drained it gives up %v", got)
	}
	tok, ok := d.r.Owner(id(2))
	if want := (group.Token{Member: "a", Instance: 1, ID: id(2), Epoch: 102}); !ok || tok != want {
		t.Errorf("shard 2 is owned by %+v, %v; want %+v", tok, ok, want)
	}
}

func TestReplicaRanks(t *testing.T) {
	d := newDesk(t, 4)
	only := func(name string) func(string, uint64) bool {
		return func(member string, instance uint64) bool { return member == name && instance == 1 }
	}
	if got := d.r.Rank(only("a")); got != 0 || d.r.Members() != 0 {
		t.Errorf("in an empty group a has rank %d of %d", got, d.r.Members())
	}
	for _, name := range []string{"c", "a", "b"} {
		d.say(record(group.StandingAlive, name, 1, 0))
	}
	d.step()
	for name, want := range map[string]int{"a": 0, "b": 1, "c": 2, "x": 3} {
		if got := d.r.Rank(only(name)); got != want {
			t.Errorf("%s has rank %d of %d, want %d", name, got, d.r.Members(), want)
		}
	}
	for mine, want := range map[string][]string{"a": {"b"}, "c": {"a"}, "ab": {"b", "c"}, "ac": {"b", "a"}, "x": nil} {
		of := func(member string, _ uint64) bool { return strings.Contains(mine, member) }
		if got := d.r.Behind(of); !slices.Equal(got, want) {
			t.Errorf("behind %s are %v, want %v", mine, got, want)
		}
	}
}

// A group that is deleted and made anew goes on above the old epochs.
func TestReplicaDeleted(t *testing.T) {
	d := newDesk(t, 2)
	d.say(record(group.StandingAlive, "a", 1, 0))
	d.step()
	gone := group.Document{Epoch: d.r.Epoch()}
	if gone.Epoch < 101 {
		t.Errorf("the highest epoch is %d", gone.Epoch)
	}
	d.adopt(gone.Encode())
	if known, deleted := d.r.Known(); !known || !deleted || d.r.TTL() != 0 || d.r.Epoch() != gone.Epoch {
		t.Errorf("known %v, deleted %v, TTL %v, epoch %d", known, deleted, d.r.TTL(), d.r.Epoch())
	}
	d.want("a", 1)
	if data, err := d.r.Step(); data != nil || err != nil {
		t.Errorf("a deleted group makes a step: %v", err)
	}
}

// What the document has taken in of a record need not be told again; what it has not, must.
func TestReplicaTaken(t *testing.T) {
	d := newDesk(t, 4)
	d.say(record(group.StandingAlive, "a", 1, 0))
	d.step()
	d.say(record(group.StandingAlive, "b", 1, 0))
	d.step()
	all := []shardset.Grant{at(0, 101), at(1, 101), at(2, 101), at(3, 101)}
	for _, c := range []struct {
		what   string
		change func(rec *group.Record)
		want   bool
	}{
		{"all that it owns, those on their way included", func(*group.Record) {}, true},
		{"an old generation", func(rec *group.Record) { rec.Generation = 1 }, true},
		{"less than it owns", func(rec *group.Record) { rec.Held = all[:3] }, false},
		{"other than it owns", func(rec *group.Record) { rec.Held = append(slices.Clone(all[:3]), at(9, 1)) }, false},
		{"another instance", func(rec *group.Record) { rec.Instance = 2 }, false},
		{"another member", func(rec *group.Record) { rec.Member = "c" }, false},
		{"another weight", func(rec *group.Record) { rec.Weight = 2 }, false},
		{"something done", func(rec *group.Record) { rec.Done = []shardset.ID{id(0)} }, false},
		{"something ended", func(rec *group.Record) { rec.Ended = []shardset.ID{id(0)} }, false},
		{"that it takes nothing more", func(rec *group.Record) { rec.Leaving = true }, false},
		{"that it has left", func(rec *group.Record) { rec.Standing = group.StandingLeft }, false},
	} {
		rec := record(group.StandingAlive, "a", 1, d.r.Answer("a", 1).Generation, all...)
		c.change(&rec)
		if got := d.r.Taken(&rec); got != c.want {
			t.Errorf("a record that says %s is taken: %v, want %v", c.what, got, c.want)
		}
	}
}
