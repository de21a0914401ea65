package state

import (
	"cmp"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Document is a whole group as a store keeps it: members, shards, owners and epochs,
// but no leases. Whoever reads it judges nobody by time; that an instance is over, the
// records say.
type Document struct {
	// Group is the group, or what it was when it was deleted.
	Group *group.Group
	// Deleted says that the group was deleted. What is left of it says who may be at work
	// still, for the group that is made after it: see Remake.
	Deleted bool
	// Born tells the group from others of its name, which were deleted or lost: records
	// that name another one are not its members'.
	Born uint64
	// Void is the highest epoch of a group of this name that was deleted before:
	// checkpoints of epochs up to it are not this group's.
	Void uint64

	format byte // zero: the newest
}

// Remake returns the document of the group that is made after d was deleted: the group is
// its Successor, in the same format. Checkpoints of the deleted one are void.
func (d *Document) Remake(cfg group.Config, list []shardset.Shard) (Document, error) {
	g, err := d.Group.Successor(still, cfg, list)
	if err != nil {
		return Document{}, err
	}
	first := g.State().FirstEpoch
	return Document{Group: g, Born: first, Void: first, format: d.format}, nil
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
	return d.table().encode()
}

// table puts the document into columns. Of names that are no members' any more it takes as
// many as a document can have.
func (d *Document) table() *table {
	t := &table{deleted: d.Deleted, born: d.Born, void: d.Void, format: cmp.Or(d.format, newest), State: *d.Group.State()}
	if limit := len(t.Instances) + MaxMembers; len(t.Names) > limit {
		t.Names = t.Names[:limit]
		for i := range t.Shards {
			if s := &t.Shards[i]; int(s.Last) > limit {
				s.Last = 0
			}
		}
	}
	return t
}

// group makes a Group of a table.
func (t *table) group() (*group.Group, error) { return group.Restore(still, &t.State) }

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
	return Document{Group: g, Deleted: v.doc.deleted, Born: v.doc.born, Void: v.doc.void, format: v.doc.format}, nil
}

// maxName is the longest name that a member or a log may have, in bytes.
const maxName = 128
