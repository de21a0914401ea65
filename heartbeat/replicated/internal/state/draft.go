package state

import (
	"maps"

	"github.com/rollcall-go/rollcall/shardset/group"
)

// draft is the next version of a document, in preparation.
type draft struct {
	group    *group.Group
	format   byte
	versions map[string]byte // the newest format that each member knows, by its record; kept while it matters
	shared   bool            // shards were shared out since newDraft

	// What the stored version has.
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

// written notes that the store has this version.
func (d *draft) written() {
	d.storedFormat, d.storedChanges = d.format, d.group.Changes()
	maps.DeleteFunc(d.versions, func(name string, _ byte) bool {
		_, member := d.group.Instance(name)
		return !member
	})
}

// encode returns the document, with the identity of the version before.
func (d *draft) encode(from *table, deleted bool) []byte {
	doc := Document{Group: d.group, Deleted: deleted, Born: from.born, VoidEpoch: from.void, format: d.format}
	return doc.Encode()
}

// apply applies a record, as the heartbeat that it holds. To apply it again changes nothing: the
// generation in it says which shards it releases. If own is false, the record belongs to an earlier
// group of the name: it can only end a member. The same holds for the record of a process that does
// not know the format of the document.
func (d *draft) apply(rec *Record, seq uint64, own bool) {
	b := rec.Heartbeat
	b.Seq = seq
	instance, known := d.group.Instance(rec.Member)
	switch rec.Standing {
	case StandingExpired:
		// The tombstone of a later instance, which never was a member, ends the earlier one
		// too: it was written over that one's record.
		if known && instance <= rec.Instance {
			d.group.Evict(noTime, rec.Member, instance)
		}
	case StandingLeft:
		if own || known {
			_ = d.group.Leave(noTime, b) // refused if it is of an earlier instance
		}
	default:
		if !own || rec.Version < d.format || !known && d.group.Len() >= MaxMembers {
			return
		}
		_, _ = d.group.Beat(noTime, b) // if it is refused, its process finds that out from the document
		if instance, ok := d.group.Instance(rec.Member); ok && instance == rec.Instance && d.format < newest {
			d.versions[rec.Member] = rec.Version
		}
	}
}
