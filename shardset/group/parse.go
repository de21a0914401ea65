package group

import (
	"fmt"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/rollcall-go/rollcall/shardset"
)

// The limits of a document. A few bytes can stand for very many shards, and honestly so:
// 100,000 that were taken out of the list in one go are some seventy bytes. So no ratio says
// what is damage, but these numbers, far above what a group is used with.
const (
	// MaxMembers is how many members a group in a store takes.
	MaxMembers = 1 << 14
	// MaxShards is how many shards a group in a store takes, and how many that were taken
	// out of the list. Of those it remembers far fewer, unless they are held.
	MaxShards = 1 << 18

	// maxParents is how many parents all shards may have together.
	maxParents = 2 * MaxShards
	// maxDocument bounds what the compressed bytes can grow to. A group of 1,000 members
	// and 10,000 shards takes some 200 KB.
	maxDocument = 16 << 20

	// minTTL is the least TTL of a document. One below has lost its unit, or is damaged.
	minTTL = time.Millisecond
)

// The least number of bytes that each thing takes in the columns.
const (
	minMember  = 2 + 1 + 1         // name, instance, weight
	minName    = 2                 // of who is no member any more
	minShard   = 1 + 1 + 1 + 1     // step of the ID, state, last owner, epoch
	minLineage = 1 + 1 + 1         // child, number of parents, a parent
	minRetired = 1 + 1 + 1 + 1 + 1 // step of the ID, over, epoch, grant, holder
	minGrant   = 1 + 1             // in a record: step of the ID, epoch
)

func (r *reader) generation(now uint64) uint64 {
	ago := r.number()
	if ago == 0 {
		return 0
	}
	if ago-1 >= now {
		r.fail("a generation lies %d before %d", ago-1, now)
		return 0
	}
	return now - (ago - 1)
}

// parse reads a document. What it takes is a state that a group
// can be in: one that went on with another would never end, or lie.
func parse(data []byte) (*table, error) {
	head := &reader{rest: data}
	format, newer, err := head.header()
	if err != nil {
		return nil, err
	}
	flags := head.flags(flagOrdered|flagDeleted, newer)
	if head.err != nil {
		return nil, head.err
	}
	if n, err := s2.DecodedLen(head.rest); err != nil || n > maxDocument {
		return nil, fmt.Errorf("%w: it is said to be %d bytes long", errMangled, n)
	}
	raw, err := s2.Decode(nil, head.rest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMangled, err)
	}
	r := &reader{rest: raw}
	t := &table{
		format: format, ordered: flags&flagOrdered != 0, deleted: flags&flagDeleted != 0,
		born: r.number(), void: r.number(), firstEpoch: r.number(), ttl: r.ttl(minTTL), formerTTL: r.ttl(0),
	}
	t.generation = t.firstEpoch + uint64(r.signed())
	t.readChange(r)
	t.readMembers(r)
	t.readShards(r)
	t.readParents(r)
	t.readRetired(r)
	if highest := max(t.highest(), t.void, t.born); highest > 2*MaxEpoch {
		r.fail("the highest epoch or generation is %d", highest)
	}
	if newer {
		return t, r.err // what is left over is not for this version
	}
	return t, r.end()
}

func (t *table) readChange(r *reader) {
	c := &t.change
	if c.since = r.generation(t.generation); c.since == 0 {
		return
	}
	c.shortest, c.longest = r.ttl(minTTL), r.ttl(minTTL)
	if c.shortest > t.ttl || t.ttl > c.longest || c.shortest == c.longest {
		r.fail("the TTL changes to %v, between %v and %v", t.ttl, c.shortest, c.longest)
	}
}

func (r *reader) ttl(least time.Duration) time.Duration {
	n := r.number()
	if n < uint64(least) || n > uint64(MaxTTL) {
		r.fail("a TTL of %d ns is not between %v and %v", n, least, MaxTTL)
		return 0
	}
	return time.Duration(n)
}

// highest returns the highest epoch or generation of the group.
func (t *table) highest() uint64 {
	highest := max(t.generation, t.firstEpoch)
	for i := range t.rows {
		highest = max(highest, t.rows[i].epoch)
	}
	for i := range t.retired {
		highest = max(highest, t.retired[i].epoch)
	}
	return highest
}

func (t *table) readMembers(r *reader) {
	n, gone := r.count("members", minMember, MaxMembers), r.count("last owners", minName, MaxMembers)
	for i := 0; i < n+gone && r.err == nil; i++ {
		name := r.text(maxName)
		switch {
		case name == "":
			r.fail("a member has no name")
		case i > 0 && i < n && t.names[i-1] >= name:
			r.fail("members %q and %q are out of order", t.names[i-1], name)
		}
		t.names = append(t.names, name)
	}
	last := uint64(0)
	for i := 0; i < n && r.err == nil; i++ {
		last += uint64(r.signed())
		t.instances = append(t.instances, last)
	}
	for i := 0; i < n && r.err == nil; i++ {
		w := r.below(2 * (shardset.MaxWeight + 1))
		former := w&1 == 1
		if former && (w>>1 != 0 || t.formerTTL == 0) {
			r.fail("the former member %q has the weight %d, and a TTL of %v", t.names[i], w>>1, t.formerTTL)
		}
		t.weights, t.former = append(t.weights, w>>1), append(t.former, former)
	}
}

func (t *table) readShards(r *reader) {
	t.ids = r.ids("shards", minShard, MaxShards)
	members, names := len(t.instances), len(t.names)
	t.rows = make([]row, len(t.ids))
	for i := 0; i < len(t.rows) && r.err == nil; i++ {
		b, s := r.byte(), &t.rows[i]
		s.state, s.done = State(b&^doneBit), b&doneBit != 0
		if s.state < StateWait || s.state > StateOver || s.done && !s.owned() {
			r.fail("shard %s has the state %d", t.ids[i], b)
		}
	}
	for i := 0; i < len(t.rows) && r.err == nil; i++ {
		if s := &t.rows[i]; s.owned() {
			switch s.owner = int32(r.below(members + 1)); {
			case s.owner == 0:
				r.fail("shard %s is %s by nobody", t.ids[i], s.state)
			case t.former[s.owner-1] && (s.state != StateTransfer || s.done):
				r.fail("shard %s is %s by a former member", t.ids[i], s.state)
			}
		}
	}
	for i := 0; i < len(t.rows) && r.err == nil; i++ {
		switch s := &t.rows[i]; {
		case s.state == StateTransfer:
			if s.next = int32(r.below(members + 1)); s.next == s.owner || s.next > 0 && t.former[s.next-1] {
				r.fail("shard %s moves to its owner, or to a former member", t.ids[i])
			}
		case !s.owned():
			s.last = int32(r.below(names + 1))
		}
	}
	t.readEpochs(r)
}

func (t *table) readEpochs(r *reader) {
	last := t.firstEpoch
	for i := 0; i < len(t.rows) && r.err == nil; i++ {
		s := &t.rows[i]
		last += uint64(r.signed())
		if s.epoch = last; s.epoch == 0 && s.owned() {
			r.fail("shard %s is held under no epoch", t.ids[i])
		}
	}
	for i := 0; i < len(t.rows) && r.err == nil; i++ {
		s := &t.rows[i]
		if s.owned() {
			s.granted = r.generation(t.generation)
		}
		if s.state == StateTransfer {
			s.revoked = r.generation(t.generation)
		}
	}
}

func (t *table) readParents(r *reader) {
	n, last, total := r.count("shards with parents", minLineage, len(t.rows)), -1, 0
	for i := 0; i < n && r.err == nil; i++ {
		l := lineage{child: r.below(len(t.rows))}
		if l.child <= last {
			r.fail("the parents of shard %d come after those of shard %d", l.child, last)
		}
		last = l.child
		k := r.count("parents", 1, maxParents-total)
		for ; k > 0 && r.err == nil; k-- {
			l.parents = append(l.parents, int32(r.below(len(t.rows))))
		}
		total += len(l.parents)
		t.parents = append(t.parents, l)
	}
	if r.err == nil && t.cyclic() {
		r.fail("a shard is its own ancestor")
	}
}

// cyclic reports whether some shard is its own ancestor: whether, when those without
// parents are taken away again and again, something is left.
func (t *table) cyclic() bool {
	if len(t.parents) == 0 {
		return false
	}
	waits := make([]int32, len(t.rows)) // for how many parents
	children := make(map[int32][]int32, len(t.parents))
	for _, l := range t.parents {
		waits[l.child] = int32(len(l.parents))
		for _, p := range l.parents {
			children[p] = append(children[p], int32(l.child))
		}
	}
	var todo []int32
	for i, n := range waits {
		if n == 0 {
			todo = append(todo, int32(i))
		}
	}
	left := len(t.rows)
	for ; len(todo) > 0; left-- {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, c := range children[p] {
			if waits[c]--; waits[c] == 0 {
				todo = append(todo, c)
			}
		}
	}
	return left > 0
}

func (t *table) readRetired(r *reader) {
	listed := t.ids
	for _, id := range r.ids("retired shards", minRetired, MaxShards) {
		over := r.byte()
		s := retiredRow{
			id: id, over: over == 1, epoch: t.firstEpoch + uint64(r.signed()),
			granted: r.generation(t.generation), holder: r.below(len(t.instances) + 1),
		}
		for len(listed) > 0 && listed[0].Compare(id) < 0 {
			listed = listed[1:]
		}
		switch {
		case len(listed) > 0 && listed[0] == id:
			r.fail("shard %s is listed and retired", id)
		case over > 1, s.over && s.holder != 0, s.epoch == 0 && s.holder != 0:
			r.fail("retired shard %s is over %d, and held by %d under epoch %d", id, over, s.holder, s.epoch)
		}
		if r.err != nil {
			return
		}
		t.retired = append(t.retired, s)
	}
}
