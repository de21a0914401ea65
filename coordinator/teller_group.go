package coordinator

import (
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// What happens to the member as a whole. No line per heartbeat at info level: the
// first failure of a row is a warning, and so is the end of one.

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
		log.Info("the group's order is another than was known", zap.Stringer("guarantees", g))
	})
}

// interval tells of a heartbeat interval that follows the group's TTL.
func (t *teller) interval(now, before, ttl time.Duration, first bool) {
	t.line(func(log *zap.Logger) {
		log = log.With(zap.Duration("interval", now), zap.Duration("before", before), zap.Duration("ttl", ttl))
		if now < before && !first {
			log.Warn("the group's TTL was made shorter than three heartbeat intervals; beating faster")
			return
		}
		log.Info("the heartbeat interval follows the group's TTL")
	})
}

func (t *teller) finished() {
	t.line(func(log *zap.Logger) { log.Info("the work is finished") })
}

func (t *teller) leaving(why error, shards int) {
	t.line(func(log *zap.Logger) {
		if why != nil {
			log.Error("leaving the group because it cannot go on", zap.Error(why), zap.Int("shards", shards))
			return
		}
		log.Info("leaving the group", zap.Int("shards", shards))
	})
}

func (t *teller) leaveFailed(err error) {
	t.line(func(log *zap.Logger) {
		log.Warn("the leave call failed; the group waits for the lease to end", zap.Error(err))
	})
}

func (t *teller) stopped(deaf []shardset.ID) {
	t.unfold(true)
	t.line(func(log *zap.Logger) {
		if len(deaf) > 0 {
			log.Error("left with processors still running", zap.Stringers("shards", deaf))
			return
		}
		log.Info("left the group")
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

func (t *teller) heartbeat(r heartbeat.Request, a shardset.Answer, sent, now time.Time, err error) {
	var first bool
	t.count(func(c *Counters) {
		if err == nil {
			c.Beats++
		} else {
			c.BeatsFailed++
		}
		first = (err != nil) != t.silent
		t.silent = err != nil
	})
	switch {
	case first && err != nil:
		t.line(func(log *zap.Logger) { log.Warn("heartbeat failed, retrying", zap.Error(err)) })
	case first:
		t.line(func(log *zap.Logger) { log.Info("heartbeats are answered again") })
	}
	t.unfold(false)
	if t.hooks.Heartbeat != nil {
		e := HeartbeatEvent{Member: t.member, Sent: sent, Took: now.Sub(sent), Held: len(r.Held), Shards: len(a.Grants), Err: err}
		t.calls.add(func() { t.hooks.Heartbeat(e) })
	}
}
