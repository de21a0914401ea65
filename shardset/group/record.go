package group

import (
	"fmt"

	"github.com/rollcall-go/rollcall/shardset"
)

// Standing is what a Record says of its instance.
type Standing uint8

const (
	// StandingAlive: the member speaks, and goes on.
	StandingAlive Standing = iota + 1
	// StandingLeft: it has left. Shards that it still lists stay its own until its
	// record is a TTL old.
	StandingLeft
	// StandingDead: it was silent for a TTL, and another member put this over its last
	// word: the instance is over.
	StandingDead
)

func (s Standing) String() string {
	switch s {
	case StandingAlive:
		return "alive"
	case StandingLeft:
		return "left"
	case StandingDead:
		return "dead"
	}
	return fmt.Sprintf("Standing(%d)", uint8(s))
}

// Record is what a store keeps of one member: the last thing it said, or the verdict
// on it. The number of the heartbeat is not part of it: the store's revisions put
// records into order.
type Record struct {
	Standing Standing
	// Beat is the heartbeat. Of one that is dead, only the instance counts.
	shardset.Beat
}

// recordFormat is the first byte of a record.
const recordFormat = 1

const flagLeaving = 1

// Encode returns the record in the form that DecodeRecord reads. The member's name is
// not in it: the key of the record says it.
func (rec *Record) Encode() []byte {
	flags := byte(0)
	if rec.Leaving {
		flags |= flagLeaving
	}
	b := make([]byte, 0, 64+4*len(rec.Held))
	b = append(b, recordFormat, byte(rec.Standing), flags)
	b = appendNumber(b, rec.Instance)
	b = appendNumber(b, uint64(rec.Weight))
	b = appendNumber(b, rec.Generation)
	b = appendIDs(b, len(rec.Held), func(i int) shardset.ID { return rec.Held[i].ID })
	last := uint64(0)
	for _, h := range rec.Held {
		b = appendSigned(b, int64(h.Epoch-last))
		last = h.Epoch
	}
	b = appendIDs(b, len(rec.Done), func(i int) shardset.ID { return rec.Done[i] })
	return appendIDs(b, len(rec.Ended), func(i int) shardset.ID { return rec.Ended[i] })
}

// DecodeRecord reads the record of a member.
func DecodeRecord(member string, data []byte) (Record, error) {
	r := reader{rest: data}
	if f := r.byte(); r.err == nil && f != recordFormat {
		return Record{}, fmt.Errorf("record of %q: the format is %d, not %d", member, f, recordFormat)
	}
	rec := Record{Standing: Standing(r.byte())}
	if r.err == nil && (rec.Standing < StandingAlive || rec.Standing > StandingDead) {
		r.fail("the standing is %s", rec.Standing)
	}
	rec.Leaving = r.byte()&flagLeaving != 0
	rec.Member, rec.Instance = member, r.number()
	rec.Weight = r.below(shardset.MaxWeight + 1)
	rec.Generation = r.number()
	held := r.ids()
	last := uint64(0)
	for _, id := range held {
		last += uint64(r.signed())
		rec.Held = append(rec.Held, shardset.Grant{ID: id, Epoch: last})
	}
	rec.Done, rec.Ended = r.ids(), r.ids()
	if err := r.end(); err != nil {
		return Record{}, fmt.Errorf("record of %q: %w", member, err)
	}
	if err := rec.Validate(); err != nil {
		return Record{}, fmt.Errorf("record of %q: %w", member, err)
	}
	return rec, nil
}

// over reports whether the record's instance neither holds nor takes anything more.
func (rec *Record) over() bool {
	return rec.Standing == StandingDead || rec.Standing == StandingLeft && len(rec.Held) == 0
}
