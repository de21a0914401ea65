package shardset

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// A TTL that somebody makes shorter makes the member beat faster, whoever chose its
// interval: three heartbeats fit into a lease again. When the TTL grows, the interval
// comes back.
func TestIntervalFollowsTheTTL(t *testing.T) {
	for _, set := range []func(*TrackerConfig){firm, func(*TrackerConfig) {}} {
		r := newRig(t, set)
		r.ttl = time.Minute
		r.join("1@1")
		for _, c := range []struct {
			ttl                        time.Duration
			sent, at, ends, next, fast string
		}{
			{3 * time.Second, "10s", "10.1s", "12.67s", "11s", "10.2s"},
			{6 * time.Second, "11s", "11.1s", "16.34s", "13s", "11.2s"},
			{300 * time.Millisecond, "12s", "12.1s", "12.267s", "12.1s", "12.1s"},
			{time.Minute, "12.1s", "12.2s", "66.5s", "14.1s", "12.3s"},
		} {
			r.beat(c.sent, "1@1")
			r.ttl = c.ttl
			r.when(fmt.Sprint("the end of the lease with the TTL ", c.ttl), r.answer(c.at, "1@1", "").NotAfter, c.ends)
			r.tr.settledAt = r.at("0s")
			r.when(fmt.Sprint("the next heartbeat with the TTL ", c.ttl), r.tr.NextHeartbeat(r.at(c.at)), c.next)
			r.tr.settledAt = r.at("99s")
			r.when(fmt.Sprint("the next fast heartbeat with the TTL ", c.ttl), r.tr.NextHeartbeat(r.at(c.at)), c.fast)
			if got := r.tr.Interval(); got != min(2*time.Second, c.ttl/MinHeartbeats) {
				t.Errorf("with the TTL %v the interval is %v", c.ttl, got)
			}
		}
	}
}

// The first answer refuses an interval that somebody chose; one that nobody chose gives
// way. Neither gives way to a TTL that has no room for three of the shortest.
func TestIntervalAtTheFirstAnswer(t *testing.T) {
	for _, c := range []struct {
		firm     bool
		ttl      time.Duration
		interval time.Duration // zero: the answer is refused
	}{
		{true, 6 * time.Second, 2 * time.Second},
		{true, 5999 * time.Millisecond, 0},
		{false, 5999 * time.Millisecond, 5999 * time.Millisecond / 3},
		{false, 300 * time.Millisecond, 100 * time.Millisecond},
		{false, 299 * time.Millisecond, 0},
	} {
		r := newRig(t, func(cfg *TrackerConfig) { cfg.FirmInterval = c.firm })
		r.beat("0s", "")
		_, err := r.tr.Accepted(r.at("0.01s"), r.seq, Answer{TTL: c.ttl, Grants: []Grant{{ID: ID{"", 1}}}})
		switch {
		case c.interval == 0 && !errors.As(err, new(*IntervalError)):
			t.Errorf("chosen: %v, TTL %v: the answer got %v, want an IntervalError", c.firm, c.ttl, err)
		case c.interval != 0 && (err != nil || r.tr.Interval() != c.interval):
			t.Errorf("chosen: %v, TTL %v: the interval is %v (%v), want %v", c.firm, c.ttl, r.tr.Interval(), err, c.interval)
		}
	}
}

// A member whose own interval is shorter than the shortest that a TTL may ask for
// chose that, and keeps it.
func TestOwnShortInterval(t *testing.T) {
	r := newRig(t, firm, func(cfg *TrackerConfig) { cfg.Interval, cfg.Fast = 20*time.Millisecond, 20*time.Millisecond })
	r.ttl = 60 * time.Millisecond
	r.beat("0s", "")
	if _, err := r.accept("0.01s", r.seq, "1@1"); err != nil || r.tr.Interval() != 20*time.Millisecond {
		t.Errorf("the interval is %v (%v)", r.tr.Interval(), err)
	}
}

// An answer that took longer than the lease that it gives tells of the shorter TTL all
// the same: or the next heartbeats would be as slow.
func TestLateAnswerShortensTheInterval(t *testing.T) {
	r := newRig(t, firm)
	r.ttl = time.Minute
	r.join("1@1")
	r.beat("2s", "1@1")
	r.ttl = 900 * time.Millisecond
	r.stale("3s", r.seq, "1@1", "cancel 1@1 lost, lease lost, beat")
	if got := r.tr.Interval(); got != 300*time.Millisecond {
		t.Errorf("the interval is %v, want 300ms", got)
	}
}

// A leaving member renews its lease in time by the shorter interval, too.
func TestLeavingWithAShorterTTL(t *testing.T) {
	r := newRig(t, firm, cannotLeave)
	r.ttl = 9 * time.Second
	r.join("1@1")
	r.beat("2s", "1@1")
	r.ttl = 3 * time.Second
	r.answer("2.1s", "1@1", "")
	r.leave("2.2s", "revoke 1@1 shutdown")
	r.when("the heartbeat that renews", r.tr.NextHeartbeat(r.at("2.3s")), "3.67s") // 4.67s less the interval
}

// An interval that the service advises is the same part of each TTL, longer or shorter.
func TestAdvisedIntervalFollowsTheTTL(t *testing.T) {
	for _, c := range []struct {
		advisedFor, ttl, want time.Duration
	}{
		{8 * time.Second, 8 * time.Second, 2 * time.Second},
		{8 * time.Second, 60 * time.Second, 15 * time.Second},
		{8 * time.Second, 6 * time.Second, 1500 * time.Millisecond},
		{8 * time.Second, 365 * 24 * time.Hour, 365 * 6 * time.Hour},
		{8 * time.Second, 330 * time.Millisecond, 100 * time.Millisecond},
		{4 * time.Second, 60 * time.Second, 20 * time.Second}, // three fit
		{0, 60 * time.Second, 2 * time.Second},                // for an unknown TTL
	} {
		r := newRig(t, func(cfg *TrackerConfig) { cfg.FollowTTL, cfg.TTL = true, c.advisedFor })
		r.beat("0s", "")
		_, err := r.tr.Accepted(r.at("0.01s"), r.seq, Answer{TTL: c.ttl})
		if got := r.tr.Interval(); err != nil || got != c.want {
			t.Errorf("2s advised for a TTL of %v: with one of %v the interval is %v (%v), want %v", c.advisedFor, c.ttl, got, err, c.want)
		}
	}
}
