package state

import (
	"cmp"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Document is a group in a store: members, shards, owners and epochs. It has no leases, so it does not
// show which members have expired. The records show that.
type Document struct {
	// Group is the group. If it was deleted, this is its last state.
	Group *group.Group
	// Deleted reports whether the group was deleted. The document stays in the store, because
	// its members may still work: see Remake.
	Deleted bool
	// Born is the FirstEpoch with which the group was created. It distinguishes the group from earlier
	// ones of this name: a record with another Born belongs to a deleted or lost group.
	Born uint64
	// VoidEpoch is the highest epoch of the deleted groups of this name. Checkpoints of this
	// epoch and of lower ones are void.
	VoidEpoch uint64

	format byte // zero: the newest
}

// Remake returns the document of the group that is created after d was deleted. The new group is
// the Successor of the deleted one. The checkpoints of the deleted group become void.
func (d *Document) Remake(cfg group.Config, list []shardset.Shard) (Document, error) {
	g, err := d.Group.Successor(noTime, cfg, list)
	if err != nil {
		return Document{}, err
	}
	first := g.State().FirstEpoch
	return Document{Group: g, Born: first, VoidEpoch: first, format: d.format}, nil
}

// MaxEpoch limits the epochs of an earlier group and of checkpoints, because a new group must begin
// above them. Epochs count up from the time in milliseconds, so a higher one means that data is
// damaged. The epochs in a document may reach twice this number, because a group may begin at MaxEpoch.
const MaxEpoch = 1 << 61

// noTime is the time in every call of the Group. The Group of a document has no leases, so it needs no
// time.
var noTime time.Time

// Encode returns the document in the form that DecodeDocument reads. Equal states give equal bytes.
func (d *Document) Encode() []byte {
	return d.table().encode()
}

// table returns the document in columns. It has a name for each last owner that is no longer a member,
// but for at most MaxMembers of them.
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

// group returns the Group in the table.
func (t *table) group() (*group.Group, error) { return group.Restore(noTime, &t.State) }

// DecodeDocument decodes a document that the caller wants to change. The error matches ErrNewer if
// this version of the package must not change it.
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
