package heartbeattest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// member plays one process: a Tracker, and a shell that obeys its plans at once. It
// belongs to one goroutine.
type member struct {
	endpoint
	k       *kit
	name    string
	tracker *shardset.Tracker
	runs    map[shardset.ID]*run

	stuck   bool                 // processors that have to stop do not return before returnAll
	waiting map[shardset.ID]bool // those that do not

	answer     shardset.Answer    // the newest accepted one
	sent, back time.Time          // when its heartbeat left, and when it came
	report     shardset.Heartbeat // of the newest heartbeat
	err        error              // of the newest heartbeat
	replaced   bool
}

// run is one grant, taken up.
type run struct {
	owner  processor.Owner
	resume processor.Position
	found  bool
}

// member starts a process of this name.
func (k *kit) member(name string) *member {
	k.Helper()
	m, err := k.newMember(name)
	if err != nil {
		k.Fatalf("Dial: %v", err)
	}
	return m
}

// newMember is member for goroutines that must not end the test.
func (k *kit) newMember(name string) (*member, error) {
	e, err := k.dial()
	if err != nil {
		return nil, err
	}
	k.ledger.born(name)
	return &member{
		endpoint: e, k: k, name: name,
		runs: map[shardset.ID]*run{}, waiting: map[shardset.ID]bool{},
		tracker: shardset.NewTracker(shardset.TrackerConfig{
			Member: name, Instance: k.instance(), Interval: k.ttl / 10, Fast: k.step, RestartPause: k.step,
			DrainTimeout: 100 * k.ttl, StuckAfter: 100 * k.ttl, // the case decides how long processors take
			CanLeave: k.info.Guarantees.Leave,
		}),
	}, nil
}

// instance numbers a new process: later ones have larger numbers, with room for the
// Tracker to count up.
func (k *kit) instance() uint64 { return k.instances.Add(1000) }

func (m *member) String() string {
	s := fmt.Sprintf("%s runs %v of %v granted", m.name, m.running(), granted(m.answer.Grants))
	if len(m.waiting) > 0 {
		s += fmt.Sprintf(", %d on their way out", len(m.waiting))
	}
	if m.err != nil {
		s += fmt.Sprintf(", last error: %v", m.err)
	}
	return s
}

// beat sends one heartbeat and obeys its outcome.
func (m *member) beat() {
	m.obey(m.tracker.Tick(time.Now()))
	sent := time.Now()
	m.report = m.tracker.Beat(sent)
	ctx, cancel := m.k.context()
	defer cancel()
	var a shardset.Answer
	a, m.err = m.client.Beat(ctx, m.report)
	now := time.Now()
	var replaced *shardset.ReplacedError
	switch {
	case m.err == nil:
		m.accept(sent, now, a)
	case errors.Is(m.err, heartbeat.ErrEvicted):
		m.obey(m.tracker.Evicted(now, m.report.Seq))
	case errors.As(m.err, &replaced):
		var plan shardset.Plan
		plan, m.replaced = m.tracker.Replaced(now, m.report.Seq, replaced.Newest)
		m.obey(plan)
	default:
		if !heartbeat.Retryable(m.err) {
			m.k.Errorf("heartbeat of %s: %v", m.name, m.err)
		}
		m.obey(m.tracker.Tick(now))
	}
}

func (m *member) accept(sent, now time.Time, a shardset.Answer) {
	m.k.checkAnswer(m.name, a)
	plan, err := m.tracker.Accepted(now, m.report.Seq, a)
	switch {
	case err == nil:
		m.answer, m.sent, m.back = a, sent, now
	case !errors.Is(err, shardset.ErrStaleAnswer): // this process was too slow
		m.k.Errorf("answer to %s: %v", m.name, err)
	}
	m.obey(plan)
}

// checkAnswer verifies what is true of every answer.
func (k *kit) checkAnswer(name string, a shardset.Answer) {
	has := k.info.Guarantees
	if a.TTL != k.ttl {
		k.Errorf("an answer to %s has the TTL %v, and the group %v", name, a.TTL, k.ttl)
	}
	if has.AckedRevoke && a.Generation == 0 && len(a.Grants) > 0 {
		k.Errorf("an answer to %s has no generation, and the service promises AckedRevoke", name)
	}
	if a.Complete && !has.Completion {
		k.Errorf("an answer to %s says that all is done, and the service promises %s", name, has)
	}
	for _, g := range a.Grants {
		if (g.Epoch != 0) != has.Epochs {
			k.Errorf("shard %s was granted to %s under epoch %d, and the service promises %s", g.ID, name, g.Epoch, has)
		}
		if !k.known[g.ID] {
			k.Errorf("shard %s was granted to %s, which the group never had", g.ID, name)
		}
	}
}

// obey does what a plan says, in the order of its fields.
func (m *member) obey(p shardset.Plan) {
	for _, s := range p.Cancel {
		m.stop(s.ID)
	}
	if !p.NotAfter.IsZero() {
		m.k.ledger.extend(m, p.NotAfter)
	}
	for _, s := range p.Revoke {
		m.stop(s.ID)
	}
	for _, l := range p.Start {
		m.start(l)
	}
}

// stop has a shard's processor return: at once, or after returnAll if the member is stuck.
func (m *member) stop(id shardset.ID) {
	if m.stuck {
		m.waiting[id] = true
		return
	}
	m.finish(id, shardset.OutcomeReleased)
}

// returnAll lets the processors return that did not.
func (m *member) returnAll() {
	m.stuck = false
	for id := range m.waiting {
		m.finish(id, shardset.OutcomeReleased)
	}
}

func (m *member) finish(id shardset.ID, o shardset.Outcome) {
	m.k.ledger.end(m, id)
	delete(m.runs, id)
	delete(m.waiting, id)
	m.obey(m.tracker.Returned(time.Now(), id, o))
}

// start takes a grant up: it reads the checkpoint.
func (m *member) start(l shardset.Lease) {
	r := &run{owner: processor.Owner{
		Member: m.name, Instance: m.tracker.Instance(), Lease: l, Epochs: m.k.info.Guarantees.Epochs,
	}}
	m.runs[l.ID] = r
	m.k.ledger.begin(m, l)
	if m.store == nil {
		return
	}
	var err error
	r.resume, r.found, err = m.load(r.owner)
	switch {
	case err == nil:
		m.k.ledger.loaded(m, l, r.resume, r.found)
	case !l.Valid(time.Now()): // the store was right, or nobody knows
		m.finish(l.ID, shardset.OutcomeFenced)
	default:
		m.k.Errorf("%s cannot load shard %s, which it was granted: %v", m.name, l.ID, err)
		m.finish(l.ID, shardset.OutcomeFenced)
	}
}

// leave drains the member and makes the leave call. Stuck processors stay behind.
func (m *member) leave() {
	m.k.Helper()
	m.obey(m.tracker.Leave(time.Now()))
	err := m.k.retry(func(ctx context.Context) error {
		m.report = m.tracker.Beat(time.Now())
		return m.client.(heartbeat.Leaver).Leave(ctx, m.report)
	})
	if err != nil {
		m.k.Errorf("leave of %s: %v", m.name, err)
	}
}

// die ends the process without a leave call.
func (m *member) die() { m.k.ledger.died(m) }

// running returns the shards that it processes under a valid lease.
func (m *member) running() set {
	var running []shardset.ID
	for _, s := range m.tracker.Shards() {
		if s.State == shardset.StateHeld {
			running = append(running, s.ID)
		}
	}
	return setOf(running...)
}

// listed returns the shards that its next heartbeat lists.
func (m *member) listed() []shardset.ShardState { return m.tracker.Shards() }

// started returns how m started a shard, and ends the test if m does not run the shard.
func (m *member) started(id shardset.ID) *run {
	m.k.Helper()
	r := m.runs[id]
	if r == nil {
		m.k.Fatalf("%s does not run shard %s any more; %s", m.name, id, m)
	}
	return r
}

// owner returns the token of a shard, and ends the test if m does not run the shard.
func (m *member) owner(id shardset.ID) processor.Owner {
	m.k.Helper()
	return m.started(id).owner
}

// oneShard returns a shard that m runs, and ends the test if m runs none.
func (m *member) oneShard() shardset.ID {
	m.k.Helper()
	running := m.running()
	if len(running) == 0 {
		m.k.Fatalf("%s does not run any shard; %s", m.name, m)
	}
	return running[0]
}
