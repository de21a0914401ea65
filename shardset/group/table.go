package group

import (
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/rollcall-go/rollcall/shardset"
)

// table is a document taken apart, as columns. It is what an answer needs, without the
// maps and counts of a Group, and cheap enough to be made from every version.
type table struct {
	format     byte
	deleted    bool
	born, void uint64
	firstEpoch uint64
	ttl        time.Duration
	change     ttlChange
	formerTTL  time.Duration // zero: there are no former members
	ordered    bool
	generation uint64

	// The members, sorted; behind them names that are no members any more, to which
	// free shards belonged.
	names     []string
	instances []uint64 // of the members, so it says how many there are
	weights   []int
	former    []bool
	owned     []int // how many shards each member owns; set by shares

	ids     []shardset.ID
	rows    []row
	parents []lineage
	retired []retiredRow
}

// row is one shard. Members are their places in table.names plus one; zero: none.
type row struct {
	epoch       uint64
	granted     uint64
	revoked     uint64
	owner, next int32
	last        int32 // of a shard that nobody owns
	state       State
	done        bool
}

type lineage struct {
	child   int
	parents []int32
}

type retiredRow struct {
	id             shardset.ID
	epoch, granted uint64
	holder         int
	over           bool
}

const (
	flagDeleted = 1
	flagOrdered = 2
)

// encode returns the table in the form that parse reads.
func (t *table) encode() []byte {
	flags := byte(0)
	if t.ordered {
		flags |= flagOrdered
	}
	if t.deleted {
		flags |= flagDeleted
	}
	return append([]byte{t.format, min(leastReader, t.format), flags}, s2.Encode(nil, t.columns())...)
}

func (t *table) columns() []byte {
	b := make([]byte, 0, 256+24*len(t.names)+8*len(t.rows))
	b = appendNumber(b, t.born)
	b = appendNumber(b, t.void)
	b = appendNumber(b, t.firstEpoch)
	b = appendNumber(b, uint64(t.ttl))
	b = appendNumber(b, uint64(t.formerTTL))
	b = appendSigned(b, int64(t.generation-t.firstEpoch))
	b = t.appendGeneration(b, t.change.since)
	if t.change.since != 0 {
		b = appendNumber(appendNumber(b, uint64(t.change.shortest)), uint64(t.change.longest))
	}

	b = appendNumber(b, uint64(len(t.instances)))
	b = appendNumber(b, uint64(len(t.names)-len(t.instances)))
	for _, name := range t.names {
		b = appendText(b, name)
	}
	last := uint64(0)
	for _, instance := range t.instances {
		b = appendSigned(b, int64(instance-last))
		last = instance
	}
	for i, w := range t.weights {
		n := uint64(w) << 1
		if t.former[i] {
			n |= 1
		}
		b = appendNumber(b, n)
	}
	b = appendIDs(b, len(t.ids), func(i int) shardset.ID { return t.ids[i] })
	b = t.shardColumns(b)
	b = appendNumber(b, uint64(len(t.parents)))
	for _, l := range t.parents {
		b = appendNumber(appendNumber(b, uint64(l.child)), uint64(len(l.parents)))
		for _, p := range l.parents {
			b = appendNumber(b, uint64(p))
		}
	}
	return t.retiredColumns(b)
}

// shardColumns writes each property of all shards together, because the values of one
// property are much alike.
func (t *table) shardColumns(b []byte) []byte {
	for _, s := range t.rows {
		state := byte(s.state)
		if s.done {
			state |= doneBit
		}
		b = append(b, state)
	}
	for _, s := range t.rows {
		if s.owned() {
			b = appendNumber(b, uint64(s.owner))
		}
	}
	for _, s := range t.rows {
		switch {
		case s.state == StateTransfer:
			b = appendNumber(b, uint64(s.next))
		case !s.owned():
			b = appendNumber(b, uint64(s.last))
		}
	}
	last := t.firstEpoch
	for _, s := range t.rows {
		b = appendSigned(b, int64(s.epoch-last))
		last = s.epoch
	}
	for _, s := range t.rows {
		if s.owned() {
			b = t.appendGeneration(b, s.granted)
		}
		if s.state == StateTransfer {
			b = t.appendGeneration(b, s.revoked)
		}
	}
	return b
}

// doneBit marks the state of a shard that its owner has done.
const doneBit = 1 << 4

func (s *row) owned() bool { return s.state == StateHeld || s.state == StateTransfer }

// appendGeneration writes an earlier generation, or zero for none.
func (t *table) appendGeneration(b []byte, g uint64) []byte {
	if g == 0 {
		return appendNumber(b, 0)
	}
	return appendNumber(b, t.generation-g+1)
}

func (t *table) retiredColumns(b []byte) []byte {
	b = appendIDs(b, len(t.retired), func(i int) shardset.ID { return t.retired[i].id })
	for _, s := range t.retired {
		over := byte(0)
		if s.over {
			over = 1
		}
		b = append(b, over)
		b = appendSigned(b, int64(s.epoch-t.firstEpoch))
		b = t.appendGeneration(b, s.granted)
		b = appendNumber(b, uint64(s.holder))
	}
	return b
}
