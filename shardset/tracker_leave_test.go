package shardset

import (
	"testing"
	"time"
)

// Eviction is an answer: all leases are over, and only an empty list may join.
func TestEviction(t *testing.T) {
	r := newRig(t)
	r.gen = 5
	r.join("1@1 2@1")
	rep := r.beat("2s", "1@1 2@1")
	r.plan("evicted", "2.1s", r.tr.Evicted(r.at("2.1s"), rep.Seq), "cancel 1@1 lost, cancel 2@1 lost, lease lost, beat")
	r.returned("2.2s", "1", OutcomeReleased, "beat")

	// Shard 2 still runs, and yet a service takes nothing but an empty list from a
	// stranger. Asked again and again, if need be.
	for _, at := range []string{"2.3s", "2.5s"} {
		rep := r.beat(at, "")
		if rep.Instance != 8 || rep.Generation != 0 || len(rep.Closed) != 0 {
			t.Errorf("the join at %s reports %+v, want instance 8 and nothing else", at, rep)
		}
	}
	r.answer("2.6s", "1@2 2@2", "start 1@2, beat") // 2 has to return first
	r.beat("2.7s", "1@2 2@1")                      // the whole truth again
	r.answer("2.8s", "1@2 2@2", "")
	r.returned("2.9s", "2", OutcomeReleased, "beat")
	r.beat("3s", "1@2")
	r.answer("3.1s", "1@2 2@3", "start 2@3, beat")
}

func TestEvictionOfAnOldHeartbeat(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	old := r.beat("2s", "1@1").Seq
	r.beat("4s", "1@1")
	r.plan("evicted", "4.1s", r.tr.Evicted(r.at("4.1s"), old), "")
	r.answer("4.2s", "1@1", "")

	// One that was sent before the lease ended has been dealt with by its end.
	seq := r.beat("10s", "1@1").Seq
	r.tick("12.9s", "cancel 1@1 lost, lease lost, beat")
	r.plan("evicted", "13s", r.tr.Evicted(r.at("13s"), seq), "")
	r.beat("13.1s", "1@1")
}

// Our clock was behind that of an earlier run: it knows a larger number.
func TestReplacedBeforeJoining(t *testing.T) {
	r := newRig(t)
	seq := r.beat("0s", "").Seq
	p, final := r.tr.Replaced(r.at("0.1s"), seq, 41)
	r.plan("replaced", "0.1s", p, "beat")
	if final {
		t.Error("a process that never joined is not over")
	}
	r.stale("0.2s", seq, "1@1", "") // what was said to instance 7 is void
	// Far above: the other one adds one to its own whenever it loses its lease.
	if rep := r.beat("0.2s", ""); rep.Instance != 2*instanceStep+7 {
		t.Errorf("instance %d after 41 had the name, want %d", rep.Instance, 2*instanceStep+7)
	}
	r.answer("0.3s", "1@1", "start 1@1, beat")
}

// Two processes whose clocks are behind jump past the same instance: one number, and with
// it one fencing token, must not name both.
func TestReplacedTwiceByTheSame(t *testing.T) {
	for _, newest := range []uint64{9, 41, 3*instanceStep - 1, 3 * instanceStep, 1<<62 + 5} {
		seen := map[uint64]uint64{}
		for _, own := range []uint64{7, 8, instanceStep - 1, instanceStep + 9} {
			tr := NewTracker(TrackerConfig{Instance: own, Interval: 2 * time.Second})
			now := time.Now()
			if _, final := tr.Replaced(now, tr.Beat(now).Seq, newest); final {
				t.Fatalf("instance %d, replaced by %d: final before it joined", own, newest)
			}
			got := tr.Beat(now).Instance
			if got < newest+instanceStep {
				t.Errorf("instance %d jumps to %d, which is not a step above %d", own, got, newest)
			}
			if other, taken := seen[got]; taken {
				t.Errorf("instances %d and %d jump past %d to the same number %d", own, other, newest, got)
			}
			seen[got] = own
		}
	}
}

// A newer process has the name: this one is over, and stops at once.
func TestReplacedAfterJoining(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	old := r.beat("2s", "1@1").Seq
	seq := r.beat("4s", "1@1").Seq
	p, final := r.tr.Replaced(r.at("4.1s"), old, 9)
	if r.plan("replaced, old", "4.1s", p, ""); final {
		t.Error("the outcome of an old heartbeat counted")
	}
	p, final = r.tr.Replaced(r.at("4.2s"), seq, 9)
	if r.plan("replaced", "4.2s", p, "cancel 1@1 lost, lease lost"); !final {
		t.Error("instance 9 has the name, and yet it is not final for instance 7")
	}
}

func TestLeaveTakesNothingNew(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1 3@1 4@1")
	r.returned("0.5s", "3", OutcomeComplete, "")
	r.returned("0.5s", "4", OutcomeFailed, "")
	r.beat("1s", "1@1 2@1 3@1 4@1")
	r.leave("1.1s", "revoke 1@1 shutdown, revoke 2@1 shutdown, beat") // 3 and 4 are free
	r.leave("1.2s", "")                                               // once is enough
	r.answer("1.3s", "1@1 2@1 3@1 4@1 5@1", "")
	r.beat("1.4s", "1@1 2@1") // what does not run is given up at once
	r.answer("1.5s", "1@2 2@1 5@1", "")
	r.returned("1.6s", "1", OutcomeReleased, "beat")
	r.beat("1.7s", "2@1")
	r.answer("1.8s", "1@2 2@1 5@1", "")
	r.returned("1.9s", "2", OutcomeFailed, "beat, left") // a failure is as good as a release now
	r.tick("2s", "left")
}

func TestLeaveWithNothing(t *testing.T) {
	newRig(t).leave("0s", "left")

	// A join that is under way is not obeyed any more.
	r := newRig(t)
	r.beat("0s", "")
	r.leave("0.1s", "left")
	r.answer("0.2s", "1@1", "left")
	r.states("")
}

// Stuck processors do not keep the member, and stay listed: no other member may run them.
func TestLeaveWithStuckProcessors(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.leave("1s", "revoke 1@1 shutdown, revoke 2@1 shutdown")
	r.returned("1.1s", "2", OutcomeReleased, "beat")
	r.when("the wake-up", r.tick("4s", "cancel 1@1 shutdown").WakeAt, "4.05s")
	r.tick("4.049s", "")
	r.tick("4.05s", "left")
	r.states("1 cancelled shutdown")
	r.beat("4.06s", "1@1")
}

// A shard that was draining already keeps its cause and its time.
func TestLeaveWhileDraining(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.beat("0.2s", "1@1 2@1")
	r.answer("0.3s", "2@1", "revoke 1@1 revoked")
	r.leave("1s", "revoke 2@1 shutdown")
	r.tick("3.3s", "cancel 1@1 revoked")
	r.tick("4s", "cancel 2@1 shutdown")
}

func TestLeaseEndsWhileLeaving(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.leave("8s", "revoke 1@1 shutdown")
	r.tick("8.9s", "cancel 1@1 lost, lease lost") // and no beat: there is nothing to say
	r.when("the next heartbeat", r.tr.NextHeartbeat(r.at("9s")), "never")
	r.returned("9s", "1", OutcomeReleased, "left")
}

// Where there is a leave call, heartbeats go on as ever, and releases are reported.
func TestBeatsWhileLeaving(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.beat("6s", "1@1 2@1")
	r.answer("6.1s", "1@1 2@1", "")
	r.leave("6.2s", "revoke 1@1 shutdown, revoke 2@1 shutdown")
	r.when("the next heartbeat", r.tr.NextHeartbeat(r.at("6.2s")), "8s")
	r.returned("6.3s", "1", OutcomeReleased, "beat")
}

// Where there is none, each heartbeat keeps the member's shards from the others for
// one more TTL. So only those are sent that the drain needs: shortly before the
// lease ends, and nothing on a release.
func TestBeatsWhileLeavingWithoutALeaveCall(t *testing.T) {
	r := newRig(t, cannotLeave)
	r.join("1@1 2@1")
	r.leave("1s", "revoke 1@1 shutdown, revoke 2@1 shutdown")
	r.returned("1.1s", "1", OutcomeReleased, "")
	r.when("the next heartbeat", r.tr.NextHeartbeat(r.at("1.1s")), "6.9s")
	r.beat("6.9s", "2@1")
	// One that failed is repeated, and not in a hot loop.
	r.when("the next heartbeat after a try", r.tr.NextHeartbeat(r.at("6.91s")), "7.1s")
	r.beat("7.1s", "2@1")
	r.tr.Accepted(r.at("7.2s"), r.seq, Answer{TTL: r.ttl})
	r.when("the next heartbeat, renewed", r.tr.NextHeartbeat(r.at("7.2s")), "14s")
}

// A leaving member says so: what it gives up must not come back to it.
func TestReportSaysLeaving(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	if r.beat("1s", "1@1 2@1").Leaving {
		t.Error("it says that it leaves before it does")
	}
	r.leave("2s", "revoke 1@1 shutdown, revoke 2@1 shutdown")
	if !r.beat("2.1s", "1@1 2@1").Leaving {
		t.Error("it leaves and does not say so")
	}
}
