package schedule

import (
	"errors"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
)

// proc is one process: a Scheduler, and a shell that executes its plans.
type proc struct {
	w      *world
	s      *Scheduler
	rate   float64 // of its clock, around 1
	dead   bool
	frozen time.Duration // until then nothing runs
	cut    time.Duration // until then no request arrives
	// backlog is when the newest event is taken that has come while it was frozen.
	backlog time.Duration
	// deafUntil is until when its watches show nothing.
	deafUntil time.Duration

	refused                    map[string]uint64 // revisions that a swap of the process has met another of
	timer                      int               // numbers the wake-ups, of which the last one counts
	documentWatch, recordWatch *simWatch
	members                    []*simMember
}

var errSim = errors.New("nothing is known of the request")

func (w *world) process(rate float64) *proc {
	p := &proc{w: w, rate: rate, refused: map[string]uint64{}}
	p.s = New(Config{Group: "orders", TTL: simTTL, RecordClock: w.clocked, Random: w.rng.Int64N})
	w.procs = append(w.procs, p)
	p.read()
	return p
}

// clock is what the process takes for the time.
func (p *proc) clock() time.Time { return rigStart.Add(time.Duration(float64(p.w.now) * p.rate)) }

// event has the Scheduler take something, and executes its plan.
func (p *proc) event(do func(now time.Time)) {
	switch {
	case p.dead:
		return
	case p.w.now < p.frozen:
		// What has come meanwhile is taken one after the other, which takes a while.
		p.backlog = max(p.backlog, p.frozen) + p.w.upTo(4*time.Millisecond)
		p.w.after(p.backlog-p.w.now, func() { p.event(do) })
		return
	}
	now := p.clock()
	p.w.mutant.before(p)
	do(now)
	plan := p.s.Plan(now)
	if err := p.s.Check(); err != nil {
		p.w.fail("%v", err)
	}
	p.execute(now, plan)
}

// call makes a request of the store, and an event of its answer. A false answer means that
// nothing is known: the request or the answer was lost.
func (p *proc) call(do func(), answer func(now time.Time, known bool)) {
	w := p.w
	late := w.now < p.cut
	lost := w.faulty && w.rng.IntN(40) == 0
	way := func() time.Duration { return time.Millisecond/2 + w.upTo(time.Millisecond) }
	if late || lost && w.rng.IntN(2) == 0 {
		w.after(simTTL/4, func() { p.event(func(now time.Time) { answer(now, false) }) })
		return
	}
	w.after(way(), func() {
		do()
		if lost {
			w.after(simTTL/4, func() { p.event(func(now time.Time) { answer(now, false) }) })
			return
		}
		w.after(way(), func() { p.event(func(now time.Time) { answer(now, true) }) })
	})
}

// decode is the document as a process reads it.
func (p *proc) decode(v version) Document {
	d := Document{Revision: v.revision, Exists: len(v.data) > 0}
	if d.Exists && v.revision > p.s.Revision() {
		d.Version, d.Err = state.ReadVersion(v.data)
	}
	return d
}

// read reads the document.
func (p *proc) read() {
	began, seen := p.clock(), p.s.Revision()
	var v version
	p.w.traffic.reads++
	p.call(func() { v = p.w.document }, func(now time.Time, known bool) {
		err := errSim
		if known {
			err = p.s.DocumentRead(now, began, seen, p.decode(v))
		}
		delete(p.refused, "the document")
		p.s.DocumentReadDone(now, err)
	})
}

func (p *proc) execute(now time.Time, plan Plan) {
	w := p.w
	p.setWatch(&p.documentWatch, plan.WatchDocument, false)
	p.setWatch(&p.recordWatch, plan.WatchRecords, true)
	if plan.ReadDocument {
		p.read()
	}
	if d := plan.WriteDocument; d != nil {
		p.step(*d)
	}
	for _, t := range plan.Expire {
		p.expire(t)
	}
	for _, name := range plan.Probe {
		p.probe(name)
	}
	if age := plan.AskClock; age > 0 {
		p.ask(age)
	}
	for _, t := range plan.Delete {
		gone := false
		p.call(func() { gone = w.deleteRecord(t.Member, t.Revision) }, func(_ time.Time, known bool) {
			if known && gone {
				p.s.RecordDeleted(t)
			}
		})
	}
	for _, name := range plan.Wake {
		if w.mutant == deafMembers {
			break
		}
		for _, m := range p.members {
			if m.name == name {
				w.after(0, m.beat)
			}
		}
	}
	p.timer++
	if timer := p.timer; !plan.WakeAt.IsZero() && w.mutant != neverWakes {
		w.after(time.Duration(float64(plan.WakeAt.Sub(now))/p.rate)+time.Microsecond, func() {
			if timer == p.timer {
				w.after(p.frozen-w.now, func() { p.event(func(time.Time) {}) })
			}
		})
	}
}

func (p *proc) setWatch(x **simWatch, run, records bool) {
	switch {
	case run && *x == nil:
		*x = p.w.watch(p, records)
	case !run && *x != nil && slices.Contains(p.w.watches, *x):
		p.w.end(*x, errSim)
	}
}

func (p *proc) step(d Write) {
	var revision uint64
	var written bool
	p.call(func() { revision, written = p.w.swapDocument(d.Over, d.Data) }, func(now time.Time, known bool) {
		switch {
		case !known:
			p.s.DocumentNotWritten(now, errSim)
		case written:
			v, err := state.ReadVersion(d.Data)
			if err != nil {
				panic(err)
			}
			p.s.DocumentWritten(now, Document{Revision: revision, Exists: true, Version: v})
		default:
			p.conflicted("the document", d.Over)
			p.s.DocumentConflicted(now)
			if p.w.mutant == conflictUnread {
				p.s.DocumentReadDone(now, nil)
			}
		}
	})
}

func (p *proc) expire(t state.Tombstone) {
	var revision uint64
	var written bool
	var found version
	p.call(func() {
		revision, written = p.w.swapTombstone(t)
		found = p.w.records[t.Member]
	}, func(now time.Time, known bool) {
		if known && !written {
			p.conflicted("the record of "+t.Member, t.Revision)
		}
		switch {
		case !known || !written && p.w.mutant == conflictUntold:
			p.s.TombstoneFailed(t.Member)
		case written:
			p.s.TombstoneWritten(now, t, revision, decodeSim(t.Member, version{data: t.Encode()}))
		default:
			p.s.TombstoneConflicted(now, t.Member, found.revision, decodeSim(t.Member, found))
		}
	})
}

// conflicted notes that a swap was refused, of which the process hears: it is not to be made
// again.
func (p *proc) conflicted(what string, over uint64) {
	if over != 0 && p.refused[what] == over {
		p.w.fail("a second conflict over the same revision of %s", what)
	}
	p.refused[what] = over
}

func (p *proc) probe(name string) {
	var v version
	p.w.traffic.probes++
	p.call(func() { v = p.w.records[name] }, func(now time.Time, known bool) {
		if !known || p.w.mutant == blindProbes {
			p.s.Probed(now, name, 0, nil, errSim)
			return
		}
		p.s.Probed(now, name, v.revision, decodeSim(name, v), nil)
	})
}

func (p *proc) ask(age time.Duration) {
	var old []OldRecord
	var next time.Duration
	p.w.traffic.questions++
	p.call(func() { old, next = p.w.older(age) }, func(_ time.Time, known bool) {
		if !known {
			p.s.ClockAnswered(nil, 0, errSim)
			return
		}
		p.s.ClockAnswered(old, next, nil)
	})
}

// simMember is a member that takes up and releases what it is told.
type simMember struct {
	w        *world
	p        *proc
	name     string
	instance uint64
	seq      uint64
	sending  bool // one heartbeat at a time
	again    bool // and another one is to be sent
	left     bool
	told     shardset.Answer
	held     map[shardset.ID]uint64
	draining map[shardset.ID]bool
	released map[shardset.ID]uint64 // with the newest heartbeat that was sent before
	until    time.Time              // its lease, by the process's clock
	leased   bool
}

func (w *world) join(p *proc, name string) *simMember {
	m := &simMember{w: w, p: p, name: name}
	m.restart()
	p.members = append(p.members, m)
	w.members = append(w.members, m)
	p.s.SetWatched(name, true)
	m.tick()
	return m
}

// restart makes a new instance of the member, which holds nothing.
func (m *simMember) restart() {
	m.w.instances++
	m.instance, m.seq, m.leased = m.w.instances, 0, false
	m.told = shardset.Answer{}
	m.held, m.draining, m.released = map[shardset.ID]uint64{}, map[shardset.ID]bool{}, map[shardset.ID]uint64{}
}

// believes reports whether the member takes its lease for good: what it holds then is its own.
func (m *simMember) believes() bool { return m.leased && !m.p.dead && m.p.clock().Before(m.until) }

// tick sends a heartbeat four times in a TTL.
func (m *simMember) tick() {
	if m.p.dead || m.left {
		return
	}
	m.beat()
	m.w.after(simTTL/4, m.tick)
}

// lapse drops everything when the lease has ended.
func (m *simMember) lapse() {
	if m.leased && !m.believes() {
		m.restart()
	}
}

func (m *simMember) beat() {
	m.p.event(func(now time.Time) {
		m.lapse()
		switch {
		case m.left:
			return
		case m.sending:
			m.again = true
			return
		}
		m.seq++
		r := shardset.Heartbeat{Member: m.name, Instance: m.instance, Seq: m.seq, Generation: m.told.Generation}
		for id, epoch := range m.held {
			r.Held = append(r.Held, shardset.Grant{ID: id, Epoch: epoch})
		}
		slices.SortFunc(r.Held, func(a, b shardset.Grant) int { return a.ID.Compare(b.ID) })
		if err := m.p.s.Admit(now, r); err != nil {
			m.refused(err)
			return
		}
		w, err := m.p.s.Prepare(r, state.StandingAlive)
		if err != nil {
			m.refused(err)
			return
		}
		m.sending = true
		m.write(now, w, 0)
	})
}

// write writes the record of a heartbeat, or of a leave.
func (m *simMember) write(sent time.Time, w RecordWrite, try int) {
	var revision uint64
	var written bool
	var found version
	s, clocked, rec := m.p.s, m.w.clocked, decodeSim(m.name, version{data: w.Data})
	m.p.call(func() {
		revision, written = m.w.swapRecord(m.name, w.Over, w.Data, clocked && w.Quiet && try == 0)
		found = m.w.records[m.name]
	}, func(now time.Time, known bool) {
		switch {
		case !known:
			s.RecordNotWritten(w)
			m.sent(now, sent, w, shardset.Answer{}, errSim)
		case written && rec.Standing == state.StandingLeft:
			s.LeaveWritten(now, w, revision, rec)
		case written:
			a, err := s.RecordWritten(now, w, revision, rec)
			if m.w.mutant == keepsReleased && err == nil {
				a = s.replica.Answer(m.name, w.Instance)
			}
			m.sent(now, sent, w, a, err)
		default:
			over, err := s.RecordFound(w, found.revision, decodeSim(m.name, found), nil)
			if err != nil || try >= 4 {
				s.RecordNotWritten(w)
				m.sent(now, sent, w, shardset.Answer{}, errors.Join(err, errSim))
				return
			}
			w.Over = over
			m.write(sent, w, try+1)
		}
	})
}

func (m *simMember) sent(now, sent time.Time, w RecordWrite, a shardset.Answer, err error) {
	again := m.again
	m.sending, m.again = false, false
	if m.left {
		m.w.after(0, m.leave)
		return
	}
	if w.Instance == m.instance {
		m.lapse()
	}
	if w.Instance == m.instance {
		if err != nil {
			m.refused(err)
		} else {
			m.accept(now, sent, a)
		}
	}
	if again {
		m.w.after(time.Millisecond, m.beat)
	}
}

// refused starts over if the instance is over.
func (m *simMember) refused(err error) {
	if errors.Is(err, heartbeat.ErrEvicted) || errors.Is(err, heartbeat.ErrReplaced) {
		m.restart()
		m.w.after(time.Millisecond, m.beat)
	}
}

// accept takes an answer: the lease counts from when the heartbeat was sent.
func (m *simMember) accept(now, sent time.Time, a shardset.Answer) {
	m.told, m.leased = a, true
	m.until = sent.Add(a.TTL - shardset.Margin(a.TTL))
	if m.w.mutant == leaseFromReceipt {
		m.until = now.Add(a.TTL + simTTL/20)
	}
	granted := map[shardset.ID]uint64{}
	for _, g := range a.Grants {
		granted[g.ID] = g.Epoch
		_, runs := m.held[g.ID]
		if before, ok := m.released[g.ID]; !runs && (!ok || m.seq > before) { // else it answers a heartbeat that held it
			m.start(g)
		}
	}
	for id, epoch := range m.held {
		if granted[id] != epoch && !m.draining[id] {
			m.draining[id] = true
			instance := m.instance
			m.w.after(m.w.upTo(50*time.Millisecond), func() { m.release(instance, id) })
		}
	}
}

func (m *simMember) start(g shardset.Grant) {
	for _, other := range m.w.members {
		if _, runs := other.held[g.ID]; runs && other != m && other.believes() {
			m.w.fail("two owners: %s takes shard %s, which %s has", m.name, g.ID, other.name)
		}
	}
	key := g.ID.String() + " " + time.Duration(g.Epoch).String()
	me := m.name + " " + time.Duration(m.instance).String()
	if before, ok := m.w.owners[key]; ok {
		m.w.fail("two owners: %s takes shard %s under epoch %d, as did %s", me, g.ID, g.Epoch, before)
	}
	m.w.owners[key] = me
	m.held[g.ID] = g.Epoch
	m.w.after(time.Millisecond, m.beat)
}

func (m *simMember) release(instance uint64, id shardset.ID) {
	if m.instance == instance && !m.p.dead {
		delete(m.held, id)
		delete(m.draining, id)
		m.released[id] = m.seq
		m.beat()
	}
}

// leave writes the last record of the member, once no heartbeat is under way. It holds nothing
// any more.
func (m *simMember) leave() {
	m.held, m.draining, m.leased = map[shardset.ID]uint64{}, map[shardset.ID]bool{}, false
	m.left = true
	if m.sending {
		return // sent goes on
	}
	m.p.event(func(now time.Time) {
		m.seq++
		r := shardset.Heartbeat{Member: m.name, Instance: m.instance, Seq: m.seq, Generation: m.told.Generation}
		if err := m.p.s.AdmitLeave(now, r); err != nil {
			return
		}
		if w, err := m.p.s.Prepare(r, state.StandingLeft); err == nil {
			m.sending = true
			m.write(now, w, 0)
		}
	})
}
