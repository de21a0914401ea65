package coordinator

import (
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Events of the whole member. The log does not show each heartbeat. It has a warning for the first
// failure, one more for each minute of failures, and a line when heartbeats are answered again.

// warnAgain is the time between two lines about the same failure.
const warnAgain = time.Minute

func (rc *recorder) line(f func(log *zap.Logger)) {
	rc.lines.add(func() { f(rc.own) })
}

func (rc *recorder) shardLine(l shardset.Lease, f func(log *zap.Logger)) {
	rc.lines.add(func() { f(rc.own.With(zap.Stringer("shard", l.ID), zap.Uint64("epoch", l.Epoch), processor.Fold())) })
}

// state records a change of the member's state.
func (rc *recorder) state(s State, instance uint64, err error) {
	if rc.hooks.Member == nil {
		return
	}
	e := MemberEvent{Member: rc.member, Instance: instance, At: time.Now(), State: s, Err: err}
	rc.calls.add(func() { rc.hooks.Member(e) })
}

func (rc *recorder) joining(instance uint64, g heartbeat.Guarantees) {
	rc.line(func(log *zap.Logger) {
		log.Info("joining the group", zap.Uint64("instance", instance), zap.Stringer("guarantees", g))
	})
}

func (rc *recorder) order(g heartbeat.Guarantees) {
	rc.line(func(log *zap.Logger) {
		log.Info("the group's order is not what this worker expected", zap.Stringer("guarantees", g))
	})
}

// interval records that the heartbeat interval follows the group's TTL.
func (rc *recorder) interval(now, before, ttl time.Duration, firm bool) {
	rc.line(func(log *zap.Logger) {
		log = log.With(zap.Duration("interval", now), zap.Duration("before", before), zap.Duration("ttl", ttl))
		if now < before && firm {
			log.Warn("the group's TTL was made shorter than three heartbeat intervals; sending heartbeats faster")
			return
		}
		log.Info("the heartbeat interval follows the group's TTL")
	})
}

func (rc *recorder) joined(instance uint64, shards int) {
	rc.line(func(log *zap.Logger) {
		log.Info("joined the group", zap.Uint64("instance", instance), zap.Int("shards", shards))
	})
}

func (rc *recorder) waiting() {
	rc.line(func(log *zap.Logger) {
		log.Info("waiting for a first shard: the group grants this worker none, because it has none or other workers " +
			"have them; Run returns when the work is complete, which this worker cannot tell before it had a shard")
	})
}

func (rc *recorder) complete() {
	rc.line(func(log *zap.Logger) { log.Info("the work is complete") })
}

func (rc *recorder) leaving(joined bool, why error, shards int) {
	rc.line(func(log *zap.Logger) {
		switch {
		case !joined && why != nil:
			log.Error("cannot join the group", zap.Error(why))
		case !joined:
			log.Info("stopping before it joined the group")
		case why != nil:
			log.Error("leaving the group because of an error", zap.Error(why), zap.Int("shards", shards))
		default:
			log.Info("leaving the group", zap.Int("shards", shards))
		}
	})
}

func (rc *recorder) leaveFailed(err error) {
	rc.line(func(log *zap.Logger) {
		log.Warn("the leave call failed; the group waits for the lease to end", zap.Error(err))
	})
}

func (rc *recorder) stopped(joined bool, running []shardset.ID) {
	rc.unfold(true)
	rc.line(func(log *zap.Logger) {
		switch {
		case len(running) > 0:
			log.Error("left with processors still running", zap.Stringers("shards", running))
		case joined:
			log.Info("left the group")
		}
	})
}

func (rc *recorder) leaseLost(shards int) {
	rc.count(func(c *Counters) { c.LeasesLost++ })
	rc.line(func(log *zap.Logger) { log.Warn("the lease was lost", zap.Int("shards", shards)) })
}

func (rc *recorder) evicted() {
	rc.count(func(c *Counters) { c.Evictions++ })
	rc.line(func(log *zap.Logger) { log.Warn("evicted from the group, rejoining") })
}

func (rc *recorder) groupCreated() {
	rc.line(func(log *zap.Logger) { log.Info("created the group, joining it") })
}

// watchFailed records a watch that broke or could not be made. first: it is the first failure of
// an outage.
func (rc *recorder) watchFailed(err error, first bool) {
	rc.count(func(c *Counters) { c.WatchesFailed++ })
	if first {
		rc.line(func(log *zap.Logger) {
			log.Warn("the watch for pushes failed, retrying; until it works, changes are seen at the next heartbeat", zap.Error(err))
		})
	}
}

func (rc *recorder) watchWorks(after time.Duration) {
	rc.line(func(log *zap.Logger) { log.Info("the watch for pushes works again", zap.Duration("after", after)) })
}

func (rc *recorder) dropped() { rc.count(func(c *Counters) { c.AnswersDropped++ }) }

// heartbeat records the outcome of a heartbeat. final: Run ends because of it.
func (rc *recorder) heartbeat(e HeartbeatEvent, now time.Time, final bool) {
	err := e.Err
	rc.count(func(c *Counters) {
		if err == nil {
			c.Heartbeats++
		} else {
			c.HeartbeatsFailed++
		}
	})
	switch {
	case err == nil && !rc.failingSince.IsZero():
		rc.failingSince = time.Time{}
		rc.line(func(log *zap.Logger) { log.Info("heartbeats are answered again") })
	case final:
		rc.line(func(log *zap.Logger) { log.Warn("heartbeat failed", zap.Error(err)) })
	case err != nil && rc.failingSince.IsZero():
		rc.failingSince, rc.warnedAt = now, now
		rc.line(func(log *zap.Logger) { log.Warn("heartbeat failed, retrying", zap.Error(err)) })
	case err != nil && now.Sub(rc.warnedAt) >= warnAgain:
		rc.warnedAt = now
		failing := now.Sub(rc.failingSince).Round(time.Second)
		rc.line(func(log *zap.Logger) {
			log.Warn("heartbeats still fail, retrying", zap.Duration("for", failing), zap.Error(err))
		})
	}
	rc.unfold(false)
	if rc.hooks.Heartbeat != nil {
		e.Member = rc.member
		rc.calls.add(func() { rc.hooks.Heartbeat(e) })
	}
}
