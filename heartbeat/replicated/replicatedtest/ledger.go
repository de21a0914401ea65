package replicatedtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// ledger holds the events of a group that its members noted, and checks them: see Report.
// Safe for concurrent use.
type ledger struct {
	shards []string // the shards of the group, as shardset.ID.String writes them

	mu     sync.Mutex // guards events
	events []event
}

// note adds an event. The events of one processor must be added in their order. Events of
// different processors may be added in any order.
func (l *ledger) note(e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// report checks the history up to the time end.
func (l *ledger) report(end time.Time) Report {
	l.mu.Lock()
	events := slices.Clone(l.events)
	l.mu.Unlock()
	slices.SortStableFunc(events, func(a, b event) int { return a.At.Compare(b.At) })

	a := newAudit(l.shards)
	for _, e := range events {
		a.read(e)
	}
	for _, name := range slices.Sorted(maps.Keys(a.shards)) {
		a.check(name, a.shards[name], end)
	}
	slices.SortFunc(a.report.pauses, func(a, b pause) int {
		return cmp.Or(cmp.Compare(b.length(), a.length()), cmp.Compare(a.shard, b.shard))
	})
	return a.report
}

// run is one call of Process.
type run struct {
	event              // eventStarted, with the newest NotAfter
	era      int       // how often the store had lost writes before it
	group    int       // how often the group had been deleted before it
	ended    time.Time // returned or cancelled; zero: neither
	gone     time.Time // its process was killed or frozen; zero: it was not
	replaced time.Time // a new process took the name of its process; zero: none did
	high     uint64    // its highest accepted position
}

// owns returns the time until which a run owned its shard. That is the earliest of three:
// its own end, the end of its lease, and the start of a new process under the same name.
func (r *run) owns(end time.Time) time.Time { return soonest(end, r.ended, r.NotAfter, r.replaced) }

// works returns the time until which a run worked: while it owned its shard, and its process
// was not killed or frozen.
func (r *run) works(end time.Time) time.Time { return soonest(r.owns(end), r.gone) }

// soonest returns the earliest of end and some times. A zero time means never.
func soonest(end time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if !t.IsZero() && t.Before(end) {
			end = t
		}
	}
	return end
}

// token identifies a grant.
type token struct {
	member   string
	instance uint64
	epoch    uint64
}

func (e event) token() token { return token{e.Member, e.Instance, e.Epoch} }

func (t token) String() string {
	return fmt.Sprintf("%s (instance %d) under epoch %d", t.member, t.instance, t.epoch)
}

// shardHistory is the history of one shard.
type shardHistory struct {
	runs  []*run
	times []uint16 // how often each record was processed, by number
}

// audit reads a ledger and checks it.
type audit struct {
	shards  map[string]*shardHistory
	stopped map[string][]*run // by member: runs of killed or frozen processes
	era     int
	group   int
	report  Report
}

func newAudit(shards []string) *audit {
	a := &audit{shards: map[string]*shardHistory{}, stopped: map[string][]*run{}}
	for _, name := range shards {
		a.shards[name] = &shardHistory{}
	}
	return a
}

// read reads one event.
func (a *audit) read(e event) {
	switch e.Kind {
	case eventLostWrites:
		a.era++
		return
	case eventDeleted:
		a.group++
		return
	case eventJoined:
		a.replaced(e)
		return
	case eventGone:
		a.gone(e)
		return
	}
	p := a.shards[e.Shard]
	if p == nil {
		p = &shardHistory{}
		a.shards[e.Shard] = p
	}
	if e.Kind == eventStarted {
		a.report.Starts++
		a.replaced(e)
		p.runs = append(p.runs, &run{event: e, era: a.era, group: a.group, high: e.Position})
		return
	}
	r := p.find(e.token())
	if r == nil {
		a.report.fault("shard %s: %s noted %q and had never started", e.Shard, e.token(), e.Kind)
		return
	}
	if e.NotAfter.After(r.NotAfter) {
		r.NotAfter = e.NotAfter
	}
	a.readRun(p, r, e)
}

// readRun reads one event of a run.
func (a *audit) readRun(p *shardHistory, r *run, e event) {
	switch e.Kind {
	case eventProcessed:
		a.processed(p, r, e)
	case eventCommitted:
		a.report.Commits++
		if e.Position < r.high {
			a.report.fault("shard %s: %s committed %d after %d", e.Shard, e.token(), e.Position, r.high)
		}
		r.high = max(r.high, e.Position)
	case eventCancelled, eventReturned:
		if r.ended.IsZero() {
			r.ended = e.At
		}
	}
}

func (a *audit) processed(p *shardHistory, r *run, e event) {
	a.report.Records++
	if !r.NotAfter.IsZero() && e.At.After(r.NotAfter) {
		a.report.Late++
	}
	for uint64(len(p.times)) <= e.Position {
		p.times = append(p.times, 0)
	}
	if p.times[e.Position] > 0 {
		a.report.Duplicates++
	}
	if p.times[e.Position]++; p.times[e.Position] == 0 {
		p.times[e.Position]-- // the counter has overflowed
	}
}

// find returns the newest run with a token, or nil.
func (p *shardHistory) find(t token) *run {
	for _, r := range slices.Backward(p.runs) {
		if r.token() == t {
			return r
		}
	}
	return nil
}

// gone notes that a member's process was killed or frozen.
func (a *audit) gone(e event) {
	for _, p := range a.shards {
		for _, r := range p.runs {
			if r.Member == e.Member && r.ended.IsZero() && r.gone.IsZero() {
				r.gone = e.At
				a.stopped[e.Member] = append(a.stopped[e.Member], r)
			}
		}
	}
}

// replaced notes that a new process has the name of a member. The old process then no longer
// owns its shards.
func (a *audit) replaced(e event) {
	a.stopped[e.Member] = slices.DeleteFunc(a.stopped[e.Member], func(r *run) bool {
		if r.Instance == e.Instance {
			return false
		}
		r.replaced = e.At
		return true
	})
}
