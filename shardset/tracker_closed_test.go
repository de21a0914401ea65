package shardset

import (
	"testing"
	"time"
)

// until has a heartbeat answered with the same grants every interval, from one moment to
// another, and returns when the first plan came that starts something; zero: none did.
func (r *rig) until(from, to, interval, held, grants string) time.Duration {
	r.t.Helper()
	step := r.at(interval).Sub(r.start)
	for at := r.at(from).Sub(r.start); at <= r.at(to).Sub(r.start); at += step {
		r.beat(at.String(), held)
		p, err := r.accept(at.String(), r.seq, grants)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(p.Start) > 0 {
			return at
		}
	}
	return 0
}

// A closed shard that is still granted is started again: after three regular intervals,
// however fast the answers come, and with the same grant.
func TestClosedAndStillGranted(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.returned("1s", "1", OutcomeClosed, "beat")
	if at := r.until("1.1s", "6.9s", "100ms", "1@1 2@1", "1@1 2@1"); at != 0 {
		t.Fatalf("started again at %v", at)
	}
	r.beat("7s", "1@1 2@1")
	r.answer("7.1s", "1@1 2@1", "start 1@1, still granted 1")
	r.states("1 held, 2 held")
	if rep := r.beat("7.2s", "1@1 2@1"); len(rep.Closed)+len(rep.Complete) != 0 {
		t.Errorf("the heartbeat reports %v as closed and %v as complete", rep.Closed, rep.Complete)
	}
	r.answer("7.3s", "1@1 2@1", "")
}

// Time alone is not enough: three answers have to grant it, to heartbeats that knew.
func TestStillGrantedTakesThreeAnswers(t *testing.T) {
	r := newRig(t, func(cfg *TrackerConfig) { cfg.Interval = 100 * time.Millisecond })
	r.join("1@1")
	r.beat("0.9s", "1@1") // under way when it ends
	r.returned("1s", "1", OutcomeClosed, "beat")
	r.answer("3s", "1@1", "")
	for range 3 { // no answers
		r.beat("3.1s", "1@1")
		r.plan("failed", "3.2s", r.tr.Tick(r.at("3.2s")), "")
	}
	r.beat("3.3s", "1@1")
	r.answer("3.4s", "1@1", "")
	r.beat("3.5s", "1@1")
	r.answer("3.6s", "1@1", "")
	r.beat("3.7s", "1@1")
	r.answer("3.8s", "1@1", "start 1@1, still granted 1")
}

// The pause doubles while the end comes at once, up to five minutes, and starts small
// again once the shard has had something to do.
func TestStillGrantedForEver(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	now := time.Second
	end := func() time.Duration {
		t.Helper()
		r.returned(now.String(), "1", OutcomeClosed, "beat")
		began := now
		at := r.until((now + time.Second).String(), (now + time.Hour).String(), "1s", "1@1", "1@1")
		if now = at; at == 0 {
			t.Fatal("not started again within an hour")
		}
		return at - began
	}
	for i, want := range []time.Duration{6, 12, 24, 48, 96, 192, 300, 300, 300} {
		if got := end(); got != want*time.Second {
			t.Errorf("started again after %v the time %d, want %ds", got, i, want)
		}
	}
	if at := r.until((now + time.Second).String(), (now + 6*time.Minute).String(), "1s", "1@1", "1@1"); at != 0 {
		t.Fatalf("started once more at %v", at)
	}
	now += 6 * time.Minute
	if got := end(); got != 6*time.Second {
		t.Errorf("started again after %v, want 6s: it had worked", got)
	}
}

// What is complete, and what the service takes back, is not started again. Neither is
// anything by a member that leaves.
func TestNotStartedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		outcome Outcome
		plan    string
		after   func(r *rig)
	}{
		"complete": {OutcomeComplete, "", func(r *rig) {
			if at := r.until("2s", "1h", "2s", "1@1 2@1", "1@1 2@1"); at != 0 {
				t.Errorf("started again at %v", at)
			}
		}},
		"taken back": {OutcomeClosed, "beat", func(r *rig) {
			r.beat("2s", "1@1 2@1")
			r.answer("2.1s", "2@1", "beat")
			if at := r.until("3s", "1h", "2s", "2@1", "2@1"); at != 0 {
				t.Errorf("started again at %v", at)
			}
		}},
		"leaving": {OutcomeClosed, "beat", func(r *rig) {
			r.until("2s", "6s", "1s", "1@1 2@1", "1@1 2@1")
			r.leave("6.5s", "revoke 2@1 shutdown, beat")
			r.beat("7s", "2@1")
			r.answer("7.1s", "1@1 2@1", "")
		}},
		"lost": {OutcomeClosed, "beat", func(r *rig) {
			r.until("2s", "6s", "1s", "1@1 2@1", "1@1 2@1")
			r.plan("lease lost", "6.5s", r.tr.LeaseLost(r.at("6.5s")), "cancel 2@1 lost, lease lost, beat")
			r.beat("7s", "2@1")
			r.answer("7.1s", "1@1 2@1", "start 1@1, beat") // taken afresh
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.join("1@1 2@1")
			r.returned("1s", "1", c.outcome, c.plan)
			c.after(r)
		})
	}
}

// The run of a finite member waits for a second look, and for no third one.
func TestFiniteRunLooksTwice(t *testing.T) {
	r := newRig(t, finite)
	r.join("1@1")
	r.returned("1s", "1", OutcomeClosed, "beat")
	if at := r.until("2s", "1m", "1s", "1@1", "1@1"); at != 7*time.Second {
		t.Errorf("started again at %v, want 7s", at)
	}
	r.returned("7.1s", "1", OutcomeClosed, "beat")
	for at := 8 * time.Second; ; at += time.Second {
		r.beat(at.String(), "1@1")
		p, err := r.accept(at.String(), r.seq, "1@1")
		if err != nil || len(p.Start) > 0 || at > time.Minute {
			t.Fatalf("at %v: %s, %v", at, actions(p), err)
		}
		if p.Complete {
			if at != 18*time.Second {
				t.Errorf("it leaves at %v, want 18s: one TTL after the second end", at)
			}
			return
		}
	}
}

// A service that counts learns when a shard is not complete any more.
func TestStillGrantedIsReported(t *testing.T) {
	r := newRig(t, func(cfg *TrackerConfig) { cfg.Completion = true })
	r.join("1@1")
	r.returned("1s", "1", OutcomeClosed, "beat")
	r.until("2s", "6.9s", "1s", "1@1", "1@1")
	r.complete("7s", "1@1", "{1}")
	r.answer("7.1s", "1@1", "start 1@1, still granted 1, beat")
	r.complete("7.2s", "1@1", "{}")
}
