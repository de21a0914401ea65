package state

import (
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

// Standing is the state of an instance, as its record shows it.
type Standing uint8

const (
	// StandingAlive: the member sends heartbeats.
	StandingAlive Standing = iota + 1
	// StandingLeft: the member has left. It still owns the shards that its record lists, until it
	// expires.
	StandingLeft
	// StandingExpired: the member sent no heartbeat for a TTL, and another process has
	// written this tombstone over its record. The instance has ended.
	StandingExpired
)

func (s Standing) String() string {
	switch s {
	case StandingAlive:
		return "alive"
	case StandingLeft:
		return "left"
	case StandingExpired:
		return "expired"
	}
	return fmt.Sprintf("Standing(%d)", uint8(s))
}

// Record is the last heartbeat of a member in a store, or its tombstone. It has no sequence
// number: the revisions of the store give the order.
type Record struct {
	Standing Standing
	// Version is the newest format that the writer of the record knows. Encode ignores it and
	// writes the newest format that this process knows.
	Version byte
	// Born is Document.Born of the group to which the member sent the heartbeat.
	Born uint64
	// Heartbeat is the member's last heartbeat. A tombstone has only the instance.
	shardset.Heartbeat
}

const flagLeaving = 1

// Encode returns the record in the form that DecodeRecord reads. It omits the member's name, which is
// the key of the record.
func (rec *Record) Encode() []byte {
	flags := byte(0)
	if rec.Leaving {
		flags |= flagLeaving
	}
	b := make([]byte, 0, 64+4*len(rec.Held))
	b = append(b, newest, min(leastReader, newest), byte(rec.Standing), flags)
	b = appendNumber(b, rec.Born)
	b = appendNumber(b, rec.Instance)
	b = appendNumber(b, uint64(rec.Weight))
	b = appendNumber(b, rec.Generation)
	held, complete, closed := sortedGrants(rec.Held), sortedIDs(rec.Complete), sortedIDs(rec.Closed)
	b = appendIDs(b, len(held), func(i int) shardset.ID { return held[i].ID })
	last := uint64(0)
	for _, h := range held {
		b = appendSigned(b, int64(h.Epoch-last))
		last = h.Epoch
	}
	b = appendIDs(b, len(complete), func(i int) shardset.ID { return complete[i] })
	return appendIDs(b, len(closed), func(i int) shardset.ID { return closed[i] })
}

// DecodeRecord decodes the record of a member.
func DecodeRecord(member string, data []byte) (Record, error) {
	r := reader{rest: data}
	rec, err := r.record(member)
	if err == nil {
		err = rec.Validate()
	}
	if err != nil {
		return Record{}, fmt.Errorf("record of %.*q: %w", maxName, member, err)
	}
	return rec, nil
}

func (r *reader) record(member string) (Record, error) {
	version, newer, err := r.header()
	if err != nil {
		return Record{}, err
	}
	rec := Record{Version: version, Standing: Standing(r.byte())}
	if rec.Standing < StandingAlive || rec.Standing > StandingExpired {
		r.fail("the standing is %s", rec.Standing)
	}
	rec.Leaving = r.flags(flagLeaving, newer)&flagLeaving != 0
	rec.Born = r.number()
	rec.Member, rec.Instance = member, r.number()
	rec.Weight = r.below(shardset.MaxWeight + 1)
	rec.Generation = r.number()
	ids := r.ids("shards", minGrant, MaxShards)
	if len(ids) > 0 {
		rec.Held = make([]shardset.Grant, len(ids))
	}
	last := uint64(0)
	for i, id := range ids {
		last += uint64(r.signed())
		if last > 2*MaxEpoch {
			r.fail("shard %s is held under epoch %d", id, last)
		}
		if r.err != nil {
			break
		}
		rec.Held[i] = shardset.Grant{ID: id, Epoch: last}
	}
	rec.Complete, rec.Closed = r.ids("complete shards", 1, MaxShards), r.ids("closed shards", 1, MaxShards)
	if newer {
		return rec, r.err // this version does not know the rest
	}
	return rec, r.end()
}

// ended reports whether the instance has ended: it holds nothing, and receives nothing more.
func (rec *Record) ended() bool {
	return rec.Standing == StandingExpired || rec.Standing == StandingLeft && len(rec.Held) == 0
}

// sortedGrants returns the shards sorted, and each once.
func sortedGrants(held []shardset.Grant) []shardset.Grant {
	return ascending(held, func(a, b shardset.Grant) int { return a.ID.Compare(b.ID) })
}

// sortedIDs returns the IDs sorted, and each once.
func sortedIDs(ids []shardset.ID) []shardset.ID { return ascending(ids, shardset.ID.Compare) }

// ascending returns the list sorted, and each element once.
func ascending[T any](list []T, compare func(a, b T) int) []T {
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			list = slices.Clone(list)
			slices.SortStableFunc(list, compare)
			return slices.CompactFunc(list, func(a, b T) bool { return compare(a, b) == 0 })
		}
	}
	return list
}

func has(held []shardset.Grant, id shardset.ID) bool {
	_, ok := slices.BinarySearchFunc(held, id, func(g shardset.Grant, id shardset.ID) int { return g.ID.Compare(id) })
	return ok
}
