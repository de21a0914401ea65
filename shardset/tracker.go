package shardset

import (
	"slices"
	"time"
)

// TrackerConfig is what a Tracker has to know before the first event.
type TrackerConfig struct {
	// Member and Weight are what each Heartbeat says of this member.
	Member string
	Weight int
	// Instance tells this run of the member from earlier ones under its name. A
	// later run needs a larger number; zero means that the service has none. The
	// Tracker adds one each time a lease ends.
	Instance uint64
	// Interval is the time from one regular heartbeat to the next. It is shortened for a
	// group with a TTL into which fewer than MinHeartbeats fit: see Tracker.Interval.
	Interval time.Duration
	// FirmInterval says that somebody chose the Interval: the first answer of a group
	// whose TTL it does not fit is refused. A TTL that becomes too short later shortens
	// the Interval all the same, because somebody else changed it.
	FirmInterval bool
	// FollowTTL says that the Interval is what the service advises for TTL: it becomes
	// longer and shorter with the TTL of the group.
	FollowTTL bool
	// TTL is what the group's TTL is taken for before the first answer. Zero means
	// MinHeartbeats times Interval.
	TTL time.Duration
	// Fast is the interval while the set of shards is changing. Zero means Interval.
	Fast time.Duration
	// Grid makes the regular heartbeats of all members come at nearly the same moments,
	// for a service that does not push: see grid.
	Grid bool
	// DrainTimeout is how long a revoked processor may go on before its context
	// is cancelled.
	DrainTimeout time.Duration
	// StuckAfter is how long a processor may ignore a cancelled context before
	// Plan.Stuck names it.
	StuckAfter time.Duration
	// RestartPause is the pause before a shard whose processor failed for good, or was
	// fenced, is started again.
	RestartPause time.Duration
	// CanLeave says that the service has a leave call. Without one every
	// heartbeat renews the lease, so a leaving member sends only those that its
	// drain needs.
	CanLeave bool
	// Finite says that the work has an end, and that this member goes once nothing
	// is left to do: Plan.Complete.
	Finite bool
	// Completion says that the service tells when every shard of the group is done,
	// Answer.Complete. Without it a member of a finite run waits for one TTL.
	Completion bool
}

// leaveGrace is how long a leaving member waits for processors whose contexts it
// cancelled when their drain was over, before it calls them deaf.
const leaveGrace = 50 * time.Millisecond

// unsettledIntervals bounds the fast cadence: so many regular intervals after the
// last change the set counts as settled.
const unsettledIntervals = 2

// Tracker is the member's side of the protocol: what it holds, what it may hold,
// and what to do when something happens. Each event is a method that takes the
// time and returns a complete Plan. Times should carry a monotonic reading.
//
// A Tracker belongs to one goroutine. The package comment has the rules.
type Tracker struct {
	cfg TrackerConfig

	entries entryTable // every shard that is reported as held
	moving  []*entry   // those with something due: draining, cancelled, cooling; in no order
	moveAt  time.Time  // the earliest due among moving; zero: none

	held      []Grant  // cache of entries for Heartbeat.Held, rebuilt when heldDirty
	sorted    []*entry // the entries of held, in the same order
	heldDirty bool
	done      []ID // cache of the entries for Heartbeat.Complete, rebuilt when doneDirty
	doneDirty bool
	doneCount int

	want    []Grant          // the last accepted answer, sorted
	missing map[ID]uint64    // wanted but not running; takes an answer to a later heartbeat than this
	gone    map[ID]uint64    // returned: the newest heartbeat that listed it, until an answer to a later one came
	ended   map[ID]uint64    // closed shards to report; dropped once an answer to this heartbeat or a later one came
	holdoff map[ID]time.Time // not to be started before

	againAt time.Time // the earliest againAt of all entries; zero: none

	seq        uint64    // of the newest heartbeat
	answered   uint64    // newest heartbeat whose answer was accepted
	answers    uint64    // answers that were accepted
	barrier    uint64    // answers to heartbeats up to this one are void
	sentAt     time.Time // when the newest heartbeat left
	instance   uint64
	generation uint64
	clockEpoch uint64 // the last epoch made for a grant of a service without epochs

	ttl        time.Duration // of the newest answer that was accepted
	gridOffset time.Duration // of this member's heartbeats
	interval   time.Duration // between regular heartbeats, as the group's TTL lets it be
	deadline   time.Time     // end of the lease; zero: none was ever given, or it lapsed
	settledAt  time.Time     // until then the cadence is fast
	joinEmpty  bool          // the next heartbeat must list nothing
	joined     bool          // some answer was accepted, ever
	leaving    bool
	leaveUntil time.Time // when a leaving member stops waiting
	patience   time.Time // until when refusals may pass; zero: the newest outcome was none
	ending     ending
}

// entry is one shard that this member reports as held.
type entry struct {
	grant Grant  // as the service gave it
	epoch uint64 // the grant's, or a local number where the service has none
	state State
	cause Cause     // why it stops, from StateDraining on
	since time.Time // when it took this state
	due   time.Time // StateDraining: cancel; StateCancelled: stuck; StateRestarting: start
	slot  int       // its place in Tracker.moving, plus one; zero: not there

	// Of StateComplete, if the shard has ended: see doubtEnd.
	againAt time.Time     // not to be started again before; zero: not at all
	answers uint64        // nor before so many answers were accepted
	pause   time.Duration // the last one; kept while the shard runs again
}

// NewTracker returns a Tracker that holds nothing and has sent nothing.
func NewTracker(cfg TrackerConfig) *Tracker {
	if cfg.Fast <= 0 {
		cfg.Fast = cfg.Interval
	}
	if cfg.TTL <= 0 {
		cfg.TTL, cfg.FollowTTL = MinHeartbeats*cfg.Interval, false
	}
	return &Tracker{
		cfg:      cfg,
		instance: cfg.Instance,
		interval: cfg.Interval,

		gridOffset: gridOffset(cfg.Member),

		entries: newEntryTable(),
		missing: map[ID]uint64{},
		gone:    map[ID]uint64{},
		ended:   map[ID]uint64{},
		holdoff: map[ID]time.Time{},
	}
}

// Beat is the event of a heartbeat leaving at now. From then on only the answer to
// this one counts, and a lease that it gives counts from now.
func (t *Tracker) Beat(now time.Time) Heartbeat {
	t.seq++
	t.sentAt = now
	h := Heartbeat{
		Member: t.cfg.Member, Weight: t.cfg.Weight,
		Seq: t.seq, Instance: t.instance, Generation: t.generation, Leaving: t.leaving,
	}
	if t.joinEmpty {
		return h
	}
	h.Held, h.Complete = t.heldGrants(), t.doneIDs()
	for id := range t.ended {
		h.Closed = append(h.Closed, id)
	}
	slices.SortFunc(h.Closed, ID.Compare)
	return h
}

// NextHeartbeat returns when the next heartbeat is due, as long as nothing happens
// before: a regular or a fast interval after the newest one left. A leaving member
// of a service without a leave call waits until its lease needs renewing. Zero
// means: none is needed any more.
func (t *Tracker) NextHeartbeat(now time.Time) time.Time {
	switch {
	case t.leaving && t.deadline.IsZero():
		return time.Time{}
	case t.leaving && !t.cfg.CanLeave:
		renew, retry := t.deadline.Add(-t.interval), t.sentAt.Add(t.fast())
		if renew.Before(retry) {
			return retry // the last try got no answer
		}
		return renew
	case now.Before(t.settledAt):
		return t.sentAt.Add(t.fast())
	}
	if t.cfg.Grid && t.ttl > 0 {
		return grid(t.sentAt, t.ttl, t.interval, t.gridOffset)
	}
	return t.sentAt.Add(t.interval)
}

// Interval returns the time from one regular heartbeat to the next: the configured one, or
// the same part of the newest answer's TTL if it follows that, or as much as that has room
// for.
func (t *Tracker) Interval() time.Duration { return t.interval }

func (t *Tracker) fast() time.Duration { return min(t.cfg.Fast, t.interval) }

// Instance returns the instance that the next heartbeat will carry.
func (t *Tracker) Instance() uint64 { return t.instance }

// Generation returns the newest generation seen in an answer.
func (t *Tracker) Generation() uint64 { return t.generation }

// ShardState is one shard in a Tracker's Shards.
type ShardState struct {
	ID    ID
	Epoch uint64
	State State
	// Cause says why the shard stops; zero while it does not.
	Cause Cause
	// Since is when it took this state.
	Since time.Time
}

// Shards returns every shard that the next heartbeat would list, sorted.
func (t *Tracker) Shards() []ShardState {
	held := t.heldGrants()
	out := make([]ShardState, len(held))
	for i, g := range held {
		e := t.entries.get(g.ID)
		out[i] = ShardState{ID: g.ID, Epoch: e.epoch, State: e.state, Cause: e.cause, Since: e.since}
	}
	return out
}

// heldGrants returns the shards to report, sorted. The slice is replaced, never
// changed, when the set changes: a report in flight keeps its own.
func (t *Tracker) heldGrants() []Grant {
	if !t.heldDirty {
		return t.held
	}
	t.heldDirty, t.doneDirty = false, true
	clear(t.sorted)
	t.sorted = t.sorted[:0]
	for _, e := range t.entries.all() {
		t.sorted = append(t.sorted, e)
	}
	slices.SortFunc(t.sorted, func(a, b *entry) int { return a.grant.ID.Compare(b.grant.ID) })
	t.held = make([]Grant, len(t.sorted))
	for i, e := range t.sorted {
		t.held[i] = e.grant
	}
	return t.held
}

// finder returns a function that finds entries, as the map does, when asked for IDs
// in ascending order. Mostly nothing has changed since the report was sorted; then
// it walks along, which for thousands of shards costs a fraction of the look-ups.
func (t *Tracker) finder() func(ID) *entry {
	if t.heldDirty {
		return func(id ID) *entry { return t.entries.get(id) }
	}
	rest := t.sorted
	return func(id ID) *entry {
		for len(rest) > 0 && rest[0].grant.ID.Compare(id) < 0 {
			rest = rest[1:]
		}
		if len(rest) > 0 && rest[0].grant.ID == id {
			return rest[0]
		}
		return nil
	}
}

func compareGrants(a, b Grant) int { return a.ID.Compare(b.ID) }
