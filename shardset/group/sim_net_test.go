package group_test

import (
	"container/heap"
	"time"
)

// event is something that happens at a moment of simulated time.
type event struct {
	at    time.Duration
	order uint64 // breaks ties, so that a seed has one history
	do    func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

// after runs do when d has passed.
func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.events, event{at: w.now + max(d, 0), order: w.order, do: do})
}

// step runs the next event and reports whether there was one before until.
func (w *world) step(until time.Duration) bool {
	if len(w.events) == 0 || w.events[0].at > until {
		return false
	}
	e := heap.Pop(&w.events).(event)
	w.now = e.at
	w.stats.steps++
	e.do()
	return true
}

// chance is true with probability p.
func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

// between returns a time in [lo, hi).
func (w *world) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(w.rng.Float64()*float64(hi-lo))
}

// delay is how long one message is on its way. Most are quick; some are held up for
// longer than a lease, which is what lets an old message overtake a new one.
func (w *world) delay() time.Duration {
	if !w.calm() && w.chance(0.08) {
		return w.between(0, simTTL*3/2)
	}
	return w.between(time.Millisecond, 60*time.Millisecond)
}

// lost decides the fate of one message to or from p.
func (w *world) lost(p *proc) bool {
	if w.calm() {
		return false
	}
	if w.now < p.cutUntil || w.chance(0.05) {
		w.stats.lost++
		return true
	}
	return false
}

// toService carries a heartbeat: it may be lost, late, doubled and out of order.
func (w *world) toService(p *proc, deliver func()) {
	if w.lost(p) {
		return
	}
	arrive, sent := deliver, w.quiet
	deliver = func() {
		// What is under way when the faults end is lost: a dead process would
		// otherwise renew its lease for as long as its last message is held up.
		if w.quiet == sent {
			arrive()
		}
	}
	w.after(w.delay(), deliver)
	if !w.calm() && w.chance(0.05) {
		w.stats.doubled++
		w.after(w.delay(), deliver)
	}
}

// toProc carries an answer to p, with the same fate.
func (w *world) toProc(p *proc, deliver func()) {
	w.toService(p, func() { p.when(deliver) })
}

// calm reports whether the network behaves: in planned runs, and when faults are over.
func (w *world) calm() bool { return w.quiet || !w.sc.faults }
