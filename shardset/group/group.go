package group

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Config is what a group is made with.
type Config struct {
	// TTL is how long a member keeps its shards after its last heartbeat. Required.
	TTL time.Duration
	// Ordered makes a shard wait until all its ancestors are over.
	Ordered bool
	// FirstEpoch is what the epochs and the generation count from. A service that
	// may forget them sets it to something that never repeats and always rises, its
	// start time in nanoseconds for instance. Zero counts from one.
	FirstEpoch uint64
}

// Shard is one shard of the group, as its log describes it.
type Shard struct {
	ID shardset.ID
	// Parents are the shards that it was split or merged from. One that the group
	// does not know counts as over: it has expired.
	Parents []shardset.ID
}

// State is what the service thinks of a shard.
type State uint8

const (
	StateWait     State = iota + 1 // ordered group: an ancestor is not over yet
	StateFree                      // consumable, and nobody holds it
	StateHeld                      // held by its owner
	StateTransfer                  // held by its owner, and promised to the next member
	StateOver                      // read-only and processed to its end
)

func (s State) String() string {
	switch s {
	case StateWait:
		return "wait"
	case StateFree:
		return "free"
	case StateHeld:
		return "held"
	case StateTransfer:
		return "transfer"
	case StateOver:
		return "over"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Group is the state of one consumer group. It belongs to one goroutine, or to
// whoever holds the lock around it.
type Group struct {
	cfg     Config
	shards  []shard // sorted by ID
	index   map[shardset.ID]int32
	retired map[shardset.ID]retiree // shards that were taken out of the list

	members map[string]*member
	sorted  []*member // by name
	graves  map[string]grave

	generation   uint64
	touched      bool // the generation was raised in this event
	dirty        bool // the balance has to be looked at
	nextExpiry   time.Time
	recoverUntil time.Time
	changed      []*member // whose answers changed since TakeChanged
}

type shard struct {
	id      shardset.ID
	parents []int32
	owner   *member
	next    *member // StateTransfer: who gets it; nil: nobody yet
	last    *member // who held it, or was promised it, before: gets it back if there is room
	epoch   uint64
	granted uint64 // generation of the grant; zero: the owner told us of it
	revoked uint64 // generation of the revocation, in StateTransfer
	state   State
}

type member struct {
	name     string
	instance uint64
	seq      uint64
	weight   int
	expires  time.Time

	owned   []int32 // shards it owns, sorted once tidy; may hold stale ones before
	untidy  bool
	held    int // owned, in StateHeld
	out     int // owned, in StateTransfer
	in      int // promised to it
	grants  []shardset.Grant
	stale   bool // grants has to be rebuilt
	pending bool // its answer changed and it was not told
	listed  bool // in Group.changed
	quota   int
	deficit int
	retired int // shards that it holds although they were taken out of the list
}

// retiree remembers a shard that was taken out of the list, in case it comes back:
// its epochs go on rising, its end stays its end, and as long as its holder has not
// let go of it, nobody else gets it.
type retiree struct {
	epoch   uint64
	granted uint64
	holder  *member
	over    bool
}

// grave remembers the last instance of a member that is gone, so that a message of
// it that was held up does not raise it from the dead.
type grave struct {
	instance uint64
	until    time.Time
}

// New returns a group without shards and members.
func New(cfg Config) (*Group, error) {
	if cfg.TTL <= 0 {
		return nil, fmt.Errorf("group: TTL is %v; it must be positive", cfg.TTL)
	}
	return &Group{
		cfg:     cfg,
		index:   map[shardset.ID]int32{},
		retired: map[shardset.ID]retiree{},
		members: map[string]*member{},
		graves:  map[string]grave{},
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
	g.recoverUntil = now.Add(g.cfg.TTL)
}

// SetShards replaces the list of shards. Known ones keep their state; ones that are
// gone disappear from their owner's answers, and if they come back before the owner
// has let go of them they are still its own. The list is taken whole or not at all:
// an error names every bad ID, duplicate and cycle in it.
func (g *Group) SetShards(now time.Time, list []Shard) error {
	byID := func(a, b Shard) int { return a.ID.Compare(b.ID) }
	if !slices.IsSortedFunc(list, byID) {
		list = slices.Clone(list)
		slices.SortStableFunc(list, byID)
	}
	if err := checkShards(list); err != nil {
		return err
	}
	g.begin(now)

	old, oldIndex := g.shards, g.index
	g.shards = make([]shard, len(list))
	g.index = make(map[shardset.ID]int32, len(list))
	for i, s := range list {
		g.index[s.ID] = int32(i)
	}
	for i, s := range list {
		if j, ok := oldIndex[s.ID]; ok {
			g.shards[i] = old[j]
		} else {
			g.shards[i] = g.comeBack(s.ID)
		}
		g.shards[i].parents = g.shards[i].parents[:0:0]
		for _, p := range s.Parents {
			if j, ok := g.index[p]; ok {
				g.shards[i].parents = append(g.shards[i].parents, j)
			}
		}
	}
	for i := range old {
		if _, ok := g.index[old[i].id]; !ok {
			g.retire(&old[i])
		}
	}
	g.recount()
	g.dirty = true
	g.end(now)
	return nil
}

// retire remembers a shard that is taken out.
func (g *Group) retire(s *shard) {
	g.touch()
	g.retired[s.id] = retiree{epoch: s.epoch, granted: s.granted, holder: s.owner, over: s.state == StateOver}
	if s.owner != nil {
		s.owner.retired++
	}
}

// comeBack is the state of a shard that is put in, for the first time or again.
func (g *Group) comeBack(id shardset.ID) shard {
	r := g.retired[id]
	delete(g.retired, id)
	s := shard{id: id, epoch: r.epoch, granted: r.granted, state: StateFree}
	switch {
	case r.over:
		s.state = StateOver
	case r.holder != nil:
		r.holder.retired--
		s.owner, s.last, s.state = r.holder, r.holder, StateHeld
	}
	return s
}

// letGo forgets that m holds retired shards, those that gone says.
func (g *Group) letGo(m *member, gone func(shardset.ID, retiree) bool) {
	if m.retired == 0 {
		return
	}
	for id, r := range g.retired {
		if r.holder == m && gone(id, r) {
			r.holder = nil
			g.retired[id] = r
			m.retired--
		}
	}
}

// recount rebuilds what the members know of their shards, after the list changed.
func (g *Group) recount() {
	for _, m := range g.sorted {
		m.owned, m.held, m.out, m.in = m.owned[:0], 0, 0, 0
		g.changedAnswer(m)
	}
	for i := range g.shards {
		s := &g.shards[i]
		switch s.state {
		case StateHeld:
			s.owner.held++
			s.owner.owned = append(s.owner.owned, int32(i))
		case StateTransfer:
			s.owner.out++
			s.owner.owned = append(s.owner.owned, int32(i))
			if s.next != nil {
				s.next.in++
			}
		}
	}
	for _, m := range g.sorted {
		m.untidy = false
	}
}

// checkShards says everything that is wrong with a sorted list.
func checkShards(list []Shard) error {
	var faults []error
	parents := map[shardset.ID][]shardset.ID{}
	for i, s := range list {
		if err := s.ID.Validate(); err != nil {
			faults = append(faults, err)
		}
		if i > 0 && list[i-1].ID == s.ID {
			faults = append(faults, fmt.Errorf("shard %s is listed twice", s.ID))
		}
		if len(s.Parents) > 0 {
			parents[s.ID] = s.Parents
		}
	}
	for _, s := range list {
		if cyclic(s.ID, parents) {
			faults = append(faults, fmt.Errorf("shard %s is its own ancestor", s.ID))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("group: bad list of shards: %w", errors.Join(faults...))
}

// cyclic reports whether id can be reached from its own parents.
func cyclic(id shardset.ID, parents map[shardset.ID][]shardset.ID) bool {
	if len(parents[id]) == 0 {
		return false
	}
	seen := map[shardset.ID]bool{}
	todo := slices.Clone(parents[id])
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if p == id {
			return true
		}
		if !seen[p] {
			seen[p] = true
			todo = append(todo, parents[p]...)
		}
	}
	return false
}

// begin opens an event: what is due by now happens first.
func (g *Group) begin(now time.Time) {
	g.touched = false
	g.bury(now)
}

// end closes an event: whatever it freed finds its new owner.
func (g *Group) end(now time.Time) {
	if g.recovering(now) {
		return
	}
	if !g.recoverUntil.IsZero() {
		g.recoverUntil = time.Time{}
		g.dirty = true
	}
	if g.dirty {
		g.dirty = false
		g.rebalance()
	}
}

func (g *Group) recovering(now time.Time) bool { return now.Before(g.recoverUntil) }

// touch raises the generation, once an event.
func (g *Group) touch() {
	if !g.touched {
		g.touched = true
		g.generation++
	}
}

// changedAnswer notes that m's next answer differs from its last.
func (g *Group) changedAnswer(m *member) {
	m.stale, m.pending = true, true
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

// TTL returns the group's lease time.
func (g *Group) TTL() time.Duration { return g.cfg.TTL }

func (g *Group) insert(m *member) {
	g.members[m.name] = m
	i, _ := slices.BinarySearchFunc(g.sorted, m.name, func(m *member, name string) int {
		return strings.Compare(m.name, name)
	})
	g.sorted = slices.Insert(g.sorted, i, m)
}
