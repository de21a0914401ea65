package shardset

import "time"

// Tracker is the member's side of the protocol: what it holds, what it is assigned,
// and what to do when something happens. Each event is a method that takes the
// time and returns a complete Plan. Times should carry a monotonic reading.
//
// A Tracker belongs to one goroutine. The package comment has the rules.
type Tracker struct {
	cfg TrackerConfig

	entries entryTable // every shard that is reported as held
	timed   []*entry   // those with something due: draining, cancelled, restarting; in no order
	timedAt time.Time  // the earliest due among timed; zero: none

	assigned  []Grant          // the last accepted answer, sorted
	diffDue   bool             // something assigned may not be held
	released  map[ID]uint64    // no longer held: the newest heartbeat that may have listed it, until an answer to a later one came
	closed    map[ID]uint64    // closed shards to report; dropped once an answer to this heartbeat or a later one came
	notBefore map[ID]time.Time // when a shard may start again after its processor was fenced

	recheckAt time.Time // the earliest recheckAt of all entries; zero: none

	seq        uint64    // of the newest heartbeat
	answered   uint64    // newest heartbeat whose answer was accepted
	answers    uint64    // answers that were accepted
	voidUpTo   uint64    // answers to heartbeats up to this one are void
	sentAt     time.Time // when the newest heartbeat left
	instance   uint64
	generation uint64
	clockEpoch uint64 // the last epoch made for a grant of a service without epochs

	ttl          time.Duration // of the newest answer that was accepted
	gridOffset   time.Duration // of this member's heartbeats
	interval     time.Duration // between regular heartbeats, as the group's TTL lets it be
	deadline     time.Time     // end of the lease; zero: there is none
	settledAt    time.Time     // until then the cadence is fast
	joinEmpty    bool          // the next heartbeat must list nothing
	joined       bool          // some answer was accepted, ever
	leaving      bool
	leaveUntil   time.Time // when a leaving member stops waiting
	refusedUntil time.Time // from then on a refusal is final; zero: the newest outcome was no refusal
	completion   completion
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
		cfg:        cfg,
		instance:   cfg.Instance,
		interval:   cfg.Interval,
		gridOffset: gridOffset(cfg.Member),
		entries:    newEntryTable(),
		released:   map[ID]uint64{},
		closed:     map[ID]uint64{},
		notBefore:  map[ID]time.Time{},
	}
}

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
	entries := t.entries.sorted()
	out := make([]ShardState, len(entries))
	for i, e := range entries {
		out[i] = e.shardState()
	}
	return out
}

// Shard returns one of Shards. The second result is false if the member does not report that
// shard as held.
func (t *Tracker) Shard(id ID) (ShardState, bool) {
	e := t.entries.get(id)
	if e == nil {
		return ShardState{}, false
	}
	return e.shardState(), true
}

func (e *entry) shardState() ShardState {
	return ShardState{ID: e.grant.ID, Epoch: e.epoch, State: e.state, Cause: e.cause, Since: e.since}
}
