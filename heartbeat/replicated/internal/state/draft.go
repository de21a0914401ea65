package state

import (
	"maps"

	"github.com/rollcall-go/rollcall/shardset/group"
)

// draft is the next version of a document, while a Replica prepares it.
type draft struct {
	group    *group.Group
	format   byte
	versions map[string]byte // the newest format that each member knows; not used once format is the newest
	shared   bool            // the group has shared out its shards since newDraft

	// The format and the changes of the version in the store.
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

// changed reports whether the draft differs from the version in the store.
func (d *draft) changed() bool {
	return d.format != d.storedFormat || d.group.Changes() != d.storedChanges
}

// written notes that the draft is in the store now.
func (d *draft) written() {
	d.storedFormat, d.storedChanges = d.format, d.group.Changes()
	maps.DeleteFunc(d.versions, func(name string, _ byte) bool {
		_, member := d.group.Instance(name)
		return !member
	})
}

// encode returns the encoded document. Born and VoidEpoch come from the version before.
func (d *draft) encode(from *table, deleted bool) []byte {
	doc := Document{Group: d.group, Deleted: deleted, Born: from.born, VoidEpoch: from.void, format: d.format}
	return doc.Encode()
}

// apply passes the heartbeat in a record to the group. Applying the same record again changes nothing,
// because the generation in the record determines which shards it releases. Two kinds of records can
// only end a member: those of an earlier group of this name, for which own is false, and those of a
// process that does not know the format of the document.
func (d *draft) apply(rec *Record, seq uint64, own bool) {
	b := rec.Heartbeat
	b.Seq = seq
	instance, known := d.group.Instance(rec.Member)
	switch rec.Standing {
	case StandingExpired:
		// A later instance may have expired before it became a member. Its record had
		// replaced the record of the earlier instance, so the tombstone ends that one, too.
		if known && instance <= rec.Instance {
			d.group.Evict(noTime, rec.Member, instance)
		}
	case StandingLeft:
		if own || known {
			_ = d.group.Leave(noTime, b) // the group refuses an earlier instance
		}
	default:
		if !own || rec.Version < d.format || !known && d.group.Len() >= MaxMembers {
			return
		}
		_, _ = d.group.Beat(noTime, b) // if the group refuses it, its process sees that in the document
		if instance, ok := d.group.Instance(rec.Member); ok && instance == rec.Instance && d.format < newest {
			d.versions[rec.Member] = rec.Version
		}
	}
}
