package group_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// proc is one process with a Tracker: the shell that a coordinator would be, with
// its timers and its messages, on a clock of its own.
type proc struct {
	w        *world
	name     string
	tracker  *shardset.Tracker
	instance uint64 // the first one
	offset   time.Duration
	rate     float64 // of its clock against the service's

	alive, leaving, left bool
	frozen               bool
	backlog              []func() // what waits for the process to wake
	cutUntil, deafUntil  time.Duration

	runs     map[shardset.ID]*run
	notAfter time.Time // end of the lease, on its own clock
	inFlight uint64    // seq of the heartbeat that waits for its answer
	seq      uint64    // of the newest heartbeat
	again    bool      // beat once the one in flight is done
	beatAt   time.Duration
	tickAt   time.Duration
}

func (p *proc) String() string { return fmt.Sprintf("%s/%d", p.name, p.tracker.Instance()) }

// startProc starts a process. Later ones have larger instance numbers, far enough
// apart for the Tracker to count up between them.
func (w *world) startProc(name string) {
	for _, p := range w.procs {
		if p.alive && p.name == name {
			return // one live process a name: two are a mistake of the operator
		}
	}
	first, weight := uint64(len(w.procs)+1)*1000, 1+w.rng.IntN(3)
	p := &proc{
		w: w, name: name, alive: true, runs: map[shardset.ID]*run{},
		instance: first, offset: w.between(-time.Hour, time.Hour), rate: 1,
		tracker: shardset.NewTracker(shardset.TrackerConfig{
			Member: name, Weight: weight, Instance: first, Interval: simInterval, Fast: simInterval / 8, DrainTimeout: 2 * time.Second,
			StuckAfter: time.Second, RestartPause: time.Second, CanLeave: true, Finite: w.sc.finite, Completion: true,
		}),
	}
	if w.sc.faults {
		p.rate = 0.991 + 0.018*w.rng.Float64()
	}
	w.procs = append(w.procs, p)
	w.log("%s starts", p)
	p.beatNow()
}

// local is the time on the process's own clock.
func (p *proc) local() time.Time {
	return simStart.Add(p.offset + time.Duration(float64(p.w.now)*p.rate))
}

// until is how long the service's clock takes to what p's clock will show.
func (p *proc) until(t time.Time) time.Duration {
	return time.Duration(float64(t.Sub(p.local()))/p.rate) + time.Microsecond
}

// when runs do in the process: now, when it wakes, or never.
func (p *proc) when(do func()) {
	switch {
	case !p.alive || p.w.err != nil:
	case p.frozen:
		p.backlog = append(p.backlog, do)
	default:
		do()
	}
}

// freeze stops the process, as SIGSTOP does; it does not know.
func (p *proc) freeze(d time.Duration) {
	p.w.log("%s freezes for %v", p, d)
	p.w.stats.freezes++
	p.frozen = true
	p.w.after(d, p.wake)
}

// wake runs what piled up, in any order: no goroutine is sure to be first.
func (p *proc) wake() {
	if !p.frozen {
		return
	}
	p.w.log("%s wakes", p)
	p.frozen = false
	todo := p.backlog
	p.backlog = nil
	p.w.rng.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
	for _, do := range todo {
		p.when(do)
	}
}

// obey does what a plan says, in the order of its fields.
func (p *proc) obey(plan shardset.Plan) {
	w := p.w
	if err := p.tracker.Check(); err != nil {
		w.fail("%s: %v", p, err)
	}
	for _, s := range plan.Cancel {
		if r := p.runs[s.ID]; r == nil {
			w.fail("%s is to cancel %s, which does not run", p, s.ID)
		} else {
			r.cancel(s.Cause)
		}
	}
	if plan.LeaseLost {
		w.log("%s: the lease is over", p)
		w.stats.lapses++
		p.notAfter = time.Time{}
		for _, r := range p.runs {
			r.lost = true // those that were revoked and cancelled before, too
		}
	}
	if !plan.NotAfter.IsZero() {
		p.notAfter = plan.NotAfter
	}
	for _, s := range plan.Revoke {
		if r := p.runs[s.ID]; r == nil {
			w.fail("%s is to revoke %s, which does not run", p, s.ID)
		} else {
			r.revoke()
		}
	}
	for _, l := range plan.Start {
		p.start(l)
	}
	if len(plan.Start) > 0 || !plan.NotAfter.IsZero() {
		w.checkBelievers(p)
	}
	p.arm(plan)
	if plan.Beat {
		p.when(p.beatNow)
	}
	if plan.Left && p.leaving && !p.left {
		p.goodbye()
	}
	if plan.Complete {
		w.stats.finishes++
		w.log("%s has nothing left to do", p)
		p.leave()
	}
}

// arm sets the timers that the plan and the tracker ask for.
func (p *proc) arm(plan shardset.Plan) {
	if !plan.WakeAt.IsZero() {
		at := p.w.now + max(p.until(plan.WakeAt), time.Millisecond)
		if at != p.tickAt {
			p.tickAt = at
			p.w.after(at-p.w.now, func() {
				if at == p.tickAt {
					p.when(func() { p.obey(p.tracker.Tick(p.local())) })
				}
			})
		}
	}
	if next := p.tracker.NextHeartbeat(p.local()); !next.IsZero() && !p.left {
		at := p.w.now + max(p.until(next), 10*time.Millisecond)
		if at != p.beatAt {
			p.beatAt = at
			p.w.after(at-p.w.now, func() {
				if at == p.beatAt {
					p.when(p.beatNow)
				}
			})
		}
	}
}

// beatNow sends a heartbeat, or does so as soon as none is in flight.
func (p *proc) beatNow() {
	if p.left {
		return
	}
	if p.inFlight != 0 {
		p.again = true
		return
	}
	p.again = false
	sentAt := p.local()
	r := p.tracker.Beat(sentAt)
	seq := r.Seq
	p.inFlight, p.seq = seq, seq
	b := p.w.sc.mutant.report(p, r)
	p.w.toService(p, func() {
		a, err := p.w.serve(p, r, b)
		p.w.toProc(p, func() { p.answered(seq, sentAt, a, err) })
	})
	p.w.after(simInterval/2, func() {
		p.when(func() {
			if p.inFlight == seq {
				p.inFlight = 0
				p.obey(p.tracker.Tick(p.local()))
			}
		})
	})
	p.arm(shardset.Plan{})
}

// answered obeys the answer to heartbeat seq.
func (p *proc) answered(seq uint64, sentAt time.Time, a shardset.Answer, err error) {
	if p.left {
		return
	}
	if p.inFlight == seq {
		p.inFlight = 0
	}
	now := p.local()
	var plan shardset.Plan
	switch replaced := (*shardset.ReplacedError)(nil); {
	case err == nil:
		plan = p.w.sc.mutant.accepted(p, now, seq, sentAt, a)
	case errors.Is(err, shardset.ErrEvicted):
		p.w.stats.evictions++
		plan = p.tracker.Evicted(now, seq)
	case errors.As(err, &replaced):
		var over bool
		if plan, over = p.tracker.Replaced(now, seq, replaced.Newest); over {
			p.w.fail("%s was replaced by %d, and nobody did", p, replaced.Newest)
		}
	default:
		plan = p.tracker.Tick(now)
	}
	p.obey(plan)
	if p.again {
		p.beatNow()
	}
}

// leave makes the member leave: it drains, then says goodbye.
func (p *proc) leave() {
	if p.leaving {
		return
	}
	p.w.log("%s leaves", p)
	p.w.stats.leaves++
	p.leaving = true
	p.obey(p.tracker.Leave(p.local()))
}

// goodbye tells the service and ends the process; what is deaf in it stays.
func (p *proc) goodbye() {
	p.w.log("%s is gone", p)
	p.left = true
	b := p.w.sc.mutant.report(p, p.tracker.Beat(p.local()))
	p.w.toService(p, func() {
		// An error is a member that the service dropped or replaced already.
		if err := p.w.group.Leave(p.w.serviceTime(), b); err == nil {
			p.w.log("service: %s has left", p)
		}
		p.w.served()
	})
	if len(p.runs) == 0 {
		p.alive = false
	}
}
