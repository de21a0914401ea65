package state

import (
	"maps"

	"github.com/rollcall-go/rollcall/shardset/group"
)

// draft is a document of which the next version is prepared.
type draft struct {
	group    *group.Group
	format   byte
	versions map[string]byte // the newest format that each member's process knows, as its record says
	shared   bool            // the shards were shared out since the draft was made

	// What the store has.
	storedFormat  byte
	storedChanges uint64
}

func newDraft(t *table) (*draft, error) {
	g, err := t.group()
	if err != nil {
		return nil, err
	}
	return &draft{group: g, format: t.format, versions: map[string]byte{}, storedFormat: t.format}, nil
}

// changed reports whether the document is to be written.
func (d *draft) changed() bool {
	return d.format != d.storedFormat || d.group.Changes() != d.storedChanges
}

// written notes that the store has the document as it is.
func (d *draft) written() {
	d.storedFormat, d.storedChanges = d.format, d.group.Changes()
	maps.DeleteFunc(d.versions, func(name string, _ byte) bool {
		_, member := d.group.Instance(name)
		return !member
	})
}

// encode returns the document, which goes on from one version.
func (d *draft) encode(from *table, deleted bool) []byte {
	doc := Document{Group: d.group, Deleted: deleted, Born: from.born, Void: from.void, format: d.format}
	return doc.Encode()
}

// apply has a record say to the group what it says. To say it again changes nothing:
// what a member gives up is judged by the generation that it had seen. A member that
// the group does not know and that lists shards is refused, as any other service would.
// Of a record that is not the group's own, because it speaks to an earlier group of the
// name, only the end of a member counts; and so it is with one of a process that does not know
// the format of the group.
func (d *draft) apply(rec *Record, seq uint64, own bool) {
	b := rec.Heartbeat
	b.Seq = seq
	instance, known := d.group.Instance(rec.Member)
	switch rec.Standing {
	case StandingExpired:
		// A later instance that was never a member has died: so has the earlier one,
		// over whose word it spoke.
		if known && instance <= rec.Instance {
			d.group.Evict(still, rec.Member, instance)
		}
	case StandingLeft:
		if own || known {
			_ = d.group.Leave(still, b) // of an earlier instance: it has nothing to leave
		}
	default:
		if !own || rec.Version < d.format || !known && d.group.Len() >= MaxMembers {
			return
		}
		_, _ = d.group.Beat(still, b) // refused: it is told so when it asks
		if instance, ok := d.group.Instance(rec.Member); ok && instance == rec.Instance {
			d.versions[rec.Member] = rec.Version
		}
	}
}
