package state_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// desk is a Replica under test with the store that it writes to: revisions count up.
type desk struct {
	t        testing.TB
	r        *state.Replica
	now      time.Time
	revision uint64
}

// newDesk returns a Replica that has adopted a new group with the shards 0 to n-1.
func newDesk(t testing.TB, n int) *desk {
	t.Helper()
	d := &desk{t: t, r: state.NewReplica(), now: simStart}
	g, err := group.New(group.Config{TTL: rigTTL, FirstEpoch: 100})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.SetShards(time.Time{}, list(n)); err != nil {
		t.Fatal(err)
	}
	doc := state.Document{Group: g}
	d.adopt(doc.Encode())
	return d
}

func (d *desk) adopt(data []byte) {
	d.t.Helper()
	d.revision++
	if err := d.r.Adopt(d.now, d.revision, version(d.t, data)); err != nil {
		d.t.Fatal(err)
	}
}

// version reads a document that can be read.
func version(t testing.TB, data []byte) *state.Version {
	t.Helper()
	v, err := state.ReadVersion(data)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// observe shows the Replica a record as it is in the store; one that cannot be read is the
// zero Record.
func observe(r *state.Replica, now time.Time, member string, revision uint64, data []byte) {
	rec, _ := state.DecodeRecord(member, data)
	r.Observe(now, member, revision, &rec)
}

// say shows the Replica a member's next record, and returns its revision.
func (d *desk) say(rec state.Record) uint64 {
	d.t.Helper()
	d.revision++
	observe(d.r, d.now, rec.Member, d.revision, rec.Encode())
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
	if err := d.r.AdoptWritten(d.now, d.revision, version(d.t, data)); err != nil {
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
	d.r.DiscardStep() // and nothing else comes of the same records and the document as written
	if pending, err := d.r.Pending(); pending || err != nil {
		d.t.Fatalf("a step is pending when the records are applied anew: %v, %v", pending, err)
	}
}

// alive is the record of a member that holds what it is told, but for some shards.
func (d *desk) alive(name string, instance uint64, without ...int) state.Record {
	a := d.r.Answer(name, instance)
	held := slices.DeleteFunc(slices.Clone(a.Grants), func(g shardset.Grant) bool {
		return slices.Contains(without, g.ID.Number)
	})
	return record(state.StandingAlive, name, instance, a.Generation, held...)
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
	d.say(record(state.StandingAlive, "a", 1, 0))
	d.want("a", 1)
	d.step()
	d.want("a", 1, at(0, 101), at(1, 101), at(2, 101), at(3, 101))
	d.want("a", 2)
	d.say(d.alive("a", 1))
	d.settled() // it says nothing new

	d.say(record(state.StandingAlive, "b", 1, 0))
	d.step()
	d.want("a", 1, at(0, 101), at(1, 101))
	d.want("b", 1)
	all := d.r.Answer("a", 1).Generation - 1
	// Its record omits them, but shows that it does not know of the revocation: that releases nothing.
	d.say(record(state.StandingAlive, "a", 1, all, at(0, 101), at(1, 101)))
	d.settled()
	d.say(d.alive("a", 1))
	d.step()
	d.want("b", 1, at(2, 102), at(3, 102))

	d.say(record(state.StandingLeft, "a", 1, d.r.Answer("a", 1).Generation))
	d.step()
	d.want("a", 1)
	d.want("b", 1, at(0, 102), at(1, 102), at(2, 102), at(3, 102))
}

// A step takes in whatever there is: that is how a thousand members join at once.
func TestReplicaStepsOnceForMany(t *testing.T) {
	d := newDesk(t, 100)
	for i := range 50 {
		d.say(record(state.StandingAlive, string(rune('A'+i)), 1, 0))
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
	d.say(record(state.StandingAlive, "a", 1, 0))
	data, _ := d.r.Step()
	old := slices.Clone(data)
	d.step()
	newest := d.r.Revision()
	generation := d.r.Answer("a", 1).Generation

	empty := state.Document{Group: crowded(t, 0, 0), Deleted: true}
	if err := d.r.Adopt(d.now, first, version(t, empty.Encode())); err != nil || d.r.Revision() != newest {
		t.Errorf("an older revision was not ignored: %v, revision %d", err, d.r.Revision())
	}
	late := record(state.StandingAlive, "a", 1, generation, at(0, 101), at(1, 101))
	rev := d.say(late)
	observe(d.r, d.now, "a", rev-1, []byte("older"))
	d.say(record(state.StandingAlive, "b", 1, 0))
	d.step()
	if err := d.r.Adopt(d.now, d.revision+10, version(t, old)); !errors.Is(err, state.ErrRolledBack) {
		t.Errorf("an old document under a new revision: %v, want ErrRolledBack", err)
	}
	d.want("b", 1)
	d.r.Reset()
	if known, _ := d.r.Known(); known {
		t.Error("the document is known that was forgotten")
	}
	if err := d.r.Adopt(d.now, 1, version(t, old)); err != nil {
		t.Errorf("who has forgotten takes what there is: %v", err)
	}
}

func TestReplicaExpiresMembersOnly(t *testing.T) {
	d := newDesk(t, 2)
	d.say(record(state.StandingAlive, "a", 5, 0))
	d.step()
	for _, c := range []struct {
		what string
		rec  state.Record
		want bool
	}{
		{"its own record", record(state.StandingAlive, "a", 5, 0), true},
		{"one that left and lists something", record(state.StandingLeft, "a", 5, 0, at(0, 101)), true},
		{"one that left", record(state.StandingLeft, "a", 5, 0), false},
		{"a tombstone", record(state.StandingExpired, "a", 5, 0), false},
		{"a later instance, which is about to join", record(state.StandingAlive, "a", 6, 0), false},
		{"an earlier instance's, as its own was lost", record(state.StandingAlive, "a", 4, 0), true},
		{"a tombstone of an earlier instance", record(state.StandingExpired, "a", 4, 0), true},
		{"a stranger", record(state.StandingAlive, "z", 5, 0), false},
	} {
		if v, ok := d.r.Expire(c.rec.Member, 77, &c.rec); ok != c.want || ok && (v.Revision != 77 || v.Instance != 5) {
			t.Errorf("%s: tombstone %+v, %v, want %v", c.what, v, ok, c.want)
		}
	}
}

// What a member has given up is not its own any more, although the document says so
// until the next step: that may grant it to somebody else, or to it under another epoch.
func TestReplicaReleased(t *testing.T) {
	d := newDesk(t, 4)
	d.say(record(state.StandingAlive, "a", 1, 0))
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
		t.Errorf("before it knows of its grants it releases %v", got)
	}
	if got := d.r.Released("a", 2, without.Held, without.Generation); len(got) != 0 {
		t.Errorf("another instance gives up %v", got)
	}
	d.say(without)
	d.step()
	d.want("a", 1, at(0, 101), at(1, 101), at(2, 102), at(3, 101))

	// On its way to another member: the promise may be taken back.
	d.say(record(state.StandingAlive, "b", 1, 0))
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
		d.say(record(state.StandingAlive, name, 1, 0))
	}
	d.step()
	for name, want := range map[string]int{"a": 0, "b": 1, "c": 2, "x": 3} {
		if got := d.r.Rank(only(name)); got != want {
			t.Errorf("%s has rank %d of %d, want %d", name, got, d.r.Members(), want)
		}
	}
	for mine, want := range map[string][]string{"a": {"b"}, "c": {"a"}, "ab": {"b", "c"}, "ac": {"b", "a"}, "x": nil} {
		of := func(member string, _ uint64) bool { return strings.Contains(mine, member) }
		if got := d.r.NextMembers(of); !slices.Equal(got, want) {
			t.Errorf("behind %s are %v, want %v", mine, got, want)
		}
	}
}

// A group that is deleted and made anew goes on above the old epochs.
func TestReplicaDeleted(t *testing.T) {
	d := newDesk(t, 2)
	d.say(record(state.StandingAlive, "a", 1, 0))
	d.step()
	gone, err := d.r.Delete()
	if err != nil {
		t.Fatal(err)
	}
	d.adopt(gone)
	if known, deleted := d.r.Known(); !known || !deleted || d.r.TTL() != 0 || d.r.Born() != 0 {
		t.Errorf("known %v, deleted %v, TTL %v, born %d", known, deleted, d.r.TTL(), d.r.Born())
	}
	d.want("a", 1)
	if data, err := d.r.Step(); data != nil || err != nil {
		t.Errorf("a deleted group makes a step: %v", err)
	}
}

// What the document has taken in of a record need not be told again; what it has not, must.
func TestReplicaTaken(t *testing.T) {
	d := newDesk(t, 4)
	d.say(record(state.StandingAlive, "a", 1, 0))
	d.step()
	d.say(record(state.StandingAlive, "b", 1, 0))
	d.step()
	all := []shardset.Grant{at(0, 101), at(1, 101), at(2, 101), at(3, 101)}
	for _, c := range []struct {
		what   string
		change func(rec *state.Record)
		want   bool
	}{
		{"all that it owns, those on their way included", func(*state.Record) {}, true},
		{"an old generation", func(rec *state.Record) { rec.Generation = 1 }, true},
		{"less than it owns", func(rec *state.Record) { rec.Held = all[:3] }, false},
		{"other than it owns", func(rec *state.Record) { rec.Held = append(slices.Clone(all[:3]), at(9, 1)) }, false},
		{"another instance", func(rec *state.Record) { rec.Instance = 2 }, false},
		{"another member", func(rec *state.Record) { rec.Member = "c" }, false},
		{"another weight", func(rec *state.Record) { rec.Weight = 2 }, false},
		{"something done", func(rec *state.Record) { rec.Complete = []shardset.ID{id(0)} }, false},
		{"something ended", func(rec *state.Record) { rec.Closed = []shardset.ID{id(0)} }, false},
		{"that it takes nothing more", func(rec *state.Record) { rec.Leaving = true }, false},
		{"that it has left", func(rec *state.Record) { rec.Standing = state.StandingLeft }, false},
	} {
		rec := record(state.StandingAlive, "a", 1, d.r.Answer("a", 1).Generation, all...)
		c.change(&rec)
		if got := d.r.Applied(&rec); got != c.want {
			t.Errorf("a record that says %s is taken: %v, want %v", c.what, got, c.want)
		}
	}
}
