package group

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Config is what a group is made with.
type Config struct {
	// TTL is how long a member keeps its shards after its last heartbeat. Required; at most
	// MaxTTL.
	TTL time.Duration
	// Ordered makes a shard wait until all its ancestors are closed.
	Ordered bool
	// FirstEpoch is the number above which epochs and generations begin. A service that can
	// lose them sets it to a number that rises from start to start, its start time in
	// nanoseconds for instance. Zero means that they begin with one.
	FirstEpoch uint64
}

// MaxTTL is the longest TTL. A longer one is most likely in the wrong unit.
const MaxTTL = 365 * 24 * time.Hour

// ShardState is the state of a shard in its group.
type ShardState uint8

const (
	StateWait     ShardState = iota + 1 // the group is ordered, and an ancestor is not closed
	StateFree                           // it has no owner
	StateHeld                           // its owner runs it
	StateTransfer                       // revoked from its owner, and promised to the next member
	StateClosed                         // nothing more will come of it
)

func (s ShardState) String() string {
	switch s {
	case StateWait:
		return "wait"
	case StateFree:
		return "free"
	case StateHeld:
		return "held"
	case StateTransfer:
		return "transfer"
	case StateClosed:
		return "closed"
	}
	return fmt.Sprintf("ShardState(%d)", uint8(s))
}

// Group is one consumer group. It is not safe for concurrent use.
type Group struct {
	cfg     Config
	change  TTLChange
	shards  []shard // sorted by ID
	index   map[shardset.ID]int32
	removed map[shardset.ID]removedShard // shards that left the list, or that Close took

	members    map[string]*member
	sorted     []*member            // by name
	tombstones map[string]tombstone // nil: none are remembered, see Restore
	// manyTombstones is the number of tombstones at which old ones are deleted.
	manyTombstones int

	generation     uint64
	touched        bool   // the generation was raised in this event
	changes        uint64 // of what State returns
	batch          bool   // see Batch
	dirty          bool   // the shards have to be shared out again
	nextExpiry     time.Time
	recoverUntil   time.Time
	changed        []*member     // members whose answers changed since TakeChanged
	completeShards int           // shards that are closed or complete
	complete       bool          // what answers say: all shards are closed or complete
	formerTTL      time.Duration // how long a former member may work, from the deletion on
}

type shard struct {
	id       shardset.ID
	parents  []int32
	owner    *member
	next     *member // in StateTransfer: the member that receives it; nil: none yet
	last     *member // the last owner or next member: it receives the shard again if it has room
	epoch    uint64
	granted  uint64 // generation of the grant; zero: the owner has reported it to a group that recovers
	revoked  uint64 // generation of the revocation, in StateTransfer
	state    ShardState
	complete bool // the owner has reported, under this grant, that the work is complete
}

type member struct {
	name       string
	instance   uint64
	seq        uint64
	seen       uint64 // the newest generation that its instance has shown
	unnumbered bool   // its last heartbeat had no numbers
	weight     int
	expires    time.Time

	owned        []int32 // places of its shards; unless untidy sorted, and none that it has lost
	untidy       bool
	held         int // owned, in StateHeld
	out          int // owned, in StateTransfer
	in           int // promised to it
	complete     int // owned, and complete
	grants       []shardset.Grant
	stale        bool // grants must be rebuilt
	pending      bool // its answer has changed since its last heartbeat
	listed       bool // in Group.changed
	quota        int
	deficit      int
	removed      int  // entries of Group.removed that it holds
	quiet        bool // it had sent no heartbeat for half a TTL when shards were last shared out
	quietInStore bool // the same, as SetQuiet says
	former       bool // see MemberInfo.Former
}

// tombstone remembers the last instance of a member that is gone, so that a delayed heartbeat
// does not make it a member again.
type tombstone struct {
	instance uint64
	until    time.Time
}

// New returns a group without shards and members.
func New(cfg Config) (*Group, error) {
	if err := checkTTL(cfg.TTL); err != nil {
		return nil, err
	}
	return &Group{
		cfg:        cfg,
		index:      map[shardset.ID]int32{},
		removed:    map[shardset.ID]removedShard{},
		members:    map[string]*member{},
		tombstones: map[string]tombstone{},
		// A generation that goes back would look to members like a store that lost writes,
		// and they would release everything.
		generation: cfg.FirstEpoch,
	}, nil
}

// Recover makes the group recover from the loss of its leases, after a restart without state.
// For one TTL it grants and revokes nothing. Members keep the shards that they report; of two
// that report the same shard, the one with the higher epoch keeps it. Until an owner has sent a
// heartbeat, its commits are refused.
//
// In that time a delayed heartbeat and commit of an expired process look like the owner's. A
// store that survives the restart should therefore keep the epoch beside each checkpoint and
// refuse lower ones.
func (g *Group) Recover(now time.Time) {
	g.recoverUntil = now.Add(g.change.expiry(g.cfg.TTL))
}

// begin starts an event: members whose leases have ended expire first.
func (g *Group) begin(now time.Time) {
	if g.batch {
		return
	}
	g.touched = false
	g.expireMembers(now)
}

// end finishes an event: it shares out what the event has freed.
func (g *Group) end(now time.Time) {
	if g.batch {
		return
	}
	if !g.recovering(now) {
		if !g.recoverUntil.IsZero() {
			g.recoverUntil = time.Time{}
			g.dirty = true
		}
		if g.dirty {
			g.dirty = false
			g.rebalance(now)
		}
	}
	g.settleTTL()
	g.updateComplete(now)
	g.forgetRemoved()
}

func (g *Group) recovering(now time.Time) bool { return now.Before(g.recoverUntil) }

// touch raises the generation, at most once an event.
func (g *Group) touch() {
	g.changes++
	if !g.touched {
		g.touched = true
		g.generation++
	}
}

// changedAnswer notes that m's next answer differs from its last.
func (g *Group) changedAnswer(m *member) {
	m.stale = true
	g.changedFor(m)
}

// changedFor lists m for TakeChanged.
func (g *Group) changedFor(m *member) {
	m.pending = true
	if !m.listed {
		m.listed = true
		g.changed = append(g.changed, m)
	}
}

// TakeChanged returns the members whose answers have changed since the last call, and that
// have not sent a heartbeat since, sorted by name. A service that can push wakes them.
func (g *Group) TakeChanged() []string {
	var names []string
	for _, m := range g.changed {
		if m.pending && g.members[m.name] == m {
			names = append(names, m.name)
		}
		m.listed, m.pending = false, false
	}
	g.changed = g.changed[:0]
	slices.Sort(names)
	return names
}

// NextEvent returns when Expire must be called next, zero for never. It may be too early, but
// never too late.
func (g *Group) NextEvent() time.Time {
	if g.nextExpiry.IsZero() || !g.recoverUntil.IsZero() && g.recoverUntil.Before(g.nextExpiry) {
		return g.recoverUntil
	}
	return g.nextExpiry
}

// TTL returns the TTL, during a change the new one.
func (g *Group) TTL() time.Duration { return g.cfg.TTL }

func (g *Group) insert(m *member) {
	g.members[m.name] = m
	i, _ := slices.BinarySearchFunc(g.sorted, m.name, func(m *member, name string) int {
		return strings.Compare(m.name, name)
	})
	g.sorted = slices.Insert(g.sorted, i, m)
}
