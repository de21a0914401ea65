package shardset

import (
	"maps"
	"slices"
	"time"
)

// ended is what the world knows of the end of a finite run, by its own bookkeeping.
type ended struct {
	calm   bool          // little changes, and most processors reach their end
	done   map[ID]uint64 // grants whose processors finished by themselves: their epochs
	worked bool          // some processor did, ever
	said   bool          // the newest accepted answer said Finished
	ttl    time.Duration // of that answer
	sentAt time.Time     // when its heartbeat left
	idle   time.Time     // nothing is left to do since then; zero: something is
	told   bool
}

// finishes counts how runs ended.
type finishes struct{ counted, waited int }

func (e *ended) lapse() {
	clear(e.done)
	e.said, e.told, e.idle = false, false, time.Time{}
}

// changes says in how many places an answer differs from the last one.
func (w *world) changes() int {
	if w.end.calm && len(w.grants) > 0 && w.rnd.IntN(40) > 0 {
		return 0
	}
	return w.rnd.IntN(3)
}

// heard notes an answer that is to be accepted. w.grants still has the last one's.
func (w *world) heard(a Answer, seq uint64) {
	w.end.said, w.end.ttl, w.end.sentAt = a.Complete, a.TTL, w.beats[seq-1]
	before, now := slices.Clone(w.grants), slices.Clone(a.Grants)
	slices.SortFunc(before, compareGrants)
	slices.SortFunc(now, compareGrants)
	if slices.Equal(before, now) {
		return
	}
	w.end.idle = time.Time{}
	maps.DeleteFunc(w.end.done, func(id ID, epoch uint64) bool {
		return !slices.Contains(now, Grant{ID: id, Epoch: epoch})
	})
}

// finished notes how a goroutine ended, before the plan p for that is obeyed.
func (w *world) finished(id ID, r *run, o Outcome, p Plan) {
	itself := r.cause == 0 && !w.leaving() && (o == OutcomeComplete || o == OutcomeClosed)
	if itself {
		w.end.done[id] = r.epoch
		if (w.cfg.Finite || w.cfg.Completion) && !p.Beat {
			w.fail("shard %s is done, and nobody is to be told", id)
		}
	}
	w.end.worked = w.end.worked || itself || o == OutcomeClosed && r.cause != CauseLost
}

// endOfWait is when a member without a service that counts has waited long enough;
// zero: it does not wait.
func (w *world) endOfWait() time.Time {
	if w.end.idle.IsZero() || w.cfg.Completion {
		return time.Time{}
	}
	return w.end.idle.Add(w.end.ttl)
}

// nothingLeft checks that a plan ends the run when there is nothing left to do, and
// only then, and has the member leave as it is told.
func (w *world) nothingLeft(p Plan) {
	rest := w.cfg.Finite && !w.leaving() && !w.over && !w.deadline.IsZero() && len(w.runs) == 0 && (w.cfg.Completion || w.end.worked)
	for _, g := range w.grants {
		epoch, done := w.end.done[g.ID]
		rest = rest && done && epoch == g.Epoch
	}
	switch {
	case !rest:
		w.end.idle = time.Time{}
	case w.end.idle.IsZero():
		w.end.idle = w.now
	}
	want := rest && !w.end.told && w.end.said
	if !w.cfg.Completion {
		want = rest && !w.end.told && !w.end.sentAt.Before(w.endOfWait())
	}
	if p.Complete != want {
		w.fail("finished: %v, want %v: idle since %v, the newest answer %+v; %s", p.Complete, want, w.now.Sub(w.end.idle), w.end, statesText(w.tr))
	}
	if !p.Complete || w.err != nil {
		return
	}
	w.end.told = true
	if w.cfg.Completion {
		w.finishes.counted++
	} else {
		w.finishes.waited++
	}
	w.leave()
}

// reportsDone checks what a heartbeat says is done.
func (w *world) reportsDone(r Heartbeat) {
	if want := slices.SortedFunc(maps.Keys(w.end.done), ID.Compare); !slices.Equal(r.Complete, want) {
		w.fail("the report says that %v are done, and %v are", r.Complete, want)
	}
}
