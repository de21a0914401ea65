package group_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// firstEpoch is far above the epochs that members report from before.
const firstEpoch = 1000

func recovering(t *testing.T, n int) *rig {
	t.Helper()
	r := newRigWith(t, group.Config{TTL: rigTTL, FirstEpoch: firstEpoch}, list(n)...)
	r.g.Recover(r.now)
	r.check()
	return r
}

// veteran is a member from before the restart.
func (r *rig) veteran(name string, generation uint64, held ...shardset.Grant) *peer {
	p := r.peer(name)
	p.beat.Seq, p.beat.Generation, p.beat.Held = 50, generation, held
	return p
}

func TestRecoverGrantsNothingForOneTTL(t *testing.T) {
	r := recovering(t, 2)
	a := r.peer("a")
	a.say()
	r.want("-@0 -@0")
	r.wait(rigTTL - 1)
	a.say()
	r.want("-@0 -@0")
	r.wait(1)
	r.want("a@1001 a@1001")
}

func TestRecoverAdoptsHolders(t *testing.T) {
	r := recovering(t, 4)
	a := r.veteran("a", 30, shardset.Grant{ID: id(0), Epoch: 7}, shardset.Grant{ID: id(1), Epoch: 5})
	b := r.veteran("b", 33, shardset.Grant{ID: id(1), Epoch: 6}, shardset.Grant{ID: id(9), Epoch: 1})
	a.say()
	r.want("a@7 a@5 -@0 -@0")
	b.say() // shard 1 went from a to b before the service forgot
	r.want("a@7 b@6 -@0 -@0")
	if err := r.g.Fence(r.now, group.Token{Member: "b", Instance: 1, ID: id(1), Epoch: 6}); err != nil {
		t.Errorf("commit of an adopted owner: %v", err)
	}
	r.wait(rigTTL / 2)
	a.say()
	b.say()
	r.wait(rigTTL / 2)
	r.want("a@7 b@6 a@1001 b@1001")
	b.release(1)
	b.say() // given up: the next epoch is none that the service may have given before
	r.want("a@7 b@1001 a@1001 b@1001")
}

func TestRecoverAdoptsWithoutEpochs(t *testing.T) {
	r := recovering(t, 2)
	b := shardset.Heartbeat{Member: "a"}
	b.Held = []shardset.Grant{{ID: id(1)}}
	if _, err := r.g.Beat(r.now, b); err != nil {
		t.Fatal(err)
	}
	r.check()
	r.want("-@0 a@1001")
}

// An old heartbeat that was held up may be the first that the service hears of a
// member. What the member really holds comes with the next.
func TestRecoverAdoptsFromLaterHeartbeats(t *testing.T) {
	r := recovering(t, 2)
	a := r.veteran("a", 30)
	a.say()
	r.want("-@0 -@0")
	a.beat.Held = []shardset.Grant{{ID: id(1), Epoch: 7}}
	a.say()
	r.want("-@0 a@7")
}

// The old heartbeat may also tell of an older grant of the same shard.
func TestRecoverAdoptsUnderTheNewestEpoch(t *testing.T) {
	r := recovering(t, 1)
	a := r.veteran("a", 30, shardset.Grant{ID: id(0), Epoch: 5})
	a.say()
	r.want("a@5")
	a.beat.Held = []shardset.Grant{{ID: id(0), Epoch: 7}}
	a.say()
	r.want("a@7")
}

// What a member holds it knew of, so what it omits it has given up, even if it never
// got the answer that adopted it.
func TestRecoverTakesWhatAnAdoptedMemberGivesUp(t *testing.T) {
	r := recovering(t, 1)
	a := r.veteran("a", 30, shardset.Grant{ID: id(0), Epoch: 7})
	generation := a.beat.Generation
	a.say()
	r.want("a@7")
	a.beat.Generation = generation // the answer was lost
	a.release(0)
	a.say()
	r.want("-@7")
	r.wait(rigTTL / 2)
	a.say()
	r.wait(rigTTL / 2)
	r.want("a@1001")
}

func TestRecoverWhileAShardIsTakenOut(t *testing.T) {
	r := recovering(t, 1)
	a := r.veteran("a", 30, shardset.Grant{ID: id(1), Epoch: 7})
	b := r.veteran("b", 30, shardset.Grant{ID: id(1), Epoch: 8})
	a.say()
	b.say()
	a.say()
	for range 2 {
		r.wait(rigTTL / 2)
		b.say()
	}
	r.want("b@1001")
	r.set(list(2)...)
	r.want("b@1001 b@8")
	b.release(1)
	b.say()
	r.want("b@1001 b@1001")
}

func TestRecoveredMembersThatBeatTooLate(t *testing.T) {
	r := recovering(t, 1)
	r.wait(rigTTL)
	late := r.veteran("a", 30, shardset.Grant{ID: id(0), Epoch: 7})
	if err := late.try(); !errors.Is(err, shardset.ErrEvicted) {
		t.Errorf("a holder that beats after the recovery: %v, want ErrEvicted", err)
	}
	r.want("-@0")
}

// A deaf shard of a replaced instance gets a new epoch: one that the service cannot
// have given to somebody else before it forgot.
func TestRecoveredEpochsAreNeverReused(t *testing.T) {
	r := recovering(t, 1)
	r.veteran("a", 30, shardset.Grant{ID: id(0), Epoch: 7}).say()
	fresh := r.veteran("a", 0, shardset.Grant{ID: id(0), Epoch: 7})
	fresh.beat.Instance = 2
	fresh.say()
	r.want("a@1001")
}

// A Tracker that sees the generation go back gives up everything, because it takes
// it for a service that lost writes. One that recovers must not look like that.
func TestTrackersLiveThroughARecovery(t *testing.T) {
	for _, first := range []uint64{0, firstEpoch} {
		cfg := shardset.TrackerConfig{Member: "a", Instance: 1, Interval: time.Second, DrainTimeout: time.Second}
		tracker := shardset.NewTracker(cfg)
		beat := func(r *rig) shardset.Plan {
			t.Helper()
			report := tracker.Beat(r.now)
			answer, err := r.g.Beat(r.now, report)
			if err != nil {
				t.Fatal(err)
			}
			r.check()
			plan, err := tracker.Accepted(r.now, report.Seq, answer)
			if err != nil {
				t.Fatalf("first epoch %d: %v", first, err)
			}
			return plan
		}
		before := newRig(t, 3)
		b := before.peer("b")
		for range 5 { // so that generations pass
			b.say()
			b.release(0, 1, 2)
			b.leave()
			b.beat.Instance++
			b.beat.Held = nil
		}
		beat(before)

		after := newRigWith(t, group.Config{TTL: rigTTL, FirstEpoch: first}, list(3)...)
		after.g.Recover(after.now)
		plan := beat(after)
		if plan.LeaseLost || len(plan.Cancel)+len(plan.Revoke)+len(plan.Start) > 0 {
			t.Errorf("first epoch %d: the service forgot and the member does %+v", first, plan)
		}
	}
}
