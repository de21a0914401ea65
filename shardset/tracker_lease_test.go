package shardset

import (
	"errors"
	"math"
	"testing"
	"time"
)

// stale asserts that an answer is dropped and plans only what is given.
func (r *rig) stale(at string, seq uint64, grants, plan string) {
	r.t.Helper()
	p, err := r.accept(at, seq, grants)
	if !errors.Is(err, ErrStaleAnswer) {
		r.t.Errorf("the answer %q to heartbeat %d at %s: %v, want ErrStaleAnswer", grants, seq, at, err)
	}
	r.plan("stale answer "+grants, at, p, plan)
}

func TestNewestAnswerWins(t *testing.T) {
	r := newRig(t)
	r.stale("0s", 0, "1@1", "") // to a heartbeat that never was
	r.stale("0s", 1, "1@1", "")
	r.join("1@1")
	r.beat("2s", "1@1")
	r.stale("2.1s", 1, "1@1 2@1", "") // the answer to the join, again
	r.beat("4s", "1@1")
	r.stale("4.1s", 2, "", "") // a late answer must not revoke either
	r.stale("4.1s", 4, "", "")
	r.answer("4.2s", "1@1 2@1", "start 2@1, beat")
	r.stale("4.3s", 3, "1@1", "") // a copy of an answer that was obeyed
	r.states("1 held, 2 held")
}

// Sent 0s, stamped by the server 1s, read 8s, TTL 10s: the server may give the shard
// away at 11s. Counted from the reply we would work on it until 16.9s.
func TestLeaseCountsFromSend(t *testing.T) {
	r := newRig(t)
	r.beat("0s", "")
	p := r.answer("8s", "1@1", "start 1@1, beat")
	r.when("the lease's end", p.NotAfter, "8.9s")
	r.when("the started shard's lease", p.Start[0].NotAfter, "8.9s")
	r.when("the wake-up", p.WakeAt, "8.9s")
	r.tick("8.89s", "")
	r.tick("8.9s", "cancel 1@1 lost, lease lost, beat")
}

// The same with the reply read at 9s: the lease that it gives is over already.
func TestAnswerSlowerThanItsLease(t *testing.T) {
	r := newRig(t)
	r.beat("0s", "")
	r.stale("9s", r.seq, "1@1", "")
	r.states("")
	r.beat("9s", "")
	r.answer("9.1s", "1@1", "start 1@1, beat")
}

// The group's TTL was made shorter, and the answer that says so took longer than
// that. The newest word is that the lease is over; the older, longer one is void.
func TestAnswerSlowerThanAShortenedLease(t *testing.T) {
	r := newRig(t)
	r.ttl = time.Minute
	r.join("1@1")
	r.beat("2s", "1@1")
	r.ttl = 6 * time.Second
	r.stale("8s", r.seq, "1@1", "cancel 1@1 lost, lease lost, beat")
}

func TestEachAnswerMovesTheLease(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.beat("2s", "1@1")
	r.when("the lease's end", r.answer("2.5s", "1@1", "").NotAfter, "10.9s")
	r.tick("8.9s", "")
	r.beat("9s", "1@1")
	r.when("the wake-up after a failure", r.plan("failed", "10s", r.tr.Tick(r.at("10s")), "").WakeAt, "10.9s")
	r.tick("10.9s", "cancel 1@1 lost, lease lost, beat")
}

// A good answer that comes after the deadline, to a heartbeat from before it, never
// revives the lease: the run it would revive is cancelled, and may be elsewhere.
func TestExpiryIsALatch(t *testing.T) {
	r := newRig(t)
	r.gen = 5
	r.join("1@1 2@1")
	r.beat("8s", "1@1 2@1")
	r.tick("8.9s", "cancel 1@1 lost, cancel 2@1 lost, lease lost, beat")
	r.stale("9s", r.seq, "1@1 2@1", "") // its own lease would last until 16.9s
	r.states("1 cancelled lost, 2 cancelled lost")

	rep := r.beat("9.1s", "1@1 2@1") // both still run, so both are listed
	if rep.Instance != 8 || rep.Generation != 0 {
		t.Errorf("after the loss it reports instance %d and generation %d, want the new instance 8, which has seen nothing", rep.Instance, rep.Generation)
	}
	r.answer("9.2s", "1@2", "")
	r.returned("9.3s", "1", OutcomeLost, "beat")
	r.returned("9.3s", "2", OutcomeFenced, "beat")
	r.beat("9.4s", "")
	r.answer("9.5s", "1@2", "start 1@2, beat")
}

// The late answer itself may be what tells us the time.
func TestLateAnswerEndsTheLease(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.beat("8s", "1@1")
	r.stale("8.9s", r.seq, "1@1", "cancel 1@1 lost, lease lost, beat")
}

// Every event notices the lease's end first, whichever comes first after a freeze.
func TestAnyEventEndsTheLease(t *testing.T) {
	for name, event := range map[string]func(*rig, time.Time) Plan{
		"tick":       func(r *rig, now time.Time) Plan { return r.tr.Tick(now) },
		"failed":     func(r *rig, now time.Time) Plan { return r.tr.Tick(now) },
		"lease lost": func(r *rig, now time.Time) Plan { return r.tr.LeaseLost(now) },
		"evicted":    func(r *rig, now time.Time) Plan { return r.tr.Evicted(now, r.seq) },
		"returned":   func(r *rig, now time.Time) Plan { return r.tr.Returned(now, ID{Number: 9}, OutcomeComplete) },
		"replaced":   func(r *rig, now time.Time) Plan { p, _ := r.tr.Replaced(now, r.seq, 1); return p },
	} {
		r := newRig(t)
		r.join("1@1")
		r.beat("2s", "1@1")
		r.plan(name, "8.9s", event(r, r.at("8.9s")), "cancel 1@1 lost, lease lost, beat")
		if got := r.tr.Instance(); got != 8 {
			t.Errorf("%s at the lease's end: instance %d, want 8: it ends once", name, got)
		}
	}
}

// A machine that was suspended has a wall clock ahead of its monotonic one.
func TestSuspendEndsTheLease(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.plan("tick", "1s, woken after an hour", r.tr.Tick(wallAhead(t, r.at("1s"), time.Hour)), "cancel 1@1 lost, lease lost, beat")

	r = newRig(t)
	r.join("1@1")
	r.plan("tick", "1s, wall clock set back", r.tr.Tick(wallAhead(t, r.at("1s"), -time.Hour)), "")
	r.plan("tick", "8.9s, wall clock set back", r.tr.Tick(wallAhead(t, r.at("8.9s"), -time.Hour)), "cancel 1@1 lost, lease lost, beat")
}

// A processor that checks its lease before a commit may see the end before we do.
func TestLostByALaterClock(t *testing.T) {
	r := newRig(t)
	r.join("1@1")
	r.plan("lease lost", "8.8s", r.tr.LeaseLost(r.at("8.8s")), "cancel 1@1 lost, lease lost, beat")

	// With a thousand shards a thousand processors say so. One lease ends once:
	// the join that is under way must not be void because of the second word.
	rep := r.beat("8.9s", "1@1")
	r.plan("lease lost", "9s", r.tr.LeaseLost(r.at("9s")), "")
	if got := r.tr.Instance(); got != rep.Instance {
		t.Errorf("the second word of one loss made instance %d of %d", got, rep.Instance)
	}
	r.answer("9.1s", "2@1", "start 2@1, beat")
}

// A service without instances gets none invented for it.
func TestNoInstanceStaysNone(t *testing.T) {
	r := newRig(t, func(cfg *TrackerConfig) { cfg.Instance = 0 })
	r.join("1")
	r.tick("8.9s", "cancel 1@clock lost, lease lost, beat")
	if got := r.beat("9s", "1@0").Instance; got != 0 {
		t.Errorf("instance %d after a lost lease, want none", got)
	}
}

// The service lost writes: whatever it gave since may have been given again.
func TestGenerationGoingBack(t *testing.T) {
	r := newRig(t)
	r.gen = 5
	r.join("1@1")
	r.gen = 4
	r.beat("2s", "1@1")
	p, err := r.accept("2.1s", r.seq, "1@1")
	if err == nil || err.Error() != "bad heartbeat answer: the generation went back from 5 to 4" {
		t.Errorf("generation 4 after 5: %v", err)
	}
	r.plan("answer of generation 4", "2.1s", p, "cancel 1@1 lost, lease lost, beat")
	if rep := r.beat("2.2s", "1@1"); rep.Generation != 0 || rep.Instance != 8 {
		t.Errorf("it rejoins as instance %d with generation %d, want 8 and 0", rep.Instance, rep.Generation)
	}
	r.answer("2.3s", "2@2", "start 2@2, beat")
	if got := r.tr.Generation(); got != 4 {
		t.Errorf("Generation() = %d after the rejoin, want 4", got)
	}
}

func TestBadAnswersChangeNothing(t *testing.T) {
	for _, c := range []struct {
		name, want string
		answer     Answer
	}{
		{"negative", `bad heartbeat answer: invalid shard id: "-3": the number is negative`,
			Answer{TTL: 10 * time.Second, Grants: []Grant{{ID: ID{Number: -3}}}}},
		{"odd log", `bad heartbeat answer: invalid shard id: the log name "a b" is not 1 to 128 letters, digits, '.', '-' and '_' after a letter or digit`,
			Answer{TTL: 10 * time.Second, Grants: []Grant{{ID: ID{"a b", 1}}}}},
		{"twice", "bad heartbeat answer: shard 2 is listed twice",
			Answer{TTL: 10 * time.Second, Grants: []Grant{{ID: ID{"", 2}, Epoch: 1}, {ID: ID{"", 1}, Epoch: 1}, {ID: ID{"", 2}, Epoch: 2}}}},
		{"no TTL", "bad heartbeat answer: the TTL 0s is not positive", Answer{}},
		{"negative TTL", "bad heartbeat answer: the TTL -1s is not positive", Answer{TTL: -time.Second}},
	} {
		r := newRig(t)
		r.gen = 5
		r.join("1@1 2@1")
		r.beat("2s", "1@1 2@1")
		c.answer.Generation = 6
		p, err := r.tr.Accepted(r.at("2.1s"), r.seq, c.answer)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		r.plan(c.name, "2.1s", p, "")
		r.states("1 held, 2 held")
		r.when(c.name+": the lease's end", p.WakeAt, "8.9s")
		if got := r.tr.Generation(); got != 5 {
			t.Errorf("%s: the generation is %d, want 5", c.name, got)
		}
		// The heartbeat may be answered again, well this time.
		r.gen = 6
		r.answer("2.2s", "1@1", "revoke 2@1 revoked")
	}
}

// An answer with a TTL that this member cannot live with is not obeyed, but it still
// says when the service may give the shards away.
func TestRefusedTTLShortensTheLease(t *testing.T) {
	r := newRig(t)
	r.ttl = time.Minute
	r.join("1@1")
	r.beat("2s", "1@1")
	const want = "the heartbeat interval 2s is too long for the group's TTL 299ms: at least 3 heartbeats must fit, so use 99.666666ms or less"
	p, err := r.tr.Accepted(r.at("2.1s"), r.seq, Answer{TTL: 299 * time.Millisecond, Grants: []Grant{{ID: ID{"", 2}, Epoch: 1}}})
	if err == nil || err.Error() != want {
		t.Errorf("the answer got %v, want %s", err, want)
	}
	r.plan("the refusal", "2.1s", p, "")
	r.states("1 held")
	r.when("the lease's end", p.NotAfter, "2.26611s")
	r.tick("2.3s", "cancel 1@1 lost, lease lost, beat")
}

// A join that a number at its end refuses does not wrap around to "no number".
func TestReplacedByTheLargestInstance(t *testing.T) {
	r := newRig(t)
	r.beat("0s", "")
	if _, final := r.tr.Replaced(r.at("0.1s"), r.seq, math.MaxUint64); !final {
		t.Errorf("it goes on as instance %d, want the end", r.tr.Instance())
	}
}

// "You hold nothing" is an answer, and a different thing from a bad one.
func TestEmptyAnswerDrainsEverything(t *testing.T) {
	r := newRig(t)
	r.join("1@1 2@1")
	r.beat("2s", "1@1 2@1")
	p := r.answer("2.1s", "", "revoke 1@1 revoked, revoke 2@1 revoked")
	r.when("the lease's end", p.NotAfter, "10.9s")
}

// An interval so long that three of it are more than a Duration holds.
func TestIntervalOverflow(t *testing.T) {
	r := newRig(t, firm, func(cfg *TrackerConfig) { cfg.Interval = 1 << 62 })
	r.beat("0s", "")
	_, err := r.tr.Accepted(r.at("0.1s"), r.seq, Answer{TTL: time.Minute})
	if !errors.As(err, new(*IntervalError)) {
		t.Errorf("the answer got %v, want an IntervalError", err)
	}
}
