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
	// TTL is how long a member keeps its shards after its last heartbeat, up to MaxTTL.
	// Required.
	TTL time.Duration
	// Ordered makes a shard wait until all its ancestors are over.
	Ordered bool
	// FirstEpoch is what the epochs and the generation count from. A service that
	// may forget them sets it to something that never repeats and always rises, its
	// start time in nanoseconds for instance. Zero counts from one.
	FirstEpoch uint64
}

// MaxTTL is the longest lease time: a longer one has most likely lost its unit.
const MaxTTL = 365 * 24 * time.Hour

// ShardState is what the service thinks of a shard.
type ShardState uint8

const (
	StateWait     ShardState = iota + 1 // ordered group: an ancestor is not over yet
	StateFree                           // consumable, and nobody holds it
	StateHeld                           // held by its owner
	StateTransfer                       // held by its owner, and promised to the next member
	StateClosed                         // read-only and processed to its end
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

// Group is the state of one consumer group. It belongs to one goroutine, or to
// whoever holds the lock around it.
type Group struct {
	cfg     Config
	change  TTLChange
	shards  []shard // sorted by ID
	index   map[shardset.ID]int32
	removed map[shardset.ID]removedShard // shards that were taken out of the list

	members    map[string]*member
	sorted     []*member            // by name
	tombstones map[string]tombstone // nil: none are remembered, see Restore
	// manyTombstones is how many tombstones are worth a look for old ones.
	manyTombstones int

	generation     uint64
	touched        bool   // the generation was raised in this event
	changes        uint64 // of what State returns
	batch          bool   // the events of now are one: see Batch
	dirty          bool   // the balance has to be looked at
	nextExpiry     time.Time
	recoverUntil   time.Time
	changed        []*member     // whose answers changed since TakeChanged
	completeShards int           // shards that are over, or done at their owner
	complete       bool          // what members are told: all of them are
	formerTTL      time.Duration // the lease time of the former members
}

type shard struct {
	id       shardset.ID
	parents  []int32
	owner    *member
	next     *member // StateTransfer: who gets it; nil: nobody yet
	last     *member // who held it, or was promised it, before: gets it back if there is room
	epoch    uint64
	granted  uint64 // generation of the grant; zero: the owner told us of it
	revoked  uint64 // generation of the revocation, in StateTransfer
	state    ShardState
	complete bool // the owner has reported it as done, under this grant
}

type member struct {
	name       string
	instance   uint64
	seq        uint64
	seen       uint64 // the newest generation that its instance has shown
	unnumbered bool   // its last heartbeat had no numbers
	weight     int
	expires    time.Time

	owned        []int32 // shards it owns, sorted once tidy; may hold stale ones before
	untidy       bool
	held         int // owned, in StateHeld
	out          int // owned, in StateTransfer
	in           int // promised to it
	complete     int // owned, and done
	grants       []shardset.Grant
	stale        bool // grants has to be rebuilt
	pending      bool // its answer changed and it was not told
	listed       bool // in Group.changed
	quota        int
	deficit      int
	removed      int  // shards that it holds although they were taken out of the list
	quiet        bool // it was not heard for half a TTL when the shards were shared out last
	quietInStore bool // whoever keeps the group in a store says so
	former       bool // of a group of this name that was deleted: it may be at work, and gets nothing
}

// tombstone remembers the last instance of a member that is gone, so that a message of
// it that was held up does not raise it from the dead.
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
		// A member takes a generation that goes back for a service that lost writes,
		// and gives up everything.
		generation: cfg.FirstEpoch,
	}, nil
}

// Recover makes the group one that has lost its leases, at a restart without state:
// for one full TTL nothing is granted or revoked, and members that report what they
// hold are taken at their word, by epoch. Commits of a holder that has not been heard
// of yet are refused. A store that outlives the group's memory should keep the epoch
// beside each checkpoint and refuse lower ones: in that time a late heartbeat and a
// late commit of a dead process look like its owner's.
func (g *Group) Recover(now time.Time) {
	g.recoverUntil = now.Add(g.change.silence(g.cfg.TTL))
}

// begin opens an event: what is due by now happens first.
func (g *Group) begin(now time.Time) {
	if g.batch {
		return
	}
	g.touched = false
	g.expireMembers(now)
}

// end closes an event: whatever it freed finds its new owner, and everybody hears of
// the end of the work.
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

// touch raises the generation, once an event.
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

// tell lists m among those whose answers have changed.
func (g *Group) changedFor(m *member) {
	m.pending = true
	if !m.listed {
		m.listed = true
		g.changed = append(g.changed, m)
	}
}

// TakeChanged returns the names of the live members whose answers have changed
// since the last call, sorted: those that a service that can push should wake.
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

// NextEvent returns when Expire has something to do, or zero. It may be early,
// never late.
func (g *Group) NextEvent() time.Time {
	if g.nextExpiry.IsZero() || !g.recoverUntil.IsZero() && g.recoverUntil.Before(g.nextExpiry) {
		return g.recoverUntil
	}
	return g.nextExpiry
}

// Generation returns the number of the present state of the assignment.
func (g *Group) Generation() uint64 { return g.generation }

// TTL returns the group's lease time, which a change that is under way leads to.
func (g *Group) TTL() time.Duration { return g.cfg.TTL }

func (g *Group) insert(m *member) {
	g.members[m.name] = m
	i, _ := slices.BinarySearchFunc(g.sorted, m.name, func(m *member, name string) int {
		return strings.Compare(m.name, name)
	})
	g.sorted = slices.Insert(g.sorted, i, m)
}
