package coordinator

import (
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// What happens to the member as a whole. No line per heartbeat at info level: the first
// failure of a row is a warning, once a minute there is another, and the end is told.

// warnAgain is how often a failure that lasts is logged again.
const warnAgain = time.Minute

func (t *teller) line(f func(log *zap.Logger)) {
	t.lines.add(func() { f(t.own) })
}

func (t *teller) shardLine(id shardset.ID, epoch uint64, f func(log *zap.Logger)) {
	t.lines.add(func() { f(t.own.With(zap.Stringer("shard", id), zap.Uint64("epoch", epoch), processor.Fold())) })
}

// state has a change of the member's state told.
func (t *teller) state(s State, instance uint64, err error) {
	if t.hooks.Member == nil {
		return
	}
	e := MemberEvent{Member: t.member, Instance: instance, At: time.Now(), State: s, Err: err}
	t.calls.add(func() { t.hooks.Member(e) })
}

func (t *teller) joining(instance uint64, g heartbeat.Guarantees) {
	t.line(func(log *zap.Logger) {
		log.Info("joining the group", zap.Uint64("instance", instance), zap.Stringer("guarantees", g))
	})
}

func (t *teller) order(g heartbeat.Guarantees) {
	t.line(func(log *zap.Logger) {
		log.Info("the group has another order than this worker expected", zap.Stringer("guarantees", g))
	})
}

// interval tells of a heartbeat interval that follows the group's TTL.
func (t *teller) interval(now, before, ttl time.Duration, firm bool) {
	t.line(func(log *zap.Logger) {
		log = log.With(zap.Duration("interval", now), zap.Duration("before", before), zap.Duration("ttl", ttl))
		if now < before && firm {
			log.Warn("the group's TTL was made shorter than three heartbeat intervals; beating faster")
			return
		}
		log.Info("the heartbeat interval follows the group's TTL")
	})
}

func (t *teller) joined(instance uint64, shards int) {
	t.line(func(log *zap.Logger) {
		log.Info("joined the group", zap.Uint64("instance", instance), zap.Int("shards", shards))
	})
}

func (t *teller) waiting() {
	t.line(func(log *zap.Logger) {
		log.Info("waiting for a first shard: the group grants this worker none, because it has none or other workers " +
			"have them; Run returns when the work is complete, which this worker cannot tell before it had a shard")
	})
}

func (t *teller) finished() {
	t.line(func(log *zap.Logger) { log.Info("the work is finished") })
}

func (t *teller) leaving(joined bool, why error, shards int) {
	t.line(func(log *zap.Logger) {
		switch {
		case !joined && why != nil:
			log.Error("cannot join the group", zap.Error(why))
		case !joined:
			log.Info("stopping before it joined the group")
		case why != nil:
			log.Error("leaving the group because it cannot go on", zap.Error(why), zap.Int("shards", shards))
		default:
			log.Info("leaving the group", zap.Int("shards", shards))
		}
	})
}

func (t *teller) leaveFailed(err error) {
	t.line(func(log *zap.Logger) {
		log.Warn("the leave call failed; the group waits for the lease to end", zap.Error(err))
	})
}

func (t *teller) stopped(joined bool, deaf []shardset.ID) {
	t.unfold(true)
	t.line(func(log *zap.Logger) {
		switch {
		case len(deaf) > 0:
			log.Error("left with processors still running", zap.Stringers("shards", deaf))
		case joined:
			log.Info("left the group")
		}
	})
}

func (t *teller) lapsed(shards int) {
	t.count(func(c *Counters) { c.LeasesLost++ })
	t.line(func(log *zap.Logger) { log.Warn("the lease is over", zap.Int("shards", shards)) })
}

func (t *teller) evicted() {
	t.count(func(c *Counters) { c.Evictions++ })
	t.line(func(log *zap.Logger) { log.Warn("evicted from the group, rejoining") })
}

func (t *teller) dropped() { t.count(func(c *Counters) { c.AnswersDropped++ }) }

// heartbeat has a heartbeat told; final: Run ends because of it, so nothing is retried.
func (t *teller) heartbeat(e HeartbeatEvent, now time.Time, final bool) {
	err := e.Err
	t.count(func(c *Counters) {
		if err == nil {
			c.Beats++
		} else {
			c.BeatsFailed++
		}
	})
	switch {
	case err == nil && !t.failingSince.IsZero():
		t.failingSince = time.Time{}
		t.line(func(log *zap.Logger) { log.Info("heartbeats are answered again") })
	case final:
		t.line(func(log *zap.Logger) { log.Warn("heartbeat failed", zap.Error(err)) })
	case err != nil && t.failingSince.IsZero():
		t.failingSince, t.warnedAt = now, now
		t.line(func(log *zap.Logger) { log.Warn("heartbeat failed, retrying", zap.Error(err)) })
	case err != nil && now.Sub(t.warnedAt) >= warnAgain:
		t.warnedAt = now
		failing := now.Sub(t.failingSince).Round(time.Second)
		t.line(func(log *zap.Logger) {
			log.Warn("heartbeats still fail, retrying", zap.Duration("for", failing), zap.Error(err))
		})
	}
	t.unfold(false)
	if t.hooks.Heartbeat != nil {
		e.Member = t.member
		t.calls.add(func() { t.hooks.Heartbeat(e) })
	}
}
