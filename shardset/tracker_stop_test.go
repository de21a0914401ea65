package shardset

import (
	"testing"
	"time"
)

// Phase one asks, phase two cancels after DrainTimeout, and stuck ones are named once.
func TestTwoPhaseStop(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.beat("2s", "1@1")
	p := r.answer("2.1s", "", "revoke 1@1 revoked")
	r.when("the wake-up while it drains", p.WakeAt, "5.1s")
	r.tick("5.099s", "")
	r.states("1 draining revoked")
	r.when("the wake-up once cancelled", r.tick("5.1s", "cancel 1@1 revoked").WakeAt, "6.1s")
	r.tick("6.099s", "")
	r.when("the wake-up once stuck", r.tick("6.1s", "stuck 1").WakeAt, "10.9s")
	r.tick("8s", "") // reported once
	r.beat("8s", "1@1")
	r.answer("8.1s", "", "")
	r.returned("9s", "1", OutcomeReleased, "beat")
	r.states("")
	r.tick("10s", "")
}

func TestPromptDrainIsNeverCancelled(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.beat("2s", "1@1")
	r.answer("2.1s", "", "revoke 1@1 revoked")
	r.returned("2.2s", "1", OutcomeReleased, "beat")
	r.tick("5.1s", "")
	r.tick("6.1s", "")
}

// A shutdown has the same two phases, and its own cause.
func TestTwoPhaseShutdown(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.when("the wake-up", r.leave("1s", "revoke 1@1 shutdown, revoke 2@1 shutdown").WakeAt, "4s")
	r.returned("1.1s", "2", OutcomeReleased, "beat")
	r.tick("4s", "cancel 1@1 shutdown")
}

// A loss has one phase: somebody else may hold the shard by now.
func TestLossCancelsAtOnce(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.beat("6s", "1@1 2@1")
	r.plan("failed", "7s", r.tr.Tick(r.at("7s")), "") // failing once is not losing
	p := r.tick("8.9s", "cancel 1@1 lost, cancel 2@1 lost, lease lost, beat")
	r.when("the wake-up", p.WakeAt, "9.9s")
	r.tick("9.9s", "stuck 1, stuck 2")
}

// A drain does not outlast the lease.
func TestLossWhileDraining(t *testing.T) {
	r := newRig(t, func(cfg *TrackerConfig) { cfg.DrainTimeout = time.Minute })
	r.join("1@1")
	r.beat("2s", "1@1")
	r.answer("2.1s", "", "revoke 1@1 revoked")
	r.tick("10.9s", "cancel 1@1 lost, lease lost, beat")
}

// What was cancelled before the loss is not reported again.
func TestLossAfterCancel(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.beat("2s", "1@1")
	r.answer("2.1s", "", "revoke 1@1 revoked")
	r.tick("5.1s", "cancel 1@1 revoked")
	r.tick("10.9s", "lease lost, stuck 1, beat")
}

// A failed processor keeps its shard and starts again after a pause: giving the
// shard up would only move the failure to the next member.
func TestRestartAfterFailure(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.when("the wake-up", r.returned("1s", "1", OutcomeFailed, "").WakeAt, "2s")
	r.beat("1.5s", "1@1 2@1")
	r.answer("1.6s", "1@1 2@1", "")
	r.tick("1.999s", "")
	r.states("1 restarting, 2 held")
	r.tick("2s", "start 1@1")
	r.states("1 held, 2 held")
	r.returned("3s", "1", OutcomeFailed, "")
	r.beat("3.1s", "1@1 2@1")
	r.answer("3.2s", "2@1", "beat") // nothing runs, so there is nothing to drain
	r.tick("4s", "")
	r.beat("4.1s", "2@1")
}

// A lease that the pause has outlived: the run gets the newest, not the oldest.
func TestCooledShardTakesTheNewestLease(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.returned("1s", "1", OutcomeFailed, "")
	r.beat("1.9s", "1@1")
	p := r.answer("2s", "1@1", "start 1@1")
	r.when("its lease's end", p.Start[0].NotAfter, "10.8s")
}

// Cooled and revoked at the same moment: it has nothing to stop.
func TestCooledAndRevokedAtOnce(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.returned("1s", "1", OutcomeFailed, "")
	r.beat("1.9s", "1@1 2@1")
	r.answer("2s", "2@1", "beat")
	r.beat("2.1s", "2@1")
	r.answer("2.2s", "2@1", "")

	r = newRig(t)
	r.join("1@1")
	r.returned("1s", "1", OutcomeFailed, "")
	r.leave("2s", "beat, left")

	r = newRig(t)
	r.join("1@1")
	r.beat("1s", "1@1")
	r.returned("1s", "1", OutcomeFailed, "")
	r.answer("2s", "1@2", "beat")
	r.beat("2.1s", "")
	r.answer("2.2s", "1@2", "start 1@2, beat")
}

// A fenced processor was not the owner after all. Its shard is given up; should the
// service insist, it is taken afresh, and not in a hot loop.
func TestRestartAfterFence(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.returned("1s", "1", OutcomeFenced, "beat")
	r.beat("1.1s", "")
	r.when("the wake-up", r.answer("1.2s", "1@2", "beat").WakeAt, "2s")
	r.states("1 restarting")
	r.beat("1.3s", "1@2")
	r.answer("1.4s", "1@2", "")
	r.tick("2s", "start 1@2")

	r.returned("3s", "1", OutcomeFenced, "beat")
	r.beat("3.1s", "")
	r.answer("3.2s", "", "")
	r.beat("5s", "")
	r.answer("5.1s", "1@4", "start 1@4, beat") // the pause has passed meanwhile
}

// A shard that is complete stays held until the service takes it, or everybody in the
// group would do it once more, in turn.
func TestComplete(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.returned("1s", "1", OutcomeComplete, "")
	r.states("1 complete, 2 held")
	r.beat("2s", "1@1 2@1")
	r.answer("2.1s", "1@1 2@1", "")
	r.beat("4s", "1@1 2@1")
	r.answer("4.1s", "2@1", "beat")
	r.beat("4.2s", "2@1")
	r.answer("4.3s", "1@3 2@1", "start 1@3, beat")
}

// The end of a closed shard is reported until an answer has come to it.
func TestClosed(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1 3@1")
	closed := func(at, held, want string) {
		t.Helper()
		if got := "{" + idsText(r.beat(at, held).Closed) + "}"; got != want {
			t.Errorf("the heartbeat at %s lists %s as closed, want %s", at, got, want)
		}
	}
	closed("0.5s", "1@1 2@1 3@1", "{}")
	r.returned("0.6s", "2", OutcomeClosed, "beat")
	r.returned("0.6s", "1", OutcomeClosed, "beat")
	r.answer("0.7s", "1@1 2@1 3@1", "") // to a heartbeat that did not tell it yet
	closed("0.8s", "1@1 2@1 3@1", "{1 2}")
	closed("1s", "1@1 2@1 3@1", "{1 2}") // no answer: reported again
	r.answer("1.1s", "3@1", "beat")
	closed("1.2s", "3@1", "{}")
	r.answer("1.3s", "", "revoke 3@1 revoked")
	r.returned("1.4s", "3", OutcomeClosed, "beat") // a drain can reach the end, too
	closed("1.5s", "", "{3}")
	r.answer("1.6s", "", "")
	closed("1.7s", "", "{}")
}

// An end reached without a lease may not have been committed: it is not reported. That
// holds for a run that was cancelled before the lease was lost as well.
func TestClosedWithoutALease(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.beat("2s", "1@1 2@1")
	r.answer("2.1s", "2@1", "revoke 1@1 revoked")
	r.tick("5.1s", "cancel 1@1 revoked")
	r.tick("10.9s", "cancel 2@1 lost, lease lost, stuck 1, beat")
	r.returned("11s", "1", OutcomeClosed, "beat")
	r.returned("11s", "2", OutcomeClosed, "beat")
	if rep := r.beat("11.1s", ""); len(rep.Closed) != 0 {
		t.Errorf("after the lease ended the report lists %v as closed, want nothing", rep.Closed)
	}
}

// The shell promises one return for one start. A second one finds nothing that runs
// and changes nothing.
func TestReturnOfWhatDoesNotRun(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.returned("1s", "9", OutcomeReleased, "")
	r.returned("1s", "1", OutcomeFailed, "")
	r.returned("1.1s", "1", OutcomeComplete, "")
	r.returned("1s", "2", OutcomeComplete, "")
	r.returned("1.1s", "2", OutcomeFailed, "")
	r.states("1 restarting, 2 complete")
	r.tick("2s", "start 1@1")
}

// The same with an answer that is not obeyed, and says that leases are shorter now.
func TestCooledShardTakesAShortenedLease(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.returned("1s", "1", OutcomeFailed, "")
	r.beat("1.9s", "1@1")
	r.ttl = 299 * time.Millisecond // three intervals of 100ms do not fit
	p, err := r.accept("2s", r.seq, "1@1")
	if err == nil {
		t.Error("an answer with a TTL of 299ms was obeyed")
	}
	r.plan("answer", "2s", p, "start 1@1")
	r.when("its lease's end", p.Start[0].NotAfter, "2.16611s")
	r.when("the lease's end", p.NotAfter, "2.16611s")
}
