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

// member simulates one process: a Tracker, and a shell that applies its plans at once. Only one
// goroutine may use it.
type member struct {
	endpoint
	k       *kit
	name    string
	tracker *shardset.Tracker
	runs    map[shardset.ID]*run

	stuck    bool                 // stopped processors do not return before returnAll
	draining map[shardset.ID]bool // shards whose stopped processors have not returned

	answer     shardset.Answer    // the newest accepted one
	sent, back time.Time          // when its heartbeat was sent, and when it arrived
	request    shardset.Heartbeat // the newest heartbeat
	err        error              // of the newest heartbeat
	replaced   bool
}

// run is one started shard.
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

// newMember does what member does, but returns the error. Other goroutines than the test's own use it,
// because they must not end the test.
func (k *kit) newMember(name string) (*member, error) {
	e, err := k.dial()
	if err != nil {
		return nil, err
	}
	k.ledger.started(name)
	return &member{
		endpoint: e, k: k, name: name,
		runs: map[shardset.ID]*run{}, draining: map[shardset.ID]bool{},
		tracker: shardset.NewTracker(shardset.TrackerConfig{
			Member: name, Instance: k.instance(), Interval: k.ttl / 10, Fast: k.step, RestartPause: k.step,
			DrainTimeout: 100 * k.ttl, StuckAfter: 100 * k.ttl, // the case decides how long processors take
			CanLeave: k.info.Guarantees.Leave,
		}),
	}, nil
}

// instance returns the instance of a new process. It is larger than the last one by 1,000, because a
// Tracker may count up from its instance.
func (k *kit) instance() uint64 { return k.instances.Add(1000) }

func (m *member) String() string {
	s := fmt.Sprintf("%s runs %v of %v granted", m.name, m.running(), granted(m.answer.Grants))
	if len(m.draining) > 0 {
		s += fmt.Sprintf(", %d draining", len(m.draining))
	}
	if m.err != nil {
		s += fmt.Sprintf(", last error: %v", m.err)
	}
	return s
}

// beat sends one heartbeat and applies the plan for its outcome.
func (m *member) beat() {
	m.applyPlan(m.tracker.Tick(time.Now()))
	sent := time.Now()
	m.request = m.tracker.Beat(sent)
	ctx, cancel := m.k.context()
	defer cancel()
	var a shardset.Answer
	a, m.err = m.client.Beat(ctx, m.request)
	now := time.Now()
	var replaced *shardset.ReplacedError
	switch {
	case m.err == nil:
		m.accept(sent, now, a)
	case errors.Is(m.err, heartbeat.ErrEvicted):
		m.applyPlan(m.tracker.Evicted(now, m.request.Seq))
	case errors.As(m.err, &replaced):
		var plan shardset.Plan
		plan, m.replaced = m.tracker.Replaced(now, m.request.Seq, replaced.Newest)
		m.applyPlan(plan)
	default:
		if !heartbeat.Retryable(m.err) {
			m.k.Errorf("heartbeat of %s: %v", m.name, m.err)
		}
		m.applyPlan(m.tracker.Tick(now))
	}
}

func (m *member) accept(sent, now time.Time, a shardset.Answer) {
	m.k.checkAnswer(m.name, a)
	plan, err := m.tracker.Accepted(now, m.request.Seq, a)
	switch {
	case err == nil:
		m.answer, m.sent, m.back = a, sent, now
	case !errors.Is(err, shardset.ErrStaleAnswer): // the machine was too slow
		m.k.Errorf("answer to %s: %v", m.name, err)
	}
	m.applyPlan(plan)
}

// checkAnswer checks what must be true of every answer.
func (k *kit) checkAnswer(name string, a shardset.Answer) {
	has := k.info.Guarantees
	if a.TTL != k.ttl {
		k.Errorf("an answer to %s has the TTL %v, and the group %v", name, a.TTL, k.ttl)
	}
	if has.AckedRevoke && a.Generation == 0 && len(a.Grants) > 0 {
		k.Errorf("an answer to %s has no generation, and the service promises AckedRevoke", name)
	}
	if a.Complete && !has.Completion {
		k.Errorf("an answer to %s has Complete set, and the service promises %s", name, has)
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

// applyPlan applies a plan, in the order of its fields.
func (m *member) applyPlan(p shardset.Plan) {
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

// stop stops a shard's processor. The processor returns at once, or in returnAll if the member is stuck.
func (m *member) stop(id shardset.ID) {
	if m.stuck {
		m.draining[id] = true
		return
	}
	m.finish(id, shardset.OutcomeReleased)
}

// returnAll lets all stopped processors return.
func (m *member) returnAll() {
	m.stuck = false
	for id := range m.draining {
		m.finish(id, shardset.OutcomeReleased)
	}
}

func (m *member) finish(id shardset.ID, o shardset.Outcome) {
	m.k.ledger.end(m, id)
	delete(m.runs, id)
	delete(m.draining, id)
	m.applyPlan(m.tracker.Returned(time.Now(), id, o))
}

// start starts a granted shard: it loads the checkpoint.
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
	case !l.Valid(time.Now()): // the lease has ended, so the store may refuse
		m.finish(l.ID, shardset.OutcomeFenced)
	default:
		m.k.Errorf("%s cannot load shard %s, which it was granted: %v", m.name, l.ID, err)
		m.finish(l.ID, shardset.OutcomeFenced)
	}
}

// leave drains the member and makes the leave call. Shards of stuck processors stay in its list.
func (m *member) leave() {
	m.k.Helper()
	m.applyPlan(m.tracker.Leave(time.Now()))
	err := m.k.retry(func(ctx context.Context) error {
		m.request = m.tracker.Beat(time.Now())
		return m.client.(heartbeat.Leaver).Leave(ctx, m.request)
	})
	if err != nil {
		m.k.Errorf("leave of %s: %v", m.name, err)
	}
}

// crash ends the process without a leave call.
func (m *member) crash() { m.k.ledger.crashed(m) }

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
