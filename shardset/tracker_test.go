package shardset

import (
	"slices"
	"testing"
	"time"
)

func TestDiffStartsAndRevokes(t *testing.T) {
	r := newRig(t)
	r.beat("0s", "")
	r.answer("0.1s", "3@1 1@1 2@1", "start 1@1, start 2@1, start 3@1, beat") // any order
	r.beat("0.2s", "1@1 2@1 3@1")
	r.answer("0.3s", "1@1 2@1 3@1", "")
	r.beat("2s", "1@1 2@1 3@1")
	r.answer("2.1s", "0@1 2@1 4@7", "revoke 1@1 revoked, revoke 3@1 revoked, start 0@1, start 4@7, beat")
	r.beat("2.2s", "0@1 1@1 2@1 3@1 4@7")
	r.answer("2.3s", "0@1 2@1 4@7", "") // an answer is the whole truth, not a command to repeat
	r.states("0 held, 1 draining revoked, 2 held, 3 draining revoked, 4 held")
}

// A slice that was reported stays as it was, while the Tracker goes on.
func TestReportIsNotChangedAfterwards(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	rep := r.beat("2s", "1@1 2@1")
	r.answer("2.1s", "2@1 3@1", "revoke 1@1 revoked, start 3@1, beat")
	r.returned("2.2s", "1", OutcomeReleased, "beat")
	r.beat("2.3s", "2@1 3@1")
	if got := grantsText(rep.Held); got != "1@1 2@1" {
		t.Errorf("the report of 2s has become %q, want 1@1 2@1", got)
	}
}

// The answer's slice is the service's; it may write the next answer into it.
func TestAnswerIsNotKept(t *testing.T) {
	r := newRig(t)
	grants := parseGrants(t, "1@1 2@1")
	r.beat("0s", "")
	if _, err := r.tr.Accepted(r.at("0.1s"), r.seq, Answer{Grants: grants, TTL: r.ttl}); err != nil {
		t.Fatal(err)
	}
	grants[0] = Grant{ID: ID{Number: 3}, Epoch: 1}
	r.beat("0.2s", "1@1 2@1")
	p, err := r.tr.Accepted(r.at("0.3s"), r.seq, Answer{Grants: grants, TTL: r.ttl})
	if err != nil {
		t.Fatal(err)
	}
	r.plan("answer 3@1 2@1 in the same slice", "0.3s", p, "revoke 1@1 revoked, start 3@1, beat")
	if grants[0].ID.Number != 3 {
		t.Errorf("the Tracker sorted the service's own slice: %v", grants)
	}
}

// Whatever its state, a shard is listed until it is returned, and for as long as
// nobody else should have it.
func TestReportTellsTheTruth(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1 3@1 4@1 5@1")
	r.returned("1s", "3", OutcomeFailed, "")
	r.returned("1s", "4", OutcomeComplete, "")
	r.returned("1s", "5", OutcomeClosed, "beat")
	r.beat("1.1s", "1@1 2@1 3@1 4@1 5@1")
	r.answer("1.2s", "2@1 3@1 4@1 5@1", "revoke 1@1 revoked")
	r.states("1 draining revoked, 2 held, 3 restarting, 4 complete, 5 complete")
	r.beat("1.3s", "1@1 2@1 3@1 4@1 5@1")
	r.tick("2s", "start 3@1")
	r.tick("4.2s", "cancel 1@1 revoked")
	r.states("1 cancelled revoked, 2 held, 3 held, 4 complete, 5 complete")
	r.beat("4.3s", "1@1 2@1 3@1 4@1 5@1")
	r.returned("4.4s", "1", OutcomeReleased, "beat")
	r.beat("4.5s", "2@1 3@1 4@1 5@1")
}

// Back in the answer while draining: the processor was asked to finish, and will. Its
// checkpoint moves until it returns, so a fresh one starts only from an answer to a
// heartbeat that left after the return.
func TestComebackWhileDraining(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.beat("2s", "1@1 2@1")
	r.answer("2.1s", "2@1", "revoke 1@1 revoked")
	r.beat("2.3s", "1@1 2@1")
	r.answer("2.4s", "1@1 2@1", "") // no start, and no taking back of the revocation
	r.states("1 draining revoked, 2 held")
	r.beat("2.5s", "1@1 2@1")
	r.returned("2.6s", "1", OutcomeReleased, "beat")
	r.answer("2.7s", "1@1 2@1", "") // computed when the last run was still listed
	r.beat("2.8s", "2@1")
	r.answer("2.9s", "1@2 2@1", "start 1@2, beat")
}

// The same, with the return coming before the answer that brings the shard back:
// that answer was computed while the last run was listed, too.
func TestComebackAnsweredAfterTheReturn(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.beat("2s", "1@1")
	r.answer("2.1s", "", "revoke 1@1 revoked")
	r.beat("2.3s", "1@1")
	r.returned("2.4s", "1", OutcomeReleased, "beat")
	r.answer("2.5s", "1@1", "")
	r.beat("2.6s", "")
	r.answer("2.7s", "1@2", "start 1@2, beat")
}

// And once more after a lost lease, where the rejoin still lists what it cancelled.
func TestRejoinAnsweredAfterTheReturn(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.tick("8.9s", "cancel 1@1 lost, lease lost, beat")
	r.beat("9s", "1@1")
	r.returned("9.1s", "1", OutcomeReleased, "beat")
	r.answer("9.2s", "1@2", "")
	r.beat("9.3s", "")
	r.answer("9.4s", "1@3", "start 1@3, beat")
}

// Gone again before the drain has ended: nothing is owed any more.
func TestComebackTakenBack(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.beat("2s", "1@1")
	r.answer("2.1s", "", "revoke 1@1 revoked")
	r.beat("2.3s", "1@1")
	r.answer("2.4s", "1@1", "")
	r.beat("2.5s", "1@1")
	r.answer("2.6s", "", "")
	r.returned("2.7s", "1", OutcomeReleased, "beat")
	r.beat("2.8s", "")
	r.answer("2.9s", "", "")
}

// Another epoch means that the shard was somebody else's in between.
func TestEpochChangeWhileHeld(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.beat("2s", "1@1 2@1")
	r.answer("2.1s", "1@3 2@1", "cancel 1@1 lost")
	r.states("1 cancelled lost, 2 held")
	r.beat("2.3s", "1@1 2@1") // it is the old run that has not returned
	r.answer("2.4s", "1@3 2@1", "")
	r.returned("2.5s", "1", OutcomeReleased, "beat")
	r.beat("2.6s", "2@1")
	r.answer("2.7s", "1@3 2@1", "start 1@3, beat")
}

// What only is reported, not running, is given up before it is taken afresh: its
// last run may have ended after this answer was computed.
func TestEpochChangeWhileNotRunning(t *testing.T) {
	for _, o := range []Outcome{OutcomeComplete, OutcomeFailed} {
		r := newRig(t)
		r.join("1@1")
		r.beat("2s", "1@1")
		r.returned("2.1s", "1", o, "")
		r.answer("2.2s", "1@2", "beat")
		r.beat("2.3s", "")
		r.answer("2.4s", "1@2", "start 1@2, beat")
	}
}

// A service without epochs: the Tracker makes them from the clock.
func TestClockEpochs(t *testing.T) {
	r := newRig(t)
	r.beat("0s", "")
	p := r.answer("0.1s", "1 2", "start 1@clock, start 2@clock, beat")
	first := uint64(r.at("0.1s").UnixMicro())
	if p.Start[0].Epoch != first || p.Start[1].Epoch != first+1 {
		t.Errorf("epochs %d and %d, want %d and the next", p.Start[0].Epoch, p.Start[1].Epoch, first)
	}
	r.beat("0.2s", "1@0 2@0")
	r.answer("0.3s", "2", "revoke 1@clock revoked")
	r.returned("0.4s", "1", OutcomeReleased, "beat")
	r.beat("0.5s", "2@0")
	p = r.answer("0.6s", "1 2", "start 1@clock, beat")
	if want := uint64(r.at("0.6s").UnixMicro()); p.Start[0].Epoch != want {
		t.Errorf("epoch %d, want %d", p.Start[0].Epoch, want)
	}
}

// A shard moves between members and over restarts: each grant has a higher epoch than
// all before, although a clock is set back, or is behind by less than the shard's time
// with its last owner.
func TestClockEpochsRiseOverMembers(t *testing.T) {
	now, last := time.Now(), uint64(0)
	members := map[string]*Tracker{}
	for _, step := range []struct {
		member string
		skew   time.Duration
	}{{"a", 0}, {"b", 0}, {"a", 0}, {"c", -9 * time.Second}, {"b", 9 * time.Second}, {"b", -time.Hour}, {"d", 0}} {
		tr := members[step.member]
		if tr == nil {
			tr = NewTracker(TrackerConfig{Interval: time.Second})
			members[step.member] = tr
		}
		now = now.Add(10 * time.Second)
		local := now.Add(step.skew)
		tr.Tick(local) // the last lease is over by now
		p, err := tr.Accepted(local, tr.Beat(local).Seq, Answer{TTL: 6 * time.Second, Grants: []Grant{{ID: ID{"log", 1}}}})
		if err != nil || len(p.Start) != 1 {
			t.Fatalf("member %s: plan %+v, %v", step.member, p, err)
		}
		if p.Start[0].Epoch <= last {
			t.Errorf("member %s, clock off by %v: epoch %d after %d", step.member, step.skew, p.Start[0].Epoch, last)
		}
		last = p.Start[0].Epoch
		tr.Returned(local, ID{"log", 1}, OutcomeReleased)
		empty := tr.Beat(local)
		if _, err := tr.Accepted(local, empty.Seq, Answer{TTL: 6 * time.Second}); err != nil {
			t.Fatal(err)
		}
	}
}

// Fast while something changes, for two intervals at most, then regular.
func TestNextBeat(t *testing.T) {
	r := newRig(t)
	next := func(now, want string) {
		t.Helper()
		r.when("the next heartbeat seen at "+now, r.tr.NextHeartbeat(r.at(now)), want)
	}
	if got := r.tr.NextHeartbeat(r.at("0s")); got.After(r.at("0s")) {
		t.Errorf("the first heartbeat is due at %v, want at once", got)
	}
	r.beat("0s", "")
	next("0.1s", "2s") // nothing is known to change yet
	r.answer("0.1s", "1@1 2@1", "start 1@1, start 2@1, beat")
	next("0.1s", "0.2s")
	r.beat("0.2s", "1@1 2@1")
	r.answer("0.3s", "1@1 2@1", "")
	next("4.0s", "0.4s")
	next("4.1s", "2.2s")

	r.beat("6s", "1@1 2@1")
	next("6s", "8s")
	r.answer("6.1s", "1@1", "revoke 2@1 revoked")
	next("6.1s", "6.2s")
	r.beat("6.2s", "1@1 2@1")
	r.answer("6.3s", "1@1", "")
	next("10s", "6.4s")
	next("10.1s", "8.2s") // it drains on, and that is no reason to hurry for ever
	r.returned("10.5s", "2", OutcomeReleased, "cancel 2@1 revoked, beat")
}

// The join is fast even when it gives nothing, and Fast is the Interval by default.
func TestNextBeatAfterAnEmptyJoin(t *testing.T) {
	r := newRig(t)
	r.join("")
	r.when("the next heartbeat", r.tr.NextHeartbeat(r.at("0.1s")), "0.2s")
	r.when("the next heartbeat, settled", r.tr.NextHeartbeat(r.at("4.1s")), "2s")

	r = newRig(t, func(cfg *TrackerConfig) { cfg.Fast = 0 })
	r.join("")
	r.when("the next heartbeat without Fast", r.tr.NextHeartbeat(r.at("0.1s")), "2s")
}

func TestShards(t *testing.T) {
	r := newRig(t)
	r.join("2@4 1@3")
	r.beat("2s", "1@3 2@4")
	r.answer("2.1s", "2@4", "revoke 1@3 revoked")
	want := []ShardState{
		{ID: ID{"", 1}, Epoch: 3, State: StateDraining, Cause: CauseRevoked, Since: r.at("2.1s")},
		{ID: ID{"", 2}, Epoch: 4, State: StateHeld, Since: r.at("0.1s")},
	}
	if got := r.tr.Shards(); !slices.Equal(got, want) {
		t.Errorf("Shards() = %v, want %v", got, want)
	}
	if got := NewTracker(TrackerConfig{Interval: time.Second}).Shards(); len(got) != 0 {
		t.Errorf("a new Tracker has the shards %v", got)
	}
}
