package state

import (
	"fmt"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// The limits of a document, far above the numbers of any real group: a document that exceeds one is
// damaged. A limit relative to the length of the data is not possible, because 100,000 shards that were
// removed at the same time take only seventy bytes.
const (
	// MaxMembers is the largest number of members of a group in a store.
	MaxMembers = 1 << 14
	// MaxShards is the largest number of listed shards of a group in a store. The limit for removed
	// shards is the same.
	MaxShards = 1 << 18

	// maxParents is the largest number of parents of all shards together.
	maxParents = 2 * MaxShards
	// maxDocument is the largest size of the columns before compression, in bytes. A group of
	// 1,000 members and 10,000 shards takes about 200 KB.
	maxDocument = 16 << 20

	// minTTL is the shortest TTL of a document. A shorter TTL means that the document is damaged, or
	// that the TTL is in the wrong unit.
	minTTL = time.Millisecond
)

// The least number of bytes that each element takes in the columns.
const (
	minMember  = 2 + 1 + 1         // name, instance, weight
	minName    = 2                 // of a last owner
	minShard   = 1 + 1 + 1 + 1     // step of the ID, state, last owner, epoch
	minLineage = 1 + 1 + 1         // child, number of parents, a parent
	minRemoved = 1 + 1 + 1 + 1 + 1 // step of the ID, closed, epoch, grant, holder
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

// parse decodes a document. It refuses a state that no group can reach, because a group that is
// restored from such a state might break the rules of groups.
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
		return nil, fmt.Errorf("%w: its length would be %d bytes", errDamaged, n)
	}
	raw, err := s2.Decode(nil, head.rest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	r := &reader{rest: raw}
	t := &table{format: format, deleted: flags&flagDeleted != 0, born: r.number(), void: r.number()}
	t.Ordered = flags&flagOrdered != 0
	t.FirstEpoch, t.TTL, t.FormerTTL = r.number(), r.ttl(minTTL), r.ttl(0)
	t.Generation = t.FirstEpoch + uint64(r.signed())
	t.readChange(r)
	t.readMembers(r)
	t.readShards(r)
	t.readParents(r)
	t.readRemoved(r)
	if highest := max(t.highest(), t.void, t.born); highest > 2*MaxEpoch {
		r.fail("the highest epoch or generation is %d", highest)
	}
	if newer {
		return t, r.err // this version ignores the rest
	}
	return t, r.end()
}

func (t *table) readChange(r *reader) {
	c := &t.Change
	if c.Since = r.generation(t.Generation); c.Since == 0 {
		return
	}
	c.Shortest, c.Longest = r.ttl(minTTL), r.ttl(minTTL)
	if c.Shortest > t.TTL || t.TTL > c.Longest || c.Shortest == c.Longest {
		r.fail("the TTL changes to %v, between %v and %v", t.TTL, c.Shortest, c.Longest)
	}
}

func (r *reader) ttl(least time.Duration) time.Duration {
	n := r.number()
	if n < uint64(least) || n > uint64(group.MaxTTL) {
		r.fail("a TTL of %d ns is not between %v and %v", n, least, group.MaxTTL)
		return 0
	}
	return time.Duration(n)
}

// highest returns the highest epoch or generation of the group.
func (t *table) highest() uint64 {
	highest := max(t.Generation, t.FirstEpoch)
	for i := range t.Shards {
		highest = max(highest, t.Shards[i].Epoch)
	}
	for i := range t.Removed {
		highest = max(highest, t.Removed[i].Epoch)
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
		case i > 0 && i < n && t.Names[i-1] >= name:
			r.fail("members %q and %q are out of order", t.Names[i-1], name)
		}
		t.Names = append(t.Names, name)
	}
	last := uint64(0)
	for i := 0; i < n && r.err == nil; i++ {
		last += uint64(r.signed())
		t.Instances = append(t.Instances, last)
	}
	for i := 0; i < n && r.err == nil; i++ {
		w := r.below(2 * (shardset.MaxWeight + 1))
		former := w&1 == 1
		if former && (w>>1 != 0 || t.FormerTTL == 0) {
			r.fail("the former member %q has the weight %d, and a TTL of %v", t.Names[i], w>>1, t.FormerTTL)
		}
		t.Weights, t.Former = append(t.Weights, w>>1), append(t.Former, former)
	}
}

func (t *table) readShards(r *reader) {
	t.IDs = r.ids("shards", minShard, MaxShards)
	members, names := len(t.Instances), len(t.Names)
	t.Shards = make([]group.ShardRow, len(t.IDs))
	for i := 0; i < len(t.Shards) && r.err == nil; i++ {
		b, s := r.byte(), &t.Shards[i]
		s.State, s.Complete = group.ShardState(b&^completeBit), b&completeBit != 0
		if s.State < group.StateWait || s.State > group.StateClosed || s.Complete && !s.Owned() {
			r.fail("shard %s has the state %d", t.IDs[i], b)
		}
	}
	for i := 0; i < len(t.Shards) && r.err == nil; i++ {
		if s := &t.Shards[i]; s.Owned() {
			switch s.Owner = int32(r.below(members + 1)); {
			case s.Owner == 0:
				r.fail("shard %s is %s without an owner", t.IDs[i], s.State)
			case t.Former[s.Owner-1] && (s.State != group.StateTransfer || s.Complete):
				r.fail("shard %s is %s by a former member", t.IDs[i], s.State)
			}
		}
	}
	for i := 0; i < len(t.Shards) && r.err == nil; i++ {
		switch s := &t.Shards[i]; {
		case s.State == group.StateTransfer:
			if s.Next = int32(r.below(members + 1)); s.Next == s.Owner || s.Next > 0 && t.Former[s.Next-1] {
				r.fail("shard %s moves to its owner, or to a former member", t.IDs[i])
			}
		case !s.Owned():
			s.Last = int32(r.below(names + 1))
		}
	}
	t.readEpochs(r)
}

func (t *table) readEpochs(r *reader) {
	last := t.FirstEpoch
	for i := 0; i < len(t.Shards) && r.err == nil; i++ {
		s := &t.Shards[i]
		last += uint64(r.signed())
		if s.Epoch = last; s.Epoch == 0 && s.Owned() {
			r.fail("shard %s is held under no epoch", t.IDs[i])
		}
	}
	for i := 0; i < len(t.Shards) && r.err == nil; i++ {
		s := &t.Shards[i]
		if s.Owned() {
			s.Granted = r.generation(t.Generation)
		}
		if s.State == group.StateTransfer {
			s.Revoked = r.generation(t.Generation)
		}
	}
}

func (t *table) readParents(r *reader) {
	n, last, total := r.count("shards with parents", minLineage, len(t.Shards)), -1, 0
	for i := 0; i < n && r.err == nil; i++ {
		l := group.Lineage{Child: r.below(len(t.Shards))}
		if l.Child <= last {
			r.fail("the parents of shard %d come after those of shard %d", l.Child, last)
		}
		last = l.Child
		k := r.count("parents", 1, maxParents-total)
		for ; k > 0 && r.err == nil; k-- {
			l.Parents = append(l.Parents, int32(r.below(len(t.Shards))))
		}
		total += len(l.Parents)
		t.Parents = append(t.Parents, l)
	}
	if r.err == nil && t.cyclic() {
		r.fail("a shard is its own ancestor")
	}
}

// cyclic reports whether some shard is its own ancestor. It removes shards without parents again and
// again. If some shards remain, there is a cycle.
func (t *table) cyclic() bool {
	if len(t.Parents) == 0 {
		return false
	}
	waits := make([]int32, len(t.Shards)) // the number of parents not removed yet
	children := make(map[int32][]int32, len(t.Parents))
	for _, l := range t.Parents {
		waits[l.Child] = int32(len(l.Parents))
		for _, p := range l.Parents {
			children[p] = append(children[p], int32(l.Child))
		}
	}
	var todo []int32
	for i, n := range waits {
		if n == 0 {
			todo = append(todo, int32(i))
		}
	}
	left := len(t.Shards)
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

func (t *table) readRemoved(r *reader) {
	listed := t.IDs
	for _, id := range r.ids("removed shards", minRemoved, MaxShards) {
		closed := r.byte()
		s := group.RemovedRow{
			ID: id, Closed: closed == 1, Epoch: t.FirstEpoch + uint64(r.signed()),
			Granted: r.generation(t.Generation), Holder: r.below(len(t.Instances) + 1),
		}
		for len(listed) > 0 && listed[0].Compare(id) < 0 {
			listed = listed[1:]
		}
		switch {
		case len(listed) > 0 && listed[0] == id:
			r.fail("shard %s is listed and removed", id)
		case closed > 1, s.Closed && s.Holder != 0, s.Epoch == 0 && s.Holder != 0:
			r.fail("removed shard %s has the flag %d, and is held by member %d under epoch %d", id, closed, s.Holder, s.Epoch)
		}
		if r.err != nil {
			return
		}
		t.Removed = append(t.Removed, s)
	}
}
