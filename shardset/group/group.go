package group

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Config describes the group that New makes.
type Config struct {
	// TTL is how long a member keeps its shards after its last heartbeat. Required; at most
	// MaxTTL.
	TTL time.Duration
	// Ordered makes a shard wait until all its ancestors are closed.
	Ordered bool
	// FirstEpoch is the number above which epochs and generations begin. A service that may
	// lose its epochs sets it to a number that is higher at each start, for example its start
	// time in nanoseconds. Zero means that they begin with one.
	FirstEpoch uint64
}

// MaxTTL is the longest TTL. A longer one is most likely in the wrong unit.
const MaxTTL = 365 * 24 * time.Hour

// ShardState is the state of a shard in its group.
type ShardState uint8

const (
	StateWait     ShardState = iota + 1 // no owner: the group is ordered, and an ancestor is not closed
	StateFree                           // no owner, and no member can take it
	StateHeld                           // granted to its owner
	StateTransfer                       // revoked from its owner, and promised to the next member
	StateClosed                         // read to its end: it gets no more data
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

// Group is one consumer group. A Group is not safe for concurrent use.
type Group struct {
	cfg     Config
	change  TTLChange
	shards  []shard // sorted by ID
	index   map[shardset.ID]int32
	removed map[shardset.ID]removedShard // shards that left the list, or that Close closed while they had an owner

	members    map[string]*member
	sorted     []*member            // by name
	tombstones map[string]tombstone // nil: the store keeps them, see Restore
	// tombstoneLimit is the number of tombstones above which expired ones are deleted.
	tombstoneLimit int

	generation     uint64
	touched        bool   // the generation was raised in this event
	changes        uint64 // see Changes
	batch          bool   // see Batch
	dirty          bool   // rebalance must run at the end of the event
	nextExpiry     time.Time
	recoverUntil   time.Time
	changed        []*member     // members whose answers changed since TakeChanged
	completeShards int           // shards that are closed or complete
	complete       bool          // Answer.Complete: all shards are closed or complete
	formerTTL      time.Duration // how long a former member may work, from the deletion on
}

type shard struct {
	id       shardset.ID
	parents  []int32
	owner    *member
	next     *member // in StateTransfer: the member that receives it; nil: none yet
	last     *member // the last owner or next member: it receives the shard again if it has room
	epoch    uint64
	granted  uint64 // generation of the grant; zero: adopted while the group recovered
	revoked  uint64 // generation of the revocation, in StateTransfer
	state    ShardState
	complete bool // the owner has reported, under this grant, that the work is complete
}

type member struct {
	name       string
	instance   uint64
	seq        uint64
	seen       uint64 // the newest generation in a heartbeat of its instance
	unnumbered bool   // its last heartbeat had no numbers
	weight     int
	expires    time.Time

	owned         []int32 // indexes of its shards, sorted; if ownedStale, unsorted, and some are no longer its own
	ownedStale    bool
	held          int // owned, in StateHeld
	outgoing      int // owned, in StateTransfer
	incoming      int // promised to it, in StateTransfer
	complete      int // owned, and complete
	grants        []shardset.Grant
	grantsStale   bool // grants is outdated
	answerChanged bool // its answer has changed since its last heartbeat
	inChanged     bool // it is in Group.changed
	quota         int
	deficit       int
	removed       int  // entries of Group.removed that it holds
	quiet         bool // at the last rebalance it had sent no heartbeat for half a TTL
	quietInStore  bool // set by SetQuiet
	former        bool // see MemberInfo.Former
}

// tombstone remembers the last instance of a name that is no longer in the group, so that a delayed
// heartbeat of this instance does not make it a member again.
type tombstone struct {
	instance uint64
	until    time.Time
}

// New returns a group without shards and members. It returns an error if the TTL is out of range.
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
		// If the generation went back, members would conclude that the store has lost writes,
		// and would release everything.
		generation: cfg.FirstEpoch,
	}, nil
}

// Recover makes the group recover from the loss of its leases, after a restart without state.
// For one TTL it grants and revokes nothing. Members keep the shards that they report. If two
// members report the same shard, the one with the higher epoch keeps it. Until a member
// has sent a heartbeat, Fence refuses its commits.
//
// During recovery the group cannot tell a delayed heartbeat or commit of an expired process from
// one of the owner. So a store that survives the restart should keep the epoch beside each
// checkpoint and refuse lower ones.
func (g *Group) Recover(now time.Time) {
	g.recoverUntil = now.Add(g.change.expiry(g.cfg.TTL))
}

// begin starts an event. It first removes the members whose leases have ended.
func (g *Group) begin(now time.Time) {
	if g.batch {
		return
	}
	g.touched = false
	g.expireMembers(now)
}

// end finishes an event. It shares out the shards that the event has freed.
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

// raiseGeneration raises the generation, at most once in an event.
func (g *Group) raiseGeneration() {
	g.changes++
	if !g.touched {
		g.touched = true
		g.generation++
	}
}

// changedAnswer notes that the grants in m's next answer differ from those in the last one.
func (g *Group) changedAnswer(m *member) {
	m.grantsStale = true
	g.changedFor(m)
}

// changedFor lists m for TakeChanged.
func (g *Group) changedFor(m *member) {
	m.answerChanged = true
	if !m.inChanged {
		m.inChanged = true
		g.changed = append(g.changed, m)
	}
}

// TakeChanged returns the members whose answers have changed since the last call, sorted by name.
// It omits a member that has sent a heartbeat after the change. A service that can push wakes
// these members.
func (g *Group) TakeChanged() []string {
	var names []string
	for _, m := range g.changed {
		if m.answerChanged && g.members[m.name] == m {
			names = append(names, m.name)
		}
		m.inChanged, m.answerChanged = false, false
	}
	g.changed = g.changed[:0]
	slices.Sort(names)
	return names
}

// NextEvent returns the time at which the caller must call Expire next, zero for never. It may be
// earlier than necessary, but never later.
func (g *Group) NextEvent() time.Time {
	if g.nextExpiry.IsZero() || !g.recoverUntil.IsZero() && g.recoverUntil.Before(g.nextExpiry) {
		return g.recoverUntil
	}
	return g.nextExpiry
}

// TTL returns the TTL. While SetTTL changes it, TTL returns the new one.
func (g *Group) TTL() time.Duration { return g.cfg.TTL }

func (g *Group) insert(m *member) {
	g.members[m.name] = m
	i, _ := slices.BinarySearchFunc(g.sorted, m.name, func(m *member, name string) int {
		return strings.Compare(m.name, name)
	})
	g.sorted = slices.Insert(g.sorted, i, m)
}
