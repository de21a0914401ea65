package shardset

import (
	"testing"
	"time"
)

func finite(cfg *TrackerConfig)  { cfg.Finite = true }
func counted(cfg *TrackerConfig) { cfg.Finite, cfg.Completion = true, true }

// allComplete answers the newest heartbeat with these grants, and says that every shard of
// the group is complete.
func (r *rig) allComplete(at, grants, plan string) {
	r.t.Helper()
	p, err := r.tr.Accepted(r.at(at), r.seq, Answer{Grants: parseGrants(r.t, grants), TTL: r.ttl, Complete: true})
	if err != nil {
		r.t.Errorf("the answer %q at %s was refused: %v", grants, at, err)
	}
	r.plan("answer "+grants+", complete", at, p, plan)
}

// complete checks what a heartbeat at this time reports as complete.
func (r *rig) complete(at, held, complete string) {
	r.t.Helper()
	rep := r.beat(at, held)
	if got := "{" + idsText(rep.Complete) + "}"; got != complete {
		r.t.Errorf("the heartbeat at %s reports %s as complete, want %s", at, got, complete)
	}
}

// Only what returned by itself is complete: not what runs, restarts, drains or was cancelled.
func TestHeartbeatReportsWhatIsComplete(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1 3@1 4@1 5@1")
	r.complete("0.5s", "1@1 2@1 3@1 4@1 5@1", "{}")
	r.answer("0.5s", "1@1 2@1 3@1 4@1 5@1", "")
	r.returned("1s", "5", OutcomeComplete, "")
	r.returned("1s", "2", OutcomeComplete, "")
	r.returned("1s", "3", OutcomeFailed, "")
	r.complete("1.1s", "1@1 2@1 3@1 4@1 5@1", "{2 5}")
	r.answer("1.2s", "1@1 2@1 3@1 5@1", "revoke 4@1 revoked")
	r.returned("1.3s", "1", OutcomeClosed, "beat")
	r.complete("1.4s", "1@1 2@1 3@1 4@1 5@1", "{1 2 5}")
	r.tick("4.2s", "cancel 4@1 revoked, start 3@1")
	r.complete("4.3s", "1@1 2@1 3@1 4@1 5@1", "{1 2 5}")
	r.answer("4.4s", "1@1 3@1 5@1", "beat") // takes 2 back
	r.complete("4.5s", "1@1 3@1 4@1 5@1", "{1 5}")
	r.answer("4.6s", "1@1 3@1 5@2", "beat") // and grants 5 again
	r.complete("4.7s", "1@1 3@1 4@1", "{1}")
	r.tick("13.4s", "cancel 3@1 lost, lease lost, stuck 4, beat")
	r.complete("13.5s", "3@1 4@1", "{}")
}

// A report in flight keeps its own list.
func TestReportedCompleteIsNotWrittenTo(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1 3@1")
	r.returned("1s", "2", OutcomeComplete, "")
	first := r.beat("1.1s", "1@1 2@1 3@1")
	r.returned("1.2s", "1", OutcomeComplete, "")
	if again := r.beat("1.3s", "1@1 2@1 3@1"); len(again.Complete) != 2 || len(first.Complete) != 1 || first.Complete[0] != (ID{Number: 2}) {
		t.Errorf("the reports say %v and then %v, want [2] and [1 2]", first.Complete, again.Complete)
	}
}

func TestEvictedMemberReportsNothingComplete(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.returned("1s", "1", OutcomeComplete, "")
	r.beat("1.1s", "1@1")
	r.tr.Evicted(r.at("1.2s"), r.seq)
	r.complete("1.3s", "", "{}")
}

// What is complete is reported at once if something waits for it: this member, or a service that
// counts for the others.
func TestCompleteIsReportedAtOnce(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*TrackerConfig)
		plan   string
	}{
		{"nothing waits", func(*TrackerConfig) {}, ""},
		{"a finite run", finite, "beat"},
		{"a service that counts", func(cfg *TrackerConfig) { cfg.Completion = true }, "beat"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, tc.change)
			r.join("1@1 2@1")
			r.returned("1s", "1", OutcomeComplete, tc.plan)
		})
	}
}

// The service's word is not enough while there is something left here.
func TestCompleteWithAService(t *testing.T) {
	r := newRig(t, counted)
	r.join("1@1 2@1 3@1")
	r.beat("0.2s", "1@1 2@1 3@1")
	r.allComplete("0.3s", "1@1 2@1 3@1", "")
	r.returned("1s", "1", OutcomeComplete, "beat")
	r.returned("1s", "2", OutcomeFailed, "")
	r.beat("1.1s", "1@1 2@1 3@1")
	r.allComplete("1.2s", "1@1 2@1", "revoke 3@1 revoked")
	r.tick("2s", "start 2@1") // has cooled
	r.returned("2.1s", "2", OutcomeComplete, "beat")
	r.beat("2.2s", "1@1 2@1 3@1")
	r.allComplete("2.3s", "1@1 2@1", "") // 3 still drains
	r.returned("2.4s", "3", OutcomeReleased, "beat, complete")
	r.tick("2.5s", "") // reported once
	r.beat("2.6s", "1@1 2@1")
	r.allComplete("2.7s", "1@1 2@1", "")
}

// What is assigned and does not run yet is not complete, whatever the answer says.
func TestNotCompleteWhileAShardIsMissing(t *testing.T) {
	r := newRig(t, counted)
	r.join("1@1")
	r.returned("1s", "1", OutcomeComplete, "beat")
	r.beat("1.1s", "1@1")
	r.allComplete("1.2s", "1@2", "beat")
	r.beat("1.3s", "")
	r.allComplete("1.4s", "1@2", "start 1@2, beat")
	r.returned("1.5s", "1", OutcomeComplete, "beat, complete")
}

// The newest answer counts, and only under its lease.
func TestCompleteIsTakenBack(t *testing.T) {
	r := newRig(t, counted, func(cfg *TrackerConfig) { cfg.DrainTimeout = time.Minute })
	r.join("1@1 2@1")
	r.returned("1s", "1", OutcomeComplete, "beat")
	r.beat("1.1s", "1@1 2@1")
	r.allComplete("1.2s", "1@1", "revoke 2@1 revoked")
	r.beat("1.3s", "1@1 2@1")
	r.answer("1.4s", "1@1", "")
	r.returned("1.5s", "2", OutcomeReleased, "beat") // the answer of 1.2s is void
	r.beat("1.6s", "1@1")
	r.plan("failed", "1.7s", r.tr.Tick(r.at("1.7s")), "")
	r.tick("10.2s", "lease lost, beat")
	r.tick("10.3s", "")
	r.beat("10.4s", "")
	r.allComplete("10.5s", "", "complete")
}

// A plan that ends the run may be overtaken: a processor has just seen the lease end.
// Then it is reported anew, under the next one.
func TestCompleteIsSetUnderEveryLease(t *testing.T) {
	r := newRig(t, counted)
	r.join("1@1")
	r.returned("1s", "1", OutcomeComplete, "beat")
	r.beat("1.1s", "1@1")
	r.allComplete("1.2s", "1@1", "complete")
	r.plan("lease lost", "1.3s", r.tr.LeaseLost(r.at("1.3s")), "lease lost, beat")
	r.beat("1.4s", "")
	r.allComplete("1.5s", "1@1", "start 1@1, beat")
	r.returned("1.6s", "1", OutcomeComplete, "beat, complete")
}

// A standby goes with the others.
func TestStandbyLeaves(t *testing.T) {
	r := newRig(t, counted)
	r.beat("0s", "")
	r.answer("0.1s", "", "")
	r.beat("2s", "")
	r.allComplete("2.1s", "", "complete")
}

// Who is not asked to go stays, whatever the service says. So does who leaves anyway.
func TestNotFinite(t *testing.T) {
	r := newRig(t, func(cfg *TrackerConfig) { cfg.Completion = true })
	r.join("1@1")
	r.returned("1s", "1", OutcomeComplete, "beat")
	for _, at := range []string{"2s", "8s", "14s", "20s"} {
		r.beat(at, "1@1")
		r.allComplete(at, "1@1", "")
	}

	r = newRig(t, counted)
	r.join("1@1")
	r.returned("1s", "1", OutcomeComplete, "beat")
	r.beat("1s", "1@1")
	r.leave("1.1s", "beat, left")
	r.allComplete("1.2s", "1@1", "left")
}

// Without a service that counts: one whole TTL, and an answer to a heartbeat after it.
// A service that says Complete without promising to is not believed.
func TestLeavingAfterOneTTL(t *testing.T) {
	r := newRig(t, finite)
	r.join("1@1")
	r.returned("1s", "1", OutcomeComplete, "beat") // 1s + 10s
	r.beat("1.1s", "1@1")
	r.allComplete("1.2s", "1@1", "")
	r.beat("9s", "1@1")
	p := r.answer("9.1s", "1@1", "")
	r.when("the wake-up", p.WakeAt, "11s")
	r.when("the wake-up just before", r.tick("10.999s", "").WakeAt, "11s")
	// No wake-up for what only an answer can bring.
	r.when("the wake-up at the end of the wait", r.tick("11s", "beat").WakeAt, "17.9s")
	r.beat("11.1s", "1@1")
	r.plan("failed", "11.2s", r.tr.Tick(r.at("11.2s")), "")
	r.beat("11.3s", "1@1")
	r.answer("11.4s", "1@1", "complete")
	r.beat("11.5s", "1@1")
	r.answer("11.6s", "1@1", "") // reported once
}

// A heartbeat that left before the end of the wait cannot know what was freed at its
// end, however late its answer comes.
func TestLeavingNeedsALateHeartbeat(t *testing.T) {
	r := newRig(t, finite)
	r.join("1@1")
	r.returned("1s", "1", OutcomeComplete, "beat")
	r.beat("2s", "1@1")
	r.answer("2.1s", "1@1", "")
	r.beat("5s", "1@1")
	r.answer("5.1s", "1@1", "")
	r.beat("10.5s", "1@1")
	r.answer("11.1s", "1@1", "beat")
}

// Each of these starts the wait again.
func TestLeavingStartsAgain(t *testing.T) {
	for _, tc := range []struct {
		name  string
		event func(r *rig) // at 7s
	}{
		{"a grant", func(r *rig) {
			r.beat("7s", "1@1 2@1")
			r.answer("7s", "1@1 2@1 3@1", "start 3@1, beat")
			r.returned("7s", "3", OutcomeComplete, "beat")
		}},
		{"a grant that is missing first", func(r *rig) {
			r.beat("6.9s", "1@1 2@1")
			r.answer("6.9s", "1@1 2@2", "beat")
			r.beat("7s", "1@1")
			r.answer("7s", "1@1 2@2", "start 2@2, beat")
			r.returned("7s", "2", OutcomeComplete, "beat")
		}},
		{"a revocation", func(r *rig) { r.beat("7s", "1@1 2@1"); r.answer("7s", "1@1", "beat") }},
		{"all taken", func(r *rig) { r.beat("7s", "1@1 2@1"); r.answer("7s", "", "beat") }},
		{"an eviction", func(r *rig) {
			seq := r.beat("6.9s", "1@1 2@1").Seq
			r.plan("evicted", "6.9s", r.tr.Evicted(r.at("6.9s"), seq), "lease lost, beat")
			r.beat("7s", "")
			r.answer("7s", "", "")
		}},
		{"a lost lease", func(r *rig) {
			r.plan("lease lost", "6.9s", r.tr.LeaseLost(r.at("6.9s")), "lease lost, beat")
			r.beat("7s", "")
			r.answer("7s", "", "")
		}},
		{"a lost lease with the same grants again", func(r *rig) {
			r.plan("lease lost", "6.9s", r.tr.LeaseLost(r.at("6.9s")), "lease lost, beat")
			r.beat("7s", "")
			r.answer("7s", "1@1", "start 1@1, beat")
			r.returned("7s", "1", OutcomeComplete, "beat")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, finite)
			r.join("1@1 2@1")
			r.returned("1s", "1", OutcomeComplete, "beat")
			r.returned("1s", "2", OutcomeComplete, "beat")
			tc.event(r)
			beats := func(until time.Duration) (at time.Duration) {
				for at = 8 * time.Second; at < until; at += time.Second {
					now := r.start.Add(at)
					p, err := r.tr.Accepted(now, r.tr.Beat(now).Seq, Answer{Grants: r.tr.assigned, TTL: r.ttl})
					if err != nil || p.Complete {
						return at
					}
				}
				return 0
			}
			if at := beats(30 * time.Second); at != 17*time.Second {
				t.Errorf("it leaves at %v, want 17s: one TTL after the event", at)
			}
		})
	}
}

// A standby that has never had a shard does not know that anything was ever completed. One
// whose shards were all revoked, or closed, does.
func TestStandbyWaitsOn(t *testing.T) {
	never := newRig(t, finite)
	never.join("")
	closed := newRig(t, finite)
	closed.join("1@1")
	closed.returned("0.5s", "1", OutcomeClosed, "beat")
	closed.beat("0.6s", "1@1")
	closed.answer("1s", "", "beat")
	released := newRig(t, finite)
	released.join("1@1")
	released.beat("0.5s", "1@1")
	released.answer("0.6s", "", "revoke 1@1 revoked")
	released.returned("1s", "1", OutcomeReleased, "beat")
	drained := newRig(t, finite) // reached the end while it drained
	drained.join("1@1")
	drained.beat("0.5s", "1@1")
	drained.answer("0.6s", "", "revoke 1@1 revoked")
	drained.returned("1s", "1", OutcomeClosed, "beat")
	for _, tc := range []struct {
		name string
		r    *rig
		want string
	}{{"never", never, ""}, {"closed", closed, "complete"}, {"released", released, ""}, {"drained", drained, "complete"}} {
		t.Run(tc.name, func(t *testing.T) {
			for at := 2 * time.Second; at < 11*time.Second; at += 2 * time.Second {
				tc.r.beat(at.String(), "")
				tc.r.answer(at.String(), "", "")
			}
			tc.r.beat("11s", "")
			tc.r.answer("11s", "", tc.want)
		})
	}
}
