package shardset

import (
	"maps"
	"slices"
	"time"
)

// closed is what the world knows of shards that were processed to their end under their present grants.
type closed struct {
	shards map[ID]*closedShard
	again  int // how often one was started again
}

type closedShard struct {
	epoch  uint64
	idle   bool      // its processor has not been started again
	at     time.Time // when its end was reached last
	seq    uint64    // the newest heartbeat then
	flying bool      // which was not answered then
	pause  time.Duration
	total  int // answers since then
	after  int // of them, to heartbeats that left after the end

	believed bool // not to be started again
}

// closedReturned notes how a goroutine returned.
func (w *world) closedReturned(id ID, r *run, o Outcome) {
	itself := r.cause == 0 && !w.leaving()
	c := w.closed.shards[id]
	switch {
	case itself && o == OutcomeFailed:
		return // it restarts
	case !itself || o != OutcomeClosed:
		delete(w.closed.shards, id)
		return
	}
	first := 3 * w.cfg.Interval
	now := &closedShard{epoch: r.epoch, idle: true, at: w.now, seq: w.seq(), flying: w.seq() > w.answered, pause: first}
	if c != nil && w.now.Sub(r.started) <= c.pause { // the end came at once again
		now.pause = min(2*c.pause, max(first, 5*time.Minute))
		now.believed = w.cfg.Finite
	}
	w.closed.shards[id] = now
}

// closedAnswer checks which shards an answer has started again after their end: those that
// it grants on, after three answers that could know, and after a while.
func (w *world) closedAnswer(seq uint64, p Plan) {
	var want []ID
	for id, c := range w.closed.shards {
		if !slices.Contains(w.grants, Grant{ID: id, Epoch: c.epoch}) {
			delete(w.closed.shards, id)
			continue
		}
		if !c.idle || c.believed {
			continue
		}
		c.total++
		if seq > c.seq {
			c.after++
		}
		need := 3
		if c.flying {
			need++
		}
		if c.total >= need && !w.now.Before(c.at.Add(c.pause)) && !w.leaving() {
			if c.after < 3 {
				w.fail("shard %s is started again after %d answers that know of its end", id, c.after)
			}
			c.idle = false
			want = append(want, id)
		}
	}
	slices.SortFunc(want, ID.Compare)
	if !slices.Equal(p.StillGranted, want) {
		w.fail("the answer starts %v again, want %v of %+v", p.StillGranted, want, slices.Collect(maps.Keys(w.closed.shards)))
	}
	for _, id := range p.StillGranted {
		w.closed.again++
		delete(w.end.complete, id)
		if !slices.ContainsFunc(p.Start, func(l Lease) bool { return l.ID == id }) {
			w.fail("shard %s is still granted, and not started", id)
		}
	}
}
