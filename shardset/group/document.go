package group

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Document is a whole group as a store keeps it: members, shards, owners and epochs,
// but no leases. Whoever reads it judges nobody by time; that an instance is over, the
// records say.
type Document struct {
	// Group is the group, or what it was when it was deleted.
	Group *Group
	// Deleted says that the group was deleted. What is left of it says who may be at work
	// still, for the group that is made after it: see Remake.
	Deleted bool
	// Born tells the group from others of its name, which were deleted or lost: records
	// that name another one are not its members'.
	Born uint64
	// Void is the highest epoch of a group of this name that was deleted before:
	// checkpoints of epochs up to it are not this group's.
	Void uint64
}

// Remake returns the document of the group that is made after d was deleted: the group is
// its Successor, in the same format. Checkpoints of the deleted one are void.
func (d *Document) Remake(cfg Config, list []Shard) (Document, error) {
	g, err := d.Group.Successor(still, cfg, list)
	if err != nil {
		return Document{}, err
	}
	g.format = d.Group.format
	return Document{Group: g, Born: g.cfg.FirstEpoch, Void: g.cfg.FirstEpoch}, nil
}

// MaxEpoch is the highest epoch that a group can be made to begin above: those of the
// groups and checkpoints before it. None ever comes near it, as epochs begin at the
// milliseconds of the clock and count up, so a higher one is a damaged number. A document
// takes twice as much, for a group that goes on from there.
const MaxEpoch = 1 << 61

// still is the time of a group that is kept as a document: it does not pass.
var still time.Time

// Encode returns the document in the form that DecodeDocument reads. The same state
// always makes the same bytes.
func (d *Document) Encode() []byte {
	t := d.Group.table()
	t.deleted, t.born, t.void = d.Deleted, d.Born, d.Void
	return t.encode()
}

// DecodeDocument reads a document to go on from it. The error matches ErrNewer if only a newer
// version of this package may do that.
func DecodeDocument(data []byte) (Document, error) {
	v, err := ReadVersion(data)
	if err != nil {
		return Document{}, err
	}
	if v.doc.format > newest {
		return Document{}, fmt.Errorf("document: %w", ErrNewer)
	}
	g, err := v.doc.group()
	if err != nil {
		return Document{}, err
	}
	return Document{Group: g, Deleted: v.doc.deleted, Born: v.doc.born, Void: v.doc.void}, nil
}

// table puts the group into columns.
func (g *Group) table() *table {
	t := &table{
		format:     g.format,
		firstEpoch: g.cfg.FirstEpoch, ttl: g.cfg.TTL, change: g.change, ordered: g.cfg.Ordered, generation: g.generation,
		ids: make([]shardset.ID, len(g.shards)), rows: make([]row, len(g.shards)),
	}
	if g.hasFormer() {
		t.formerTTL = g.formerTTL
	}
	place := make(map[string]int32, len(g.sorted))
	for _, m := range g.sorted {
		t.names = append(t.names, m.name)
		t.instances = append(t.instances, m.instance)
		t.weights = append(t.weights, m.weight)
		t.former = append(t.former, m.former)
		place[m.name] = int32(len(t.names))
	}
	for i := range g.shards {
		s := &g.shards[i]
		t.ids[i] = s.id
		r := row{state: s.state, done: s.done, epoch: s.epoch}
		switch {
		case r.owned():
			r.owner, r.granted = place[s.owner.name], s.granted
			if s.state == StateTransfer {
				r.revoked = s.revoked
				if s.next != nil {
					r.next = place[s.next.name]
				}
			}
		case s.last != nil && s.state != StateOver:
			r.last = place[s.last.name]
			if r.last == 0 && len(t.names)-len(t.instances) < MaxMembers {
				t.names = append(t.names, s.last.name)
				r.last = int32(len(t.names))
				place[s.last.name] = r.last
			}
		}
		t.rows[i] = r
		if len(s.parents) > 0 {
			t.parents = append(t.parents, lineage{child: i, parents: s.parents})
		}
	}
	for id, r := range g.retired {
		row := retiredRow{id: id, epoch: r.epoch, granted: r.granted, over: r.over}
		if r.holder != nil {
			row.holder = int(place[r.holder.name])
		}
		t.retired = append(t.retired, row)
	}
	slices.SortFunc(t.retired, func(a, b retiredRow) int { return a.id.Compare(b.id) })
	return t
}

// group makes a Group of a table.
func (t *table) group() (*Group, error) {
	g, err := New(Config{TTL: t.ttl, Ordered: t.ordered, FirstEpoch: t.firstEpoch})
	if err != nil {
		return nil, err
	}
	g.format, g.generation, g.change, g.formerTTL = t.format, t.generation, t.change, t.formerTTL
	names := make([]*member, len(t.names))
	for i, name := range t.names {
		names[i] = &member{name: name, stale: true}
		if i < len(t.instances) {
			m := names[i]
			m.instance, m.weight, m.expires, m.former = t.instances[i], t.weights[i], still.Add(t.ttl), t.former[i]
			g.members[name] = m
			g.sorted = append(g.sorted, m)
			g.nextExpiry = m.expires
		}
	}
	who := func(place int32) *member {
		if place == 0 {
			return nil
		}
		return names[place-1]
	}
	g.shards = make([]shard, len(t.rows))
	for i, r := range t.rows {
		s := shard{
			id: t.ids[i], state: r.state, done: r.done, epoch: r.epoch,
			owner: who(r.owner), next: who(r.next), last: who(r.last), granted: r.granted, revoked: r.revoked,
		}
		if s.owner != nil {
			s.last = s.owner
		}
		g.shards[i] = s
		g.index[s.id] = int32(i)
	}
	for _, l := range t.parents {
		g.shards[l.child].parents = l.parents
	}
	for _, r := range t.retired {
		g.retired[r.id] = retiree{epoch: r.epoch, granted: r.granted, holder: who(int32(r.holder)), over: r.over}
		if h := who(int32(r.holder)); h != nil {
			h.retired++
		}
	}
	g.recount()
	g.TakeChanged()
	g.finished = g.allComplete()
	g.dirty = true // whoever wrote it has shared the shards out; if not, the first event does
	return g, nil
}

// maxName is the longest name that a member or a log may have, in bytes.
const maxName = 128
