package shardset

import (
	"maps"
	"slices"
	"time"
)

// finiteEnd is what the world knows of the end of a finite run, by its own bookkeeping.
type finiteEnd struct {
	calm     bool          // little changes, and most processors reach their end
	complete map[ID]uint64 // the epochs of grants whose work is complete
	worked   bool          // some processor did, ever
	said     bool          // the newest accepted answer said Complete
	ttl      time.Duration // of that answer
	sentAt   time.Time     // when its heartbeat left
	idle     time.Time     // nothing is left to do since then; zero: something is
	reported bool
}

// endings counts how runs ended.
type endings struct{ counted, waited int }

func (e *finiteEnd) leaseLost() {
	clear(e.complete)
	e.said, e.reported, e.idle = false, false, time.Time{}
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
	maps.DeleteFunc(w.end.complete, func(id ID, epoch uint64) bool {
		return !slices.Contains(now, Grant{ID: id, Epoch: epoch})
	})
}

// completed notes how a goroutine ended, before the plan p for that is obeyed.
func (w *world) completed(id ID, r *run, o Outcome, p Plan) {
	itself := r.cause == 0 && !w.leaving() && (o == OutcomeComplete || o == OutcomeClosed)
	if itself {
		w.end.complete[id] = r.epoch
		if (w.cfg.Finite || w.cfg.Completion) && !p.Beat {
			w.fail("shard %s is complete, and no heartbeat reports it", id)
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
// only then, and has the member leave as it is sum.
func (w *world) nothingLeft(p Plan) {
	rest := w.cfg.Finite && !w.leaving() && !w.over && !w.deadline.IsZero() && len(w.runs) == 0 && (w.cfg.Completion || w.end.worked)
	for _, g := range w.grants {
		epoch, complete := w.end.complete[g.ID]
		rest = rest && complete && epoch == g.Epoch
	}
	switch {
	case !rest:
		w.end.idle = time.Time{}
	case w.end.idle.IsZero():
		w.end.idle = w.now
	}
	want := rest && !w.end.reported && w.end.said
	if !w.cfg.Completion {
		want = rest && !w.end.reported && !w.end.sentAt.Before(w.endOfWait())
	}
	if p.Complete != want {
		w.fail("complete: %v, want %v: idle since %v, the newest answer %+v; %s", p.Complete, want, w.now.Sub(w.end.idle), w.end, statesText(w.tr))
	}
	if !p.Complete || w.err != nil {
		return
	}
	w.end.reported = true
	if w.cfg.Completion {
		w.endings.counted++
	} else {
		w.endings.waited++
	}
	w.leave()
}

// reportsComplete checks what a heartbeat reports as complete.
func (w *world) reportsComplete(r Heartbeat) {
	if want := slices.SortedFunc(maps.Keys(w.end.complete), ID.Compare); !slices.Equal(r.Complete, want) {
		w.fail("the heartbeat reports %v as complete, and %v are", r.Complete, want)
	}
}
