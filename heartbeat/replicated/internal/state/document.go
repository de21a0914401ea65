package state

import (
	"cmp"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Document is a group in a store: members, shards, owners and epochs. It has no leases, so a
// reader cannot know from it that a member has expired: the records say so.
type Document struct {
	// Group is the group; of a deleted one, as it was at the deletion.
	Group *group.Group
	// Deleted says that the group was deleted. The group that follows it needs to know which
	// members may still work: see Remake.
	Deleted bool
	// Born identifies the group among those of its name. Records with another Born belong to
	// a group that was deleted or lost.
	Born uint64
	// VoidEpoch is the highest epoch of the deleted groups of this name. Checkpoints of epochs up
	// to it do not belong to this group.
	VoidEpoch uint64

	format byte // zero: the newest
}

// Remake returns the document of the group that follows the deleted d: its Successor, in the same
// format. The checkpoints of the deleted group are void.
func (d *Document) Remake(cfg group.Config, list []shardset.Shard) (Document, error) {
	g, err := d.Group.Successor(noTime, cfg, list)
	if err != nil {
		return Document{}, err
	}
	first := g.State().FirstEpoch
	return Document{Group: g, Born: first, VoidEpoch: first, format: d.format}, nil
}

// MaxEpoch is the highest epoch that a new group may have to begin above: that of an earlier group
// or of a checkpoint. Epochs begin at the milliseconds of the clock and count up, so a higher one is
// damage. A document may have twice as much, for a group that begins there.
const MaxEpoch = 1 << 61

// noTime is the time of every event of a group in a store, where no time passes.
var noTime time.Time

// Encode returns the document in the form that DecodeDocument reads. Equal states give equal bytes.
func (d *Document) Encode() []byte {
	return d.table().encode()
}

// table returns the document in columns. It omits last owners that are no members beyond the number
// that a document may have.
func (d *Document) table() *table {
	t := &table{deleted: d.Deleted, born: d.Born, void: d.VoidEpoch, format: cmp.Or(d.format, newest), State: *d.Group.State()}
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
func (t *table) group() (*group.Group, error) { return group.Restore(noTime, &t.State) }

// DecodeDocument reads a document to be changed. The error matches ErrNewer if only a newer version
// of this package may change it.
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
	return Document{Group: g, Deleted: v.doc.deleted, Born: v.doc.born, VoidEpoch: v.doc.void, format: v.doc.format}, nil
}

// maxName is the longest name that a member or a log may have, in bytes.
const maxName = 128
