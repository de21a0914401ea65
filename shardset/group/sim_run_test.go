package group_test

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// run is one processor: it loads the checkpoint after its grant, processes one
// record after another, and commits now and then, one commit at a time.
type run struct {
	p        *proc
	lease    shardset.Lease
	instance uint64

	pos       int // last record processed
	committed int // last position that the store took
	loaded    bool
	draining  bool
	cancelled bool
	lost      bool // cancelled because the lease ended
	busy      bool // a commit is on its way
	returned  bool
	failed    bool
}

// cell is one shard's log and checkpoint.
type cell struct {
	processed int             // last record that anybody processed
	committed int             // the checkpoint
	epoch     uint64          // of the checkpoint
	newest    uint64          // newest epoch that the service gave
	starts    map[uint64]*run // last run of each epoch
	running   []*run          // in any process
	granted   uint64          // generation of the newest grant
	revoked   uint64          // generation of the newest revocation
}

// start runs a fresh processor.
func (p *proc) start(l shardset.Lease) {
	w := p.w
	if p.runs[l.ID] != nil {
		w.fail("%s starts %s, which still runs there", p, l.ID)
		return
	}
	r := &run{p: p, lease: l, instance: p.tracker.Instance()}
	w.log("%s starts shard %s epoch %d", p, l.ID, l.Epoch)
	c := w.cells[l.ID]
	if before := c.starts[l.Epoch]; before != nil && (!before.failed || before.p != p) {
		w.fail("%s starts shard %s with the epoch %d that %s had", p, l.ID, l.Epoch, before.p)
	}
	c.starts[l.Epoch] = r
	p.runs[l.ID] = r
	c.running = append(slices.DeleteFunc(c.running, func(r *run) bool { return r.returned || !r.p.alive }), r)
	w.after(w.between(time.Millisecond, 40*time.Millisecond), func() { p.when(r.load) })
}

func (r *run) load() {
	if r.returned || r.cancelled {
		return
	}
	c := r.p.w.cells[r.lease.ID]
	r.pos, r.committed, r.loaded = c.committed, c.committed, true
	if !r.p.w.sc.faults && c.committed != c.processed {
		r.p.w.fail("%s loads %d of shard %s, of which %d records were processed", r.p, c.committed, r.lease.ID, c.processed)
	}
	r.next()
}

func (r *run) next() {
	r.p.w.after(r.p.w.between(30*time.Millisecond, 600*time.Millisecond), func() { r.p.when(r.work) })
}

// work processes one record, if the lease says so.
func (r *run) work() {
	w, p := r.p.w, r.p
	if r.returned || r.cancelled || r.draining {
		return
	}
	if !r.leased() {
		if w.chance(0.5) {
			p.obey(p.tracker.LeaseLost(p.local()))
		}
		return
	}
	if w.sc.finite && r.pos >= simEnd {
		r.finish()
		r.next() // unless it has returned
		return
	}
	r.pos++
	c := w.cells[r.lease.ID]
	if !w.sc.faults && r.pos != c.processed+1 {
		w.fail("%s processes record %d of shard %s after %d", p, r.pos, r.lease.ID, c.processed)
	}
	c.processed = max(c.processed, r.pos)
	if !r.busy && !w.calm() && w.chance(0.02) {
		w.stats.failures++
		r.ret(shardset.OutcomeFailed)
		return
	}
	if !r.busy && w.chance(0.4) {
		r.commit()
	}
	r.next()
}

// leased is the check that comes before every record and every commit.
func (r *run) leased() bool {
	return !r.lost && shardset.Lease{NotAfter: r.p.notAfter}.Valid(r.p.local())
}

// commit sends the position to the store. Its fate is decided when an answer comes
// or the request is known to be lost; a processor waits for that, unless cancelled.
func (r *run) commit() {
	w, pos := r.p.w, r.pos
	if !r.leased() {
		r.p.obey(r.p.tracker.LeaseLost(r.p.local()))
		return
	}
	r.busy = true
	tok := w.sc.mutant.token(r, group.Token{Member: r.p.name, Instance: r.instance, ID: r.lease.ID, Epoch: r.lease.Epoch})
	if w.lost(r.p) {
		w.after(simInterval, func() { r.p.when(func() { r.decided(0, nil) }) })
		return
	}
	w.after(w.delay(), func() {
		err := w.storeCommit(r, tok, pos)
		d := w.delay()
		if w.lost(r.p) {
			d = simInterval // the store took it, and nobody heard
		}
		w.after(d, func() { r.p.when(func() { r.decided(pos, err) }) })
	})
}

func (r *run) decided(pos int, err error) {
	if r.returned {
		return
	}
	r.busy = false
	switch {
	case err != nil:
		r.ret(shardset.OutcomeFenced)
		return
	case pos > 0:
		r.committed = pos
	}
	if r.draining && !r.cancelled {
		r.finish()
	}
}

// revoke asks the processor to finish; some take longer than they may.
func (r *run) revoke() {
	w := r.p.w
	r.draining = true
	longest := time.Second
	if w.sc.faults && w.chance(0.2) {
		longest = 4 * time.Second
	}
	w.after(w.between(0, longest), func() { r.p.when(r.finish) })
}

// finish commits what was processed and returns: asked to, or at the end of the work.
func (r *run) finish() {
	switch {
	case r.returned || r.cancelled || r.busy: // a decision comes first
	case r.loaded && r.pos > r.committed:
		r.commit()
	case r.draining:
		r.ret(shardset.OutcomeReleased)
	default:
		r.ret(shardset.OutcomeComplete)
	}
}

// cancel ends the context. The processor returns soon, whatever it had in flight,
// unless it is deaf.
func (r *run) cancel(why shardset.Cause) {
	w := r.p.w
	r.cancelled = true
	r.lost = r.lost || why == shardset.CauseLost
	d := w.between(0, 50*time.Millisecond)
	if r.p.deafUntil > w.now {
		w.stats.deaf++
		d = r.p.deafUntil - w.now
	}
	w.after(d, func() { r.p.when(func() { r.ret(shardset.OutcomeReleased) }) })
}

// ret is the goroutine's return.
func (r *run) ret(o shardset.Outcome) {
	if r.returned {
		return
	}
	r.returned, r.failed = true, o == shardset.OutcomeFailed
	delete(r.p.runs, r.lease.ID)
	r.p.w.log("%s: shard %s epoch %d returns: %s", r.p, r.lease.ID, r.lease.Epoch, o)
	plan := r.p.tracker.Returned(r.p.local(), r.lease.ID, o)
	// If the lease ends at this very event, the plan cancels this one with the others.
	plan.Cancel = slices.DeleteFunc(plan.Cancel, func(s shardset.Stop) bool { return s.ID == r.lease.ID })
	r.p.obey(plan)
}
