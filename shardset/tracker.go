package shardset

import "time"

// Tracker is the member's side of the protocol. It knows which shards the member holds and which
// are assigned to it, and decides what to do after each event. An event is a method that takes the
// time and returns a complete Plan. Times should have a monotonic reading.
//
// A Tracker is not safe for concurrent use. The package comment has the rules.
type Tracker struct {
	cfg TrackerConfig

	entries entryTable // every shard that is reported as held
	timed   []*entry   // the entries with a time in due: draining, cancelled, restarting; in no order
	timedAt time.Time  // the earliest due of timed; zero: none

	assigned  []Grant          // the grants of the last accepted answer, sorted
	diffDue   bool             // a shard may be assigned and not held
	released  map[ID]uint64    // released shards, with the newest heartbeat that may list each; see dropReported
	closed    map[ID]uint64    // closed shards to report, with the first heartbeat that reports each; see dropReported
	notBefore map[ID]time.Time // when a shard may start again after its processor was fenced

	recheckAt time.Time // the earliest recheckAt of all entries; zero: none

	seq        uint64    // of the newest heartbeat
	answered   uint64    // the newest heartbeat whose answer was accepted
	answers    uint64    // how many answers were accepted
	voidUpTo   uint64    // answers to heartbeats up to this one do not count
	sentAt     time.Time // when the newest heartbeat left
	instance   uint64
	generation uint64
	clockEpoch uint64 // the last epoch made from the clock

	ttl          time.Duration // of the newest answer that was accepted
	gridOffset   time.Duration // of this member's heartbeats
	interval     time.Duration // between regular heartbeats
	deadline     time.Time     // end of the lease; zero: there is none
	settledAt    time.Time     // until then heartbeats are fast
	joinEmpty    bool          // the next heartbeat must list no shard
	joined       bool          // an answer was accepted, under any lease
	leaving      bool
	leaveUntil   time.Time // when a leaving member stops waiting
	refusedUntil time.Time // from then on a refusal is final; zero: the newest heartbeat was not refused
	completion   completion
}

// NewTracker returns a Tracker that holds no shard and has sent no heartbeat.
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

// ShardState is one held shard, from Tracker.Shards.
type ShardState struct {
	ID    ID
	Epoch uint64
	State State
	// Cause says why the shard stops. Zero means that it does not stop.
	Cause Cause
	// Since is when the shard took this state.
	Since time.Time
}

// Shards returns the held shards, sorted by shard.
func (t *Tracker) Shards() []ShardState {
	entries := t.entries.sorted()
	out := make([]ShardState, len(entries))
	for i, e := range entries {
		out[i] = e.shardState()
	}
	return out
}

// Shard returns the state of one held shard. The second result is false if the member does not
// report that shard as held.
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
